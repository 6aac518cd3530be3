"""The nightly retrain: unattended, idempotent, and whole whatever moment it is killed at.

night.py     one night: lock, clock, deadline, and `steps.py` in between
steps.py     its order: plan, settle, hand out the jobs, commit what comes back
plan.py      which tickers have something to do, and when a challenger is due
ready.py     what decides a ticker's job, and what is only told of it
work.py      a ticker's job, a function of its arguments: train, judge, forecast
commit.py    a job's outcome into registry, ledger and state, in an order that survives a kill
recorded.py  what the ledger holds of a session, by runs that were killed, too
summary.py   the night as JSON, and its page
"""

"""The nightly retrain: unattended, idempotent, and whole whatever moment it is killed at.

night.py     one night: lock, fetch, settle, hand out the jobs, commit what comes back
clock.py     the time it is, or the time `--now` says
plan.py      which tickers have something to do, and whether a challenger is due
work.py      a ticker's job, a function of its arguments: train, judge, forecast
engines.py   where the jobs run: a process pool, or Ray
commit.py    a job's outcome into registry, ledger and state, in an order that survives a kill
state.py     lock, heartbeat, and which nights are done
summary.py   the night as JSON, and its page
"""

"""What became of the part that was known before: the new answer against the stored one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import pandas as pd

from forecast.market.bars import QUOTE_COLUMNS
from forecast.market.findings import MOST_LISTED, Finding

# Sessions fetched again at each update. A dividend or split moves all of them; a vendor's late
# correction moves the last few.
OVERLAP = 20

# Yahoo's prices have the precision of 32-bit floats, and its adjusted closes move by less than this
# from one answer to the next.
_ROUNDING = 1e-6
# Of a dividend [quote currency per share].
_SMALLEST = 1e-6


@dataclass(frozen=True)
class Event:
    """A split or dividend that the stored quotes do not know, or tell otherwise.

    Attributes:
        kind: `split` or `dividend`.
        session: Its date.
        before: What the stored quotes tell, 0 for none: the split's ratio, or the amount [quote
            currency per share].
        after: What the answer tells.
    """

    kind: str
    session: pd.Timestamp
    before: float
    after: float

    def __str__(self) -> str:
        unit = " shares for one" if self.kind == "split" else ""
        if not self.after:
            return f"a {self.kind} of {self.before:.6g}{unit} is taken back"
        told = f", told as {self.before:.6g} before" if self.before else ""
        return f"a {self.kind} of {self.after:.6g}{unit}{told}"


@dataclass(frozen=True)
class Comparison:
    """How a new answer differs from the stored quotes over the sessions it should hold.

    Attributes:
        change: `split`, `dividend`, `correction`, `rounding` (a correction of the last digits
            alone), `truncation`, or None where all are equal; the first of several.
        changed: Sessions whose values differ.
        absent: Stored sessions that the answer lacks.
        ratio: For a split, new prices over old; for a dividend, new adjusted close over old.
        events: All splits and dividends that are new or told otherwise, the oldest first.
    """

    change: str | None
    changed: pd.DatetimeIndex
    absent: pd.DatetimeIndex
    ratio: float = 1.0
    events: tuple[Event, ...] = ()

    def findings(self, did: str) -> list[Finding]:
        """Each event, and a change that none of them is, with what was done about it."""
        found = [
            Finding("warn", event.kind, [f"{event.session:%Y-%m-%d}"], f"{event}; {did}")
            for event in self.events
        ]
        if self.change is None or self.change in {event.kind for event in self.events}:
            return found
        sessions = self.absent if self.change == "truncation" else self.changed
        what = {
            "split": f"a split: earlier prices times {self.ratio:.6g}",
            "dividend": f"a dividend: earlier adjusted closes times {self.ratio:.6g}",
            "correction": "the vendor changed stored sessions",
            "rounding": "the vendor changed last digits, by a millionth at most",
            "truncation": "the vendor left out stored sessions",
        }[self.change]
        dates = [f"{session:%Y-%m-%d}" for session in sessions[-MOST_LISTED:]]
        count = f"{len(sessions)} session{'s'[: len(sessions) != 1]}"
        return [*found, Finding("warn", self.change, dates, f"{count}: {what}; {did}")]


def compare(stored: pd.DataFrame, answer: pd.DataFrame, *, since: date | None) -> Comparison:
    """Classify how `answer` differs from `stored`.

    Args:
        stored: Quotes known before, checked.
        answer: New quotes, checked; not empty.
        since: First session that was asked for: the answer should hold every stored one from
            there on. None for the whole history.
    """
    known = stored.loc[None if since is None else pd.Timestamp(since) :]
    common = known.index.intersection(answer.index)
    absent = pd.DatetimeIndex(known.index.difference(answer.index))
    old, new = known.loc[common, QUOTE_COLUMNS], answer.loc[common, QUOTE_COLUMNS]
    differs = (old.to_numpy() != new.to_numpy()).any(axis=1)
    changed = pd.DatetimeIndex(common[differs])
    prices = _ratio(old["close"], new["close"])
    events = _events(stored, answer)
    compared = partial(Comparison, changed=changed, absent=absent, events=events)
    if len(absent):
        return compared("truncation")
    split, dividend = (any(one.kind == kind for one in events) for kind in ("split", "dividend"))
    # Yahoo adjusts the past from the morning of the event on, hours before its session is over.
    rescaled = not np.isclose(prices, 1.0, rtol=1e-3) and _moves_all(old, new, "close")
    if split or rescaled:
        return compared("split", ratio=prices)
    if dividend or _moves_all(old, new, "adj_close"):
        return compared("dividend", ratio=_ratio(old["adj_close"], new["adj_close"]))
    if len(changed):
        near = np.isclose(old.to_numpy(), new.to_numpy(), rtol=_ROUNDING, atol=0).all()
        return compared("rounding" if near else "correction")
    return compared(None)


def _events(stored: pd.DataFrame, answer: pd.DataFrame) -> tuple[Event, ...]:
    """Those of sessions that both know, and of sessions that came since.

    A dividend that moved as its session's price did, after a split, is the one known before; the
    vendor rounds small ones.
    """
    told = answer[answer.index.isin(stored.index) | (answer.index > stored.index[-1])]
    before = stored.reindex(told.index)
    rescaled = before["dividends"] * told["close"] / before["close"]
    events = []
    for kind, column in (("split", "splits"), ("dividend", "dividends")):
        after, known = told[column].to_numpy(), before[column].fillna(0.0).to_numpy()
        new = after != known
        if kind == "dividend":
            new &= (known == 0) | ~np.isclose(after, rescaled, rtol=1e-3, atol=_SMALLEST)
        events += [
            Event(kind, told.index[row], float(known[row]), float(after[row]))
            for row in np.flatnonzero(new)
        ]
    return tuple(sorted(events, key=lambda event: event.session))


def confined(stored: pd.DataFrame, answer: pd.DataFrame, comparison: Comparison) -> bool:
    """Whether the older history can be taken as unchanged, so that the answer need only be joined.

    That is so where nothing differs, and where the last few sessions alone were corrected: the
    older half of the overlap must be equal.
    """
    if comparison.change is None:
        return True
    middle = answer.index[min(OVERLAP // 2, len(answer) - 1)]
    late = comparison.change in ("correction", "rounding")
    return late and bool(comparison.changed[0] >= middle)


def join(stored: pd.DataFrame, answer: pd.DataFrame) -> pd.DataFrame:
    """Stored quotes up to the answer's first session, then the answer."""
    return pd.concat([stored.loc[: answer.index[0]].drop(answer.index[0], errors="ignore"), answer])


def union(stored: pd.DataFrame, answer: pd.DataFrame) -> pd.DataFrame:
    """All sessions of both; the two must agree where they meet."""
    kept = stored.loc[stored.index.difference(answer.index)]
    return pd.concat([kept, answer]).sort_index()


def _ratio(old: pd.Series, new: pd.Series) -> float:
    return float((new / old).iloc[0]) if len(old) else 1.0


def _moves_all(old: pd.DataFrame, new: pd.DataFrame, column: str) -> bool:
    """Whether every value of the column moved by one and the same ratio, other than 1."""
    ratio = (new[column] / old[column]).to_numpy()
    moved = len(ratio) > 1 and not np.isclose(ratio[0], 1.0, rtol=5 * _ROUNDING, atol=0)
    return moved and bool(np.allclose(ratio, ratio[0], rtol=_ROUNDING, atol=0))

"""What became of the part that was known before: the new answer against the stored one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from forecast.market.bars import QUOTE_COLUMNS
from forecast.market.quality import MOST_LISTED, Finding

# Sessions fetched again at each update. A dividend or split moves all of them; a vendor's late
# correction moves the last few.
OVERLAP = 20

# Yahoo's prices have the precision of 32-bit floats, and its adjusted closes move by less than this
# from one answer to the next.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Comparison:
    """How a new answer differs from the stored quotes over the sessions it should hold.

    Attributes:
        change: `split`, `dividend`, `correction`, `rounding` (a correction of the last digits
            alone), `truncation`, or None where all are equal.
        changed: Sessions whose values differ.
        absent: Stored sessions that the answer lacks.
        ratio: For a split, new prices over old; for a dividend, new adjusted close over old.
    """

    change: str | None
    changed: pd.DatetimeIndex
    absent: pd.DatetimeIndex
    ratio: float = 1.0

    def finding(self, did: str) -> list[Finding]:
        """The change as a finding that says what was done; none where nothing changed."""
        if self.change is None:
            return []
        sessions = self.absent if self.change == "truncation" else self.changed
        what = {
            "split": f"a split: earlier prices times {self.ratio:.6g}",
            "dividend": f"a dividend: earlier adjusted closes times {self.ratio:.6g}",
            "correction": "the vendor changed stored sessions",
            "rounding": "the vendor changed last digits, by a millionth at most",
            "truncation": "the vendor left out stored sessions",
        }[self.change]
        dates = [f"{session:%Y-%m-%d}" for session in sessions[-MOST_LISTED:]]
        return [Finding("warn", self.change, dates, f"{len(sessions)} sessions: {what}; {did}")]


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
    # A split or dividend is one that the stored quotes do not know yet.
    fresh = answer[answer.index > stored.index[-1]]
    split = (fresh["splits"] > 0).any() or (old["splits"] != new["splits"]).any()
    dividend = (fresh["dividends"] > 0).any() or (old["dividends"] != new["dividends"]).any()
    prices = _ratio(old["close"], new["close"])
    adjusted = _ratio(old["adj_close"], new["adj_close"])
    if len(absent):
        return Comparison("truncation", changed, absent)
    # Yahoo adjusts the past from the morning of the event on, hours before its session is over.
    if not np.isclose(prices, 1.0, rtol=1e-3) and (split or _moves_all(old, new, "close")):
        return Comparison("split", changed, absent, prices)
    if len(changed) and (dividend or _moves_all(old, new, "adj_close")):
        return Comparison("dividend", changed, absent, adjusted)
    if len(changed):
        near = np.isclose(old.to_numpy(), new.to_numpy(), rtol=_ROUNDING, atol=0).all()
        return Comparison("rounding" if near else "correction", changed, absent)
    if split or dividend:
        return Comparison("split" if split else "dividend", changed, absent)
    return Comparison(None, changed, absent)


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

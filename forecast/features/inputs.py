"""From Bars to Windows and from network outputs back to log returns: one ticker's way in and out.

`Inputs` holds all that was fitted on the training part; it is saved beside the network, so that
`predict` prepares a new bar exactly as `train` did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from forecast.errors import ArtifactError
from forecast.features.calendar import CALENDAR, calendar_ahead, trading_week
from forecast.features.indicators import INDICATORS
from forecast.features.scaling import Scaler, fit_minmax, fit_standard
from forecast.features.sets import check_features, compute_features
from forecast.features.splits import (
    Boundaries,
    Split,
    at_boundaries,
    chronological,
    require_sessions,
)
from forecast.features.targets import (
    ClassTarget,
    Prediction,
    PriceTarget,
    Target,
    fit_target,
    load_target,
    log_returns_ahead,
)
from forecast.features.volatility import SPANS, VolatilityUnit, fit_unit
from forecast.features.windows import Windows, make_windows, with_column
from forecast.market.bars import PRICE_COLUMNS

TICKER = "ticker"
"""Name of the column that says which ticker a row is of."""
STRANGER = 0
"""The number of every ticker that a network never saw."""

_UNIT_WARM_UP = max(SPANS) - 1


@dataclass(frozen=True)
class Inputs:
    """How one ticker's bars become a network's windows, and its outputs log returns.

    Attributes:
        feature_names: Keys of `INDICATORS`, in the order of the network's inputs.
        lookback: Rows a window.
        horizon: Steps ahead.
        scaler: Fitted on the training part.
        target: Fitted on the training part.
        unit: Volatility that returns and moves are measured in; fitted on the training part.
        number: The ticker's, where the network learns something of each ticker (the first column
            of a window is then this number); None where it does not.
        week: The days on which the ticker trades (`calendar.trading_week` of the training part), if
            each row ends with the calendar of the sessions ahead; else None.
        anchor: The first session of the bars that were fitted on, and its close.
    """

    feature_names: tuple[str, ...]
    lookback: int
    horizon: int
    scaler: Scaler
    target: Target
    unit: VolatilityUnit
    number: int | None = None
    week: str | None = None
    anchor: tuple[str, float] | None = None

    @property
    def known(self) -> int:
        """Numbers known of each session ahead."""
        return 0 if self.week is None else len(CALENDAR)

    def windows(self, bars: pd.DataFrame, *, ticker: str) -> Windows:
        """All windows whose outcome is known.

        Raises:
            NotEnoughBars: if the warm-up uses up all bars.
            ArtifactError: as `as_fitted`.
        """
        bars = self.as_fitted(bars)
        rows = feature_rows(bars, self.feature_names, ticker=ticker)
        close = bars["close"].loc[rows.index]
        targets = self.target.encode(
            log_returns_ahead(close, horizon=self.horizon),
            unit=self.unit.at(bars).loc[rows.index].to_numpy(),
            close=close.to_numpy(),
        )
        return self.numbered(
            make_windows(
                self._columns(rows),
                targets,
                pd.DatetimeIndex(rows.index),
                lookback=self.lookback,
                feature_names=self.feature_names,
                known=self.known,
            )
        )

    def as_fitted(self, bars: pd.DataFrame) -> pd.DataFrame:
        """The bars in the money of those that were fitted on.

        A split or dividend since then multiplies all earlier prices by one factor. Returns and
        ratios stay as they are, but a scaled price would be another.

        Raises:
            ArtifactError: if prices themselves are read and the bars begin after the anchor.
        """
        if self.anchor is None:
            return bars
        session, close = self.anchor
        found = bars["close"].get(pd.Timestamp(session))
        if found is None and (
            "close" in self.feature_names or isinstance(self.target, PriceTarget)
        ):
            raise ArtifactError(
                f"a network that reads prices must have bars from {session} on, as in its "
                f"training: splits since then are told by that session. They begin on "
                f"{bars.index[0]:%Y-%m-%d}.",
                hint="forecast train TICKER",
            )
        if found is None or found == close:
            return bars
        return bars.assign(**{name: bars[name] * (close / found) for name in PRICE_COLUMNS})

    def numbered(self, windows: Windows) -> Windows:
        """The windows with the ticker's number as their first column, if it has one."""
        return windows if self.number is None else with_column(windows, TICKER, self.number)

    def newest(self, bars: pd.DataFrame, *, ticker: str, count: int = 1) -> Windows:
        """The last `count` windows, or as many as there are, the newest bar's among them.

        Their outcomes may not be known yet.

        Raises:
            NotEnoughBars: if there are fewer bars than warm-up and one window need.
            ArtifactError: as `as_fitted`.
        """
        bars = self.as_fitted(bars)
        needed = warm_up_of(self.feature_names) + self.lookback
        require_sessions(
            len(bars),
            needed=needed,
            ticker=ticker,
            why="warm-up and lookback",
            hint="a longer history",
        )
        rows = feature_rows(bars, self.feature_names, ticker=ticker)
        rows = rows.iloc[-(self.lookback + count - 1) :]
        starts = np.arange(len(rows) - self.lookback + 1)
        return self.numbered(
            Windows(
                features=self._columns(rows),
                targets=np.full((len(rows), self.horizon), np.nan, dtype="float32"),
                starts=starts,
                lookback=self.lookback,
                horizon=self.horizon,
                origin=pd.DatetimeIndex(rows.index[starts + self.lookback - 1]),
                feature_names=self.feature_names,
                known=self.known,
            )
        )

    def _columns(self, rows: pd.DataFrame) -> np.ndarray:
        """The rows as the network reads them: scaled features, then the calendar ahead."""
        scaled = self.scaler.transform(rows.to_numpy())
        if self.week is None:
            return scaled
        ahead = calendar_ahead(pd.DatetimeIndex(rows.index), week=self.week, horizon=self.horizon)
        return np.hstack([scaled, ahead])

    def decode(
        self, outputs: np.ndarray, bars: pd.DataFrame, origins: pd.DatetimeIndex
    ) -> Prediction:
        """Log returns from network outputs.

        Args:
            outputs: Point and seven quantiles in the target's unit, shape (n, horizon, 8).
            bars: With every origin among its sessions.
            origins: Shape (n,).

        Raises:
            ValueError: if the target is classes, from which no way leads back to a return.
        """
        if isinstance(self.target, ClassTarget):
            raise ValueError(f"a {self.target.as_document()['kind']} is no return.")
        bars = self.as_fitted(bars)
        decoded = self.target.decode(
            outputs,
            unit=self.unit.of(bars, origins),
            close=bars["close"].loc[origins].to_numpy(),
        )
        return Prediction(point=decoded[..., 0], quantiles=decoded[..., 1:])

    def as_document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "feature_names": list(self.feature_names),
            "lookback": self.lookback,
            "horizon": self.horizon,
            "scaler": asdict(self.scaler),
            "target": self.target.as_document(),
            "unit": asdict(self.unit),
            "number": self.number,
            "week": self.week,
            "anchor": None if self.anchor is None else list(self.anchor),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Inputs:
        """From what `as_document` gave.

        Raises:
            ConfigError: if a feature is not known any more.
            ArtifactError: if it is not such a document.
        """
        try:
            anchor = document.get("anchor")
            return cls(
                check_features(document["feature_names"]),
                document["lookback"],
                document["horizon"],
                Scaler(**document["scaler"]),
                load_target(document["target"]),
                VolatilityUnit(**document["unit"]),
                document.get("number"),
                document.get("week"),
                None if anchor is None else (str(anchor[0]), float(anchor[1])),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"saved inputs must be those of this version. Reading them failed: {error!r}.",
                hint="forecast train TICKER",
            ) from error


def fit_inputs(
    bars: pd.DataFrame,
    *,
    ticker: str,
    feature_names: Sequence[str],
    lookback: int,
    horizon: int,
    target: str,
    ahead: bool = False,
    boundaries: Boundaries | None = None,
) -> tuple[Inputs, Split]:
    """Inputs fitted on the training part of a ticker's bars, and its parts.

    The origins are split first; the scaler then sees the rows up to the last training origin.

    Args:
        bars: All bars.
        ticker: Named in errors.
        feature_names: Keys of `INDICATORS`.
        lookback: Rows a window.
        horizon: Steps ahead.
        target: One of `TARGETS`.
        ahead: Each row ends with the calendar of the sessions ahead.
        boundaries: Where the parts begin, for several tickers; None for shares of this history.

    Raises:
        ConfigError: if a feature is unknown.
        NotEnoughBars: saying how many sessions are needed.
    """
    names = check_features(feature_names)
    if boundaries is None:
        split = chronological(
            origins_of(len(bars), names, lookback=lookback, horizon=horizon),
            horizon=horizon,
            sessions=len(bars),
            ticker=ticker,
        )
    else:
        sessions = pd.DatetimeIndex(bars.index)
        origins = known_origins(sessions, names, lookback=lookback, horizon=horizon)
        split = at_boundaries(origins, boundaries, horizon=horizon, ticker=ticker)
    inputs = fit_on(
        bars,
        split.train,
        ticker=ticker,
        feature_names=names,
        lookback=lookback,
        horizon=horizon,
        target=target,
        ahead=ahead,
    )
    return inputs, split


def fit_on(
    bars: pd.DataFrame,
    train: range,
    *,
    ticker: str,
    feature_names: Sequence[str],
    lookback: int,
    horizon: int,
    target: str,
    ahead: bool = False,
) -> Inputs:
    """Inputs fitted on given training origins, and on no row after the last of them.

    Args:
        bars: All bars.
        train: Positions among the origins, from 0 on.
        ticker: Named in errors.
        feature_names: Keys of `INDICATORS`.
        lookback: Rows a window.
        horizon: Steps ahead.
        target: One of `TARGETS`.
        ahead: Each row ends with the calendar of the sessions ahead.
    """
    rows = feature_rows(bars, feature_names, ticker=ticker)
    training_rows = rows.iloc[: train.stop - 1 + lookback]
    training_bars = bars.loc[: training_rows.index[-1]]
    close, unit = bars["close"].loc[training_rows.index], fit_unit(training_bars)
    fit_scaler = fit_minmax if target == "price" else fit_standard
    return Inputs(
        tuple(feature_names),
        lookback,
        horizon,
        fit_scaler(training_rows.to_numpy()),
        fit_target(
            target,
            close.to_numpy(),
            returns=log_returns_ahead(close, horizon=horizon),
            unit=unit.at(training_bars).loc[training_rows.index].to_numpy(),
        ),
        unit,
        week=trading_week(pd.DatetimeIndex(training_rows.index)) if ahead else None,
        anchor=(f"{bars.index[0]:%Y-%m-%d}", float(bars["close"].iloc[0])),
    )


def origins_of(sessions: int, feature_names: Sequence[str], *, lookback: int, horizon: int) -> int:
    """Number of origins whose outcome is known among so many bars; not positive if too few."""
    return sessions - warm_up_of(feature_names) - lookback - horizon + 1


def known_origins(
    sessions: pd.DatetimeIndex, feature_names: Sequence[str], *, lookback: int, horizon: int
) -> pd.DatetimeIndex:
    """The origins whose outcome is known among these sessions; none if they are too few."""
    count = origins_of(len(sessions), feature_names, lookback=lookback, horizon=horizon)
    return sessions[len(sessions) - horizon - max(count, 0) : len(sessions) - horizon]


def feature_rows(bars: pd.DataFrame, names: Sequence[str], *, ticker: str) -> pd.DataFrame:
    """Features without the rows that they, or the volatility unit, need to warm up.

    Raises:
        NotEnoughBars: if the warm-up uses up all bars.
    """
    features = compute_features(bars, names, ticker=ticker)
    return features.loc[bars.index[min(warm_up_of(names), len(bars) - 1)] :]


def warm_up_of(names: Sequence[str]) -> int:
    """First rows that cannot be used with these features."""
    return max(_UNIT_WARM_UP, *(INDICATORS[name].warm_up for name in names))

"""Which features a network reads: sets with a name, the check of any other, and their columns."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from forecast.errors import ConfigError, NotEnoughBars
from forecast.features.indicators import INDICATORS
from forecast.features.targets import CLASSES

_USUAL = (
    "return_1",
    "return_5",
    "return_20",
    "return_overnight",
    "rsi_14",
    "bollinger_20_b",
    "macd_ratio",
    "atr_14_ratio",
    "volatility_20",
    "true_range_1",
    "true_range_5",
    "true_range_22",
    "true_range_66",
    "volume_20_ratio",
    "weekday_sin",
    "weekday_cos",
)
DEFAULT_FEATURES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("return", *CLASSES), _USUAL),
    # As textbooks do: the scaled close and nothing else.
    "price": ("close",),
}

FEATURE_GROUPS: dict[str, tuple[str, ...]] = {
    "default": DEFAULT_FEATURES["return"],
    # What tells of the spread and of nothing else.
    "ranges": (
        "return_1",
        "volatility_20",
        "true_range_1",
        "true_range_5",
        "true_range_22",
        "true_range_66",
        "volume_20_ratio",
    ),
    "wide": (
        *DEFAULT_FEATURES["return"],
        "return_60",
        "sma_50_ratio",
        "bollinger_20_width",
        "adx_14",
        "mfi_14",
        "parkinson_5",
        "parkinson_20",
        "volatility_5",
        "volatility_60",
    ),
}
"""Sets of indicators that `tune` chooses among by name."""


def check_features(names: Sequence[str]) -> tuple[str, ...]:
    """The same names, if each is in `INDICATORS` and appears once.

    Raises:
        ConfigError: naming the unknown or repeated name and the choices.
    """
    unknown = [name for name in names if name not in INDICATORS]
    if unknown or not names:
        raise ConfigError(
            f"every feature must be a known one. Received {', '.join(unknown) or 'none'}.",
            hint=f"some of: {', '.join(INDICATORS)}",
        )
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise ConfigError(
            f"every feature must be named once. Repeated: {', '.join(repeated)}.",
            hint="remove the repetition",
        )
    return tuple(names)


def compute_features(bars: pd.DataFrame, names: Sequence[str], *, ticker: str) -> pd.DataFrame:
    """Features of one ticker, without the warm-up rows.

    Args:
        bars: As `check_bars` wants them, shape (n, 5).
        names: Keys of `INDICATORS`; the columns of the result, in this order.
        ticker: Named in errors.

    Returns:
        Index = sessions after the longest warm-up, float64, no NaN.

    Raises:
        ConfigError: if a name is unknown.
        NotEnoughBars: if the warm-up uses up all bars.
    """
    names = check_features(names)
    warm_up = max(INDICATORS[name].warm_up for name in names)
    if len(bars) <= warm_up:
        raise NotEnoughBars(
            f"{ticker}: the chosen features need more than {warm_up} sessions to warm up. "
            f"Received {len(bars)}.",
            hint="a longer history, or features with a shorter warm-up",
        )
    # Not one assignment a column: that would copy the frame each time.
    columns = {name: INDICATORS[name].compute(bars) for name in names}
    return pd.DataFrame(columns, index=bars.index).iloc[warm_up:]

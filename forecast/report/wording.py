"""Numbers and dates as a person reads them; a figure that is not there is an en dash."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from forecast.evaluation.verdict import SIGNIFICANT

NOTHING = "–"
_MINUS = "−"
_HELD = "\u00a0"
_WIDTH = 100
_MOST_DECIMALS = 12
_MARGIN = 8
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def finite(value: Any) -> float | None:
    """`value` as a float, or None where it is missing, not a number or infinite."""
    if isinstance(value, str | bytes):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def number(value: Any, digits: int = 4) -> str:
    """Significant digits with thousands separators: `1,234`, `0.01235`, `1.2 × 10⁻⁶`."""
    known = finite(value)
    if known is None:
        return NOTHING
    if known == 0:
        return "0"
    if abs(known) < 1e-4:
        mantissa, _, exponent = f"{known:.{digits - 2}e}".partition("e")
        return f"{mantissa} {times_ten(int(exponent))}".replace("-", _MINUS)
    # Rounded first: 0.99996 has one digit before the point, once it is 1.000.
    whole = math.floor(math.log10(abs(float(f"{known:.{digits - 1}e}")))) + 1
    return f"{known:,.{max(digits - whole, 0)}f}".replace("-", _MINUS)


def times_ten(exponent: int) -> str:
    """`× 10⁻⁵`."""
    return f"× 10{str(exponent).translate(_SUPERSCRIPT)}"


def whole(value: Any) -> str:
    """A count with thousands separators: `2,100`."""
    known = finite(value)
    return NOTHING if known is None else f"{known:,.0f}".replace("-", _MINUS)


def price(value: Any, within: float | None = None) -> str:
    """A price with the decimals that it calls for: `430.47`, `0.01235`, `412,345`.

    Args:
        value: The price.
        within: Width of the band beside it: two digits of it are shown, as in `1.093` for 0.014;
            of a price below 10,000 two decimals at least. None where there is no band.
    """
    known = finite(value)
    if known is None:
        return NOTHING
    least = 2 if abs(known) < 10_000 else 0
    if within:
        decimals = min(max(least, 1 - math.floor(math.log10(within))), _MOST_DECIMALS)
    elif abs(known) >= 1:
        decimals = least
    else:
        return number(known)
    return f"{known:,.{decimals}f}".replace("-", _MINUS)


def named(name: str, text: str) -> str:
    """`close 56.14` or `80 %: 56.14`; what is too long for a picture's margin is left out."""
    return f"{name} {text}" if len(text) <= _MARGIN else name.removesuffix(":")


def narrowest(steps: Iterable[Mapping[str, Any]]) -> float | None:
    """Width of the narrowest 80 % band, for `price`; None where none has a width.

    Args:
        steps: With `p10` and `p90`, as in `predict --json`.
    """
    ends = [(finite(step.get("p10")), finite(step.get("p90"))) for step in steps]
    widths = [high - low for low, high in ends if low is not None and high is not None]
    return min((width for width in widths if width > 0), default=None)


def percent(value: Any, digits: int = 1, *, signed: bool = False) -> str:
    """A fraction in percent: `0.791` → `79.1 %`; with `signed` also `+2.0 %`."""
    known = finite(value)
    if known is None:
        return NOTHING
    if round(known * 100, digits) == 0:
        known = 0.0
    sign = "+" if signed and known > 0 else ""
    return f"{sign}{known * 100:,.{digits}f} %".replace("-", _MINUS)


def around(mean: Any, spread: Any, digits: int = 2) -> str:
    """Fractions in percent, without the sign for it: `+1.89 ± 0.07`; the spread may be missing."""
    middle = percent(mean, digits, signed=True).removesuffix(" %")
    if finite(mean) is None or finite(spread) is None:
        return middle
    return f"{middle} ± {percent(spread, digits).removesuffix(' %')}"


def fixed(value: Any, decimals: int = 2) -> str:
    """A number whose size is known, such as a correlation: `−0.03`."""
    known = finite(value)
    if known is None:
        return NOTHING
    # Adding zero turns a negative zero into a positive one.
    return f"{round(known, decimals) + 0:.{decimals}f}".replace("-", _MINUS)


def p_value(value: Any) -> str:
    """A p-value: two digits, `< 0.001` below that, four where it would round to 0.05 itself."""
    known = finite(value)
    if known is None:
        return NOTHING
    if round(known, 3) == SIGNIFICANT:
        # As in the verdict: which side of it decides.
        return f"{known:.4f}"
    return "< 0.001" if known < 0.001 else f"{known:.3f}" if known < 0.1 else f"{known:.2f}"


def equals(p: Any) -> str:
    """A p-value behind a "p": `= 0.03` or `< 0.001`."""
    text = p_value(p)
    return text if text.startswith("<") else f"= {text}"


def count(many: int, what: str) -> str:
    """`1 forecast`, `1,483 forecasts`."""
    return f"{many:,} {what}" if many == 1 else f"{many:,} {what}s"


def day(value: Any) -> str:
    """A date as `1 Mar 2013`."""
    stamp = pd.to_datetime(value, errors="coerce") if value is not None else pd.NaT
    return NOTHING if pd.isna(stamp) else f"{stamp.day} {stamp:%b %Y}"


def span(first: Any, last: Any) -> str:
    """A range of dates as `Apr 2011 – Mar 2013`, to the day where it is within one month."""
    start, end = (pd.to_datetime(value, errors="coerce") for value in (first, last))
    if pd.isna(start) or pd.isna(end):
        return NOTHING
    if start == end:
        return day(start)
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day} – {day(end)}"
    return f"{start:%b %Y} – {end:%b %Y}"


def ahead(step: int) -> str:
    """`one session ahead`, `5 sessions ahead`."""
    return "one session ahead" if step == 1 else f"{step} sessions ahead"


def shorten(text: Any, most: int = 40) -> str:
    """`text` on one line, cut with an ellipsis after `most` characters."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def unbroken(text: str) -> str:
    """`text` with no line break between a number and its percent sign, or around `=` and `±`."""
    return re.sub(r"(?<=\d) (?=[%±])|(?<=\bp) (?=[=<])|(?<=[=<±]) (?=\d)", _HELD, text)


def wrapped(text: str, *, indent: str = "") -> list[str]:
    """`text` as lines for a terminal, broken where `unbroken` allows; later ones indented."""
    lines = textwrap.wrap(
        unbroken(text),
        _WIDTH,
        subsequent_indent=indent,
        # Paths and names of runs stay whole.
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_HELD, " ") for line in lines]

"""Every picture with a price axis can be read, whatever the size of its prices."""

from __future__ import annotations

from itertools import combinations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from forecast.report.charts import history_strip, indicator_chart
from forecast.report.fan import fan_chart
from forecast.report.plots import price_forecast
from forecast.report.style import dress, new_figure, price_axis, tick_text
from forecast.report.track_record import track_record

PRICES = ["predicted", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "actual"]


def price_pictures(forecasts, bars, size):
    """All of them, of a price that ends near `size`."""
    bars = bars.assign(close=size * bars["close"] / bars["close"].iloc[-1])
    scale = size / forecasts["actual"].iloc[-1]
    forecasts = forecasts.assign(**{name: scale * forecasts[name] for name in PRICES})
    own = forecasts[forecasts["model"] == "lstm"].reset_index(drop=True)
    record = pd.DataFrame(
        {
            **{name: own[name] for name in ("origin", "step", "session")},
            "network": "lstm",
            "last_close": size,
            "point": 0.001,
            "p10": -0.02,
            "p90": 0.02,
            "outcome": np.linspace(-0.03, 0.03, len(own)),
        }
    )
    rolling = pd.DataFrame(
        {"coverage_80": [], "skill_so_far": []}, index=pd.DatetimeIndex([]), dtype=float
    )
    steps = own.tail(5).assign(step=range(1, 6)).to_dict("records")
    return [
        price_forecast(forecasts, ticker="XYZ", model="lstm"),
        indicator_chart(bars, ticker="XYZ"),
        history_strip(bars, [], {}, ticker="XYZ"),
        fan_chart(bars["close"], steps, ticker="XYZ", model="lstm"),
        track_record(record, rolling, ticker="XYZ"),
    ]


def ticks_of(axes):
    """The numbers that a drawn axis shows, and the power of ten above them, if any."""
    low, high = axes.get_ylim()
    shown = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    ticks = [label for value, label in shown if low <= value <= high]
    power = axes.yaxis.get_offset_text()
    return ticks, [power] if power.get_text() else []


def is_legible(figure, axes):
    """No number reaches into another or into the unit, and no two are the same."""
    ticks, power = ticks_of(axes)
    (unit,) = (text for text in figure.findobj(mpl.text.Text) if "[quote" in text.get_text())
    boxes = [text.get_window_extent() for text in [unit, *ticks, *power]]
    words = [text.get_text() for text in ticks]
    return (
        len(words) > 1
        and len(set(words)) == len(words)
        and not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    )


@pytest.mark.parametrize("size", [1e-6, 0.02, 5e5, 9.7e5, 2e6, 5e9, 1e14])
def test_no_number_of_a_price_axis_reaches_into_another_or_into_its_unit(forecasts, bars, size):
    for picture in price_pictures(forecasts, bars, size):
        picture.figure.draw_without_rendering()
        panels = picture.figure.axes[: 2 if picture.name == "price_forecast" else 1]
        assert all(is_legible(picture.figure, axes) for axes in panels), picture.name


@pytest.mark.parametrize(
    ("size", "power"), [(1e-6, "× 10⁻⁶"), (5e5, ""), (9.8e5, "× 10⁶"), (1e14, "× 10¹⁴")]
)
def test_very_small_and_large_prices_stand_in_a_power_of_ten(forecasts, bars, size, power):
    for picture in price_pictures(forecasts, bars, size):
        picture.figure.draw_without_rendering()
        assert picture.figure.axes[0].yaxis.get_offset_text().get_text() == power, picture.name


def axis_of(values):
    figure = new_figure("", "")
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.3))
    dress(axes, ylabel="price [quote currency]")
    axes.plot(values)
    price_axis(axes, values)
    figure.draw_without_rendering()
    return figure, axes


@pytest.mark.parametrize(("first", "last"), [(1e13, 1e14), (1e-6, 1e-5), (3, 5e6), (1e-9, 1e14)])
def test_a_logarithmic_axis_is_as_legible(first, last):
    assert is_legible(*axis_of(np.geomspace(first, last, 50)))


@pytest.mark.parametrize("size", [1e-5, 5.0, 9_999.0, 1e6, 3e12])
def test_a_price_that_stands_still_is_drawn_flat_between_numbers_that_differ(size):
    values = size * (1 + 1e-7 * np.sin(np.arange(50)))
    figure, axes = axis_of(values)
    assert is_legible(figure, axes)
    low, high = axes.get_ylim()
    assert np.ptp(values) < 0.01 * (high - low)
    assert low < values.min() < values.max() < high


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"), (400_000, "400,000"), (1234.5, "1,234.5"), (0.0001, "0.0001"), (-2.5, "−2.5"),
        (2e7, "2×10⁷"), (-1.25e-5, "−1.25×10⁻⁵"),
    ],
)  # fmt: skip
def test_the_number_of_a_tick(value, text):
    assert tick_text(value) == text

import math

import pytest

from forecast.report.wording import (
    day,
    fixed,
    narrowest,
    number,
    p_value,
    percent,
    price,
    shorten,
    span,
    unbroken,
    whole,
    wrapped,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (430.47, "430.5"),
        (1234.5, "1,234"),
        (400_000, "400,000"),
        (0.012345, "0.01235"),
        (0.0001, "0.0001000"),
        (1.234e-6, "1.23 × 10⁻⁶"),
        (-2.5, "−2.500"),
        (0.99996, "1.000"),
        (0, "0"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize("show", [number, price, percent, p_value, whole, day])
@pytest.mark.parametrize("nothing", [None, math.nan])
def test_what_is_missing_is_a_dash(show, nothing):
    assert show(nothing) == "–"


@pytest.mark.parametrize("nothing", [math.inf, -math.inf, "text", [], {}])
def test_what_is_no_number_is_a_dash(nothing):
    assert number(nothing) == "–"


def test_prices_show_the_decimals_their_size_calls_for():
    assert [price(x) for x in (430.4, 0.01234, 412_345.6)] == ["430.40", "0.01234", "412,346"]


@pytest.mark.parametrize(
    ("value", "low", "high", "text"),
    [
        (430.47, 422.1, 438.9, "430.47"),  # a stock
        (3.456, 3.3, 3.6, "3.46"),
        (1.09987, 1.0931, 1.1069, "1.100"),  # a currency
        (1.6e-5, 1.55e-5, 1.65e-5, "0.0000160"),  # a coin
        (97_123.4, 95_000.0, 99_000.0, "97,123"),
        (430.47, 430.0, 430.0, "430.47"),  # a band without a width says nothing
    ],
)
def test_the_width_of_the_band_says_how_many_decimals_a_price_has(value, low, high, text):
    assert price(value, narrowest([{"p10": low, "p90": high}])) == text


def test_the_narrowest_of_several_bands_decides():
    wide, narrow, none = {"p10": 1.0, "p90": 3.0}, {"p10": 1.5, "p90": 1.75}, {"p10": None}
    assert narrowest([wide, narrow, none]) == 0.25
    assert narrowest([none]) is None


def test_percent_has_a_sign_only_when_asked_and_no_negative_zero():
    assert percent(0.791) == "79.1 %"
    assert percent(0.02, signed=True) == "+2.0 %"
    assert percent(-0.0001, signed=True) == "0.0 %"
    assert percent(-0.034, signed=True) == "−3.4 %"


def test_fixed_decimals_know_no_negative_zero():
    assert [fixed(x) for x in (-0.003, -0.25, 0.999)] == ["0.00", "−0.25", "1.00"]


def test_p_values():
    assert [p_value(p) for p in (0.0004, 0.0312, 0.4)] == ["< 0.001", "0.031", "0.40"]
    # Never rounded across the boundary that decides.
    assert [p_value(p) for p in (0.0496, 0.0504, 0.05)] == ["0.0496", "0.0504", "0.0500"]


def test_dates():
    assert day("2013-03-01") == "1 Mar 2013"
    assert day("no date") == "–"
    assert span("2011-04-13", "2013-03-01") == "Apr 2011 – Mar 2013"
    assert span("2013-03-01", "2013-03-15") == "1 – 15 Mar 2013"
    assert span("2013-03-01", "2013-03-01") == "1 Mar 2013"
    assert span(None, "2013-03-01") == "–"


def test_long_text_is_cut_and_put_on_one_line():
    assert shorten("a\nb   c", 10) == "a b c"
    assert shorten("x" * 50, 10) == "x" * 9 + "…"


def test_numbers_keep_their_percent_sign():
    assert unbroken("held 80 % (p = 0.3), so") == "held 80\u00a0% (p\u00a0=\u00a00.3), so"
    assert unbroken("by 0.13 ± 0.11 %") == "by 0.13\u00a0±\u00a00.11\u00a0%"


def test_a_terminals_lines_break_no_figure_and_no_path():
    figures = " ".join(["it is 0.08 % below (p = 0.03), by 0.13 ± 0.11 %"] * 40)
    lines = wrapped(f"{figures} in {'reports/' * 20}index.html", indent="  ")
    assert " ".join(line.strip() for line in lines).startswith(figures)
    assert all(len(line) <= 100 for line in lines[:-1])
    assert not any(line.lstrip().startswith(("%", "±", "=")) for line in lines)
    assert not any(line.endswith(("±", "=")) for line in lines)
    assert lines[-1].endswith(f"{'reports/' * 20}index.html")

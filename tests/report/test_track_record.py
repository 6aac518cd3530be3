"""The live picture by its structure."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from forecast.report.track_record import money_of_today, track_record


def made_up(count: int, *, horizon: int = 1, split_at: int | None = None):
    """A record of a made-up price; after a 2:1 split closes are written down in half the money."""
    rng = np.random.default_rng(4)
    sessions = pd.bdate_range("2012-01-02", periods=count + horizon)
    close = 80 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
    rows = []
    for at in range(count):
        for step in range(1, horizon + 1):
            known = at + step < count
            money = 2.0 if split_at is not None and at < split_at else 1.0
            rows.append(
                {
                    "origin": sessions[at],
                    "step": step,
                    "session": sessions[at + step],
                    "network": "lstm",
                    "last_close": close[at] * money,
                    "point": 0.001,
                    "p10": -0.02,
                    "p90": 0.022,
                    "outcome": np.log(close[at + step] / close[at]) if known else np.nan,
                }
            )
    return pd.DataFrame(rows), close, sessions


def rolling_of(record: pd.DataFrame, window: int = 20) -> pd.DataFrame:
    known = record[(record["step"] == 1) & record["outcome"].notna()]
    inside = known["outcome"].between(known["p10"], known["p90"]).astype(float)
    return pd.DataFrame(
        {
            "coverage_80": inside.rolling(window).mean().to_numpy(),
            "skill_so_far": np.linspace(0.05, 0.01, len(known)),
        },
        index=pd.DatetimeIndex(known["session"]),
    )


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text())


def test_it_draws_what_came_and_marks_every_close_outside_the_band():
    record, close, _ = made_up(60)
    picture = track_record(record, rolling_of(record), ticker="XYZ", window=20, promised=0.03)
    top, middle, low = picture.figure.axes
    came = np.asarray(lines(top)["came"].get_ydata(), dtype=float)
    np.testing.assert_allclose(came, close[1:], rtol=1e-12)
    known = record[record["outcome"].notna()]
    outside = ~known["outcome"].between(-0.02, 0.022)
    assert len(lines(top)["missed"].get_ydata()) == outside.sum() > 5
    assert f"held {100 * (~outside).mean():.1f} % of 59 closes" in picture.title
    assert "skill against EWMA +1.0 %" in picture.title
    (band, still_open) = (c for c in top.collections if c.get_label() in ("80 % band", "open"))
    assert len(band.get_segments()) == 59
    assert len(still_open.get_segments()) == 1
    assert np.isfinite(lines(middle)["rolling coverage"].get_ydata()).sum() == 40
    assert lines(low)["promised"].get_ydata()[0] == pytest.approx(3.0)
    assert "promised 3.0 %" in texts(picture.figure)
    assert len(lines(low)["skill"].get_ydata()) == 59 - 9


def test_a_split_does_not_break_the_line():
    record, close, _ = made_up(40, split_at=20)
    np.testing.assert_allclose(money_of_today(record), close, rtol=1e-12)
    # Without the outcome in between only the closes as written down are left.
    gap = record.copy()
    gap.loc[19, "outcome"] = np.nan
    np.testing.assert_allclose(money_of_today(gap)[:20], 2 * close[:20], rtol=1e-12)


def test_of_several_steps_one_is_drawn_and_all_link_the_closes():
    record, close, _ = made_up(30, horizon=3)
    picture = track_record(record, rolling_of(record), ticker="XYZ", step=3)
    top = picture.figure.axes[0]
    np.testing.assert_allclose(lines(top)["came"].get_ydata(), close[3:], rtol=1e-12)
    assert "3 sessions ahead" in texts(picture.figure)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_a_young_record_says_what_it_waits_for(count):
    record, _, _ = made_up(count)
    picture = track_record(record, rolling_of(record), ticker="XYZ", window=60)
    words = texts(picture.figure)
    if count == 1:
        assert "1 forecast, none with an outcome yet" in picture.title
        assert "no outcome yet" in words
    assert f"from the 60th outcome on; {count - 1} so far" in words
    assert picture.png()[:4] == b"\x89PNG"


def test_the_svg_has_no_fixed_colour_and_says_what_is_seen():
    record, _, _ = made_up(80)
    svg = track_record(record, rolling_of(record), ticker="XYZ").svg()
    assert "var(--blue)" in svg
    assert "#0072b2" not in svg
    assert 'aria-label="Three charts of forecasts that were recorded before' in svg

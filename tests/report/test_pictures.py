import io
import re
import threading
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from forecast.features.indicators import bollinger, rsi, sma
from forecast.report.calibration import coverage_plot
from forecast.report.charts import history_strip, indicator_chart
from forecast.report.fan import draw_fan, fan_chart
from forecast.report.plots import price_forecast
from forecast.report.returns import lag_plot, return_scatter
from forecast.report.style import PALETTE, label_ends, new_figure
from forecast.report.training import training_curve


def lines(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def texts(figure):
    return " | ".join(text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text())


def outside(figure):
    """Texts that the picture's edge cuts."""
    return [
        text.get_text()
        for text in figure.findobj(mpl.text.Text)
        if text.get_visible()
        and text.get_text()
        and not figure.bbox.containsx(text.get_window_extent().x1)
    ]


def data(artist):
    return np.asarray(artist.get_ydata(), dtype=float)


# --- price_forecast


def test_price_picture_draws_actual_predicted_and_the_band(forecasts):
    picture = price_forecast(forecasts, ticker="XYZ", model="lstm", currency="USD")
    own = forecasts[forecasts["model"] == "lstm"]
    whole, zoom = picture.figure.axes
    for axes, part in ((whole, own), (zoom, own.tail(60))):
        drawn = lines(axes)
        assert np.array_equal(data(drawn["actual"]), part["actual"])
        assert np.array_equal(data(drawn["predicted"]), part["predicted"])
        (band,) = [patch for patch in axes.collections if patch.get_label() == "80 % band"]
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(part["p10"].min())
        assert heights.max() == pytest.approx(part["p90"].max())
    assert "adjusted close [USD]" in texts(picture.figure)


def test_price_picture_marks_the_last_close_in_the_zoom_only(forecasts):
    whole, zoom = price_forecast(forecasts, ticker="XYZ", model="lstm").figure.axes
    assert "last close" not in lines(whole)
    naive = forecasts[forecasts["model"] == "last_close"].tail(60)
    assert np.array_equal(data(lines(zoom)["last close"]), naive["predicted"])


def test_price_picture_states_the_coverage_it_counted(forecasts):
    own = forecasts[forecasts["model"] == "lstm"]
    inside = ((own["actual"] >= own["p10"]) & (own["actual"] <= own["p90"])).mean()
    picture = price_forecast(forecasts, ticker="XYZ", model="lstm")
    words = f"XYZ, one session ahead: the 80 % band held {100 * inside:.1f} % of 100 closes"
    assert picture.title == words
    assert words in texts(picture.figure)


def test_price_picture_shows_the_step_asked_for(forecasts_for):
    frame = forecasts_for(horizon=5, origins=40)
    picture = price_forecast(frame, ticker="XYZ", model="lstm", step=5)
    own = frame[(frame["model"] == "lstm") & (frame["step"] == 5)]
    assert np.array_equal(data(lines(picture.figure.axes[0])["predicted"]), own["predicted"])
    assert "5 sessions ahead" in picture.title


def test_the_headings_of_a_long_horizon_stay_within_the_picture(forecasts_for):
    frame = forecasts_for(horizon=20, origins=90)
    picture = price_forecast(frame, ticker="XYZ", model="lstm", step=20, late=True)
    assert outside(picture.figure) == []


def test_persistence_is_marked_where_the_lag_test_found_it(forecasts):
    plain = texts(price_forecast(forecasts, ticker="XYZ", model="lstm").figure)
    marked = texts(price_forecast(forecasts, ticker="XYZ", model="lstm", late=True).figure)
    assert "persistence" not in plain
    assert "persistence" in marked
    assert "1 session late" in marked


@pytest.mark.parametrize(("ratio", "scale"), [(4.0, "linear"), (6.0, "log")])
def test_a_price_that_multiplied_gets_a_logarithmic_axis(ratio, scale):
    sessions = pd.bdate_range("2020-01-01", periods=80)
    close = np.geomspace(10, 10 * ratio, 80)
    frame = pd.DataFrame(
        {"origin": sessions, "session": sessions, "step": 1, "model": "lstm", "predicted": close}
    ).assign(actual=close)
    whole, _ = price_forecast(frame, ticker="XYZ", model="lstm").figure.axes
    assert whole.get_yscale() == scale


# --- returns


def test_scatter_shows_log_returns_on_one_scale_and_stretched(forecasts, bars):
    same, stretched = return_scatter(forecasts, bars, ticker="XYZ", model="lstm").figure.axes
    own = forecasts[forecasts["model"] == "lstm"]
    close = bars["close"].loc[own["origin"]].to_numpy()
    points = np.column_stack(
        [100 * np.log(own["predicted"] / close), 100 * np.log(own["actual"] / close)]
    )
    for axes in (same, stretched):
        (cloud,) = [dots for dots in axes.collections if dots.get_label() == "one forecast"]
        assert np.allclose(cloud.get_offsets(), points)
        assert axes.get_xlabel() == "predicted return [%, log]"
        x, y = lines(axes)["identity"].get_data()
        assert np.array_equal(x, y)
    assert same.get_xlim() == same.get_ylim()
    assert stretched.get_ylim() == same.get_ylim()
    assert stretched.get_xlim()[1] < same.get_xlim()[1]


def test_scatter_fits_the_slope_that_the_points_have(bars):
    origins = bars.index[200:260]
    close = bars["close"].loc[origins].to_numpy()
    said = np.linspace(-0.01, 0.02, 60)
    frame = pd.DataFrame(
        {"origin": origins, "session": origins, "step": 1, "model": "lstm"}
    ).assign(predicted=close * np.exp(said), actual=close * np.exp(0.5 * said + 0.001))
    picture = return_scatter(frame, bars, ticker="XYZ", model="lstm")
    x, y = lines(picture.figure.axes[1])["fitted"].get_data()
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(0.5)
    assert picture.title == "XYZ: predicted and actual returns correlate at 1.00, more than chance"


@pytest.mark.parametrize(
    ("rows", "slope", "words"),
    [
        (60, -0.5, "at −1.00, more than chance, the wrong way round"),
        (9, 0.5, "at 1.00, too few to tell from chance"),
        (60, None, "no more than chance"),
    ],
)
def test_a_correlation_is_more_than_chance_only_where_a_test_says_so(bars, rows, slope, words):
    origins = bars.index[200 : 200 + rows]
    close = bars["close"].loc[origins].to_numpy()
    said = np.random.default_rng(3).normal(0, 0.01, rows)
    if slope is None:
        # One wild session, large forecast and large return, makes a correlation of 0.4 alone.
        came = np.random.default_rng(5).normal(0, 0.01, rows)
        said[30], came[30] = 0.05, 0.06
        assert np.corrcoef(said, came)[0, 1] > 1.96 / np.sqrt(rows)
    else:
        came = slope * said
    frame = pd.DataFrame(
        {"origin": origins, "session": origins, "step": 1, "model": "lstm"}
    ).assign(predicted=close * np.exp(said), actual=close * np.exp(came))
    assert return_scatter(frame, bars, ticker="XYZ", model="lstm").title.endswith(words)


def test_a_constant_forecast_has_no_correlation(forecasts, bars):
    flat = forecasts[forecasts["model"] == "last_close"]
    picture = return_scatter(flat, bars, ticker="XYZ", model="last_close")
    assert "fitted" not in lines(picture.figure.axes[1])
    assert picture.title == "XYZ: too few different returns to correlate"


def test_lag_picture_draws_every_correlation():
    rows = [{"lag": lag, "line": lag / 10, "forecast": 0.0} for lag in range(-5, 6)]
    picture = lag_plot(rows, ticker="XYZ", model="lstm", late=True, origins=100, text="So it is.")
    left, _ = picture.figure.axes
    (bars_drawn,) = [part for part in left.collections if part.get_label() == "line"]
    tips = [segment[1][1] for segment in bars_drawn.get_segments()]
    assert tips == pytest.approx([lag / 10 for lag in range(-5, 6)])
    assert picture.title == "XYZ: this is persistence, the line follows the price 1 session late"
    assert picture.finding == "So it is."


def test_lag_picture_clears_no_network_where_there_was_no_test():
    untested = [{"lag": lag, "line": None, "forecast": None} for lag in range(-5, 6)]
    tested = [row | {"line": 0.1, "forecast": 0.1} for row in untested]
    none, clear = (
        lag_plot(rows, ticker="XYZ", model="lstm", late=False, origins=29)
        for rows in (untested, tested)
    )
    assert none.title == "XYZ: no lag test, too few outcomes or prices that stand still"
    assert none.title in none.alt
    assert clear.title == "XYZ: no sign that the line merely follows the price"


def test_lag_picture_of_a_line_near_the_last_close_that_adds_to_it():
    rows = [{"lag": lag, "line": float(lag == 1), "forecast": 0.0} for lag in range(-5, 6)]
    title = lag_plot(rows, ticker="XYZ", model="lstm", late=False, origins=100).title
    assert title == "XYZ: the line stays near the last close, but what it adds is significant"


@pytest.mark.parametrize("step", [1, 2, 5, 20])
@pytest.mark.parametrize("height", [-0.09, 1.0])
def test_the_words_beside_the_lags_stay_within_their_panel(step, height):
    widest = max(step, 5)
    rows = [
        {"lag": lag, "line": height * (lag == step), "forecast": height * (lag == step)}
        for lag in range(-widest, widest + 1)
    ]
    picture = lag_plot(rows, ticker="XYZ", model="lstm", step=step, late=True, origins=400)
    for axes in picture.figure.axes:
        ends = [text.get_window_extent().x1 for text in axes.texts]
        assert max(ends) <= axes.get_window_extent().x1


def test_the_slope_stands_where_no_point_is(bars):
    origins = bars.index[200:260]
    close = bars["close"].loc[origins].to_numpy()
    said = np.linspace(-0.01, 0.02, 60)
    came = np.linspace(-0.05, 0.05, 60)
    for sign in (1, -1):
        frame = pd.DataFrame(
            {"origin": origins, "session": origins, "step": 1, "model": "lstm"}
        ).assign(predicted=close * np.exp(said), actual=close * np.exp(sign * came))
        figure = return_scatter(frame, bars, ticker="XYZ", model="lstm").figure
        figure.draw_without_rendering()
        axes = figure.axes[1]
        (words,) = axes.get_legend().get_texts()
        points = axes.transData.transform(np.column_stack([100 * said, 100 * sign * came]))
        assert "fitted slope" in words.get_text()
        assert not words.get_window_extent().count_contains(points)


# --- calibration


def test_coverage_picture_draws_rolling_coverage_pit_and_bands(forecasts):
    picture = coverage_plot(forecasts, ticker="XYZ", model="lstm")
    rolling, pit, bands = picture.figure.axes
    own = forecasts[forecasts["model"] == "lstm"]
    inside = (own["actual"] >= own["p10"]) & (own["actual"] <= own["p90"])
    drawn = data(lines(rolling)["rolling coverage"])
    assert np.allclose(drawn[59:], 100 * inside.rolling(60).mean().to_numpy()[59:])
    assert set(lines(rolling)["target"].get_ydata()) == {80.0}
    heights = [bar.get_height() * bar.get_width() for bar in pit.patches]
    assert len(heights) == 8
    assert sum(heights) == pytest.approx(1.0)
    below = (own["actual"] <= own["p05"]).mean()
    assert heights[0] == pytest.approx(below)
    assert len(bands.get_yticks()) == 3


def test_coverage_picture_says_when_the_band_is_too_narrow(forecasts):
    narrow = forecasts.copy()
    narrow["p10"] = narrow["p90"] = narrow["predicted"]
    picture = coverage_plot(narrow, ticker="XYZ", model="lstm")
    assert "held 0.0 % of closes" in picture.title
    assert "too narrow in 100 % of the windows" in texts(picture.figure)


@pytest.mark.parametrize("step", [1, 20])
def test_what_chance_does_to_each_bin_allows_for_overlap(forecasts_for, step):
    frame = forecasts_for(horizon=step, origins=100)
    pit = coverage_plot(frame, ticker="XYZ", model="lstm", step=step).figure.axes[1]
    (chance,) = [drawn for drawn in pit.collections if drawn.get_label() == "by chance"]
    highest = np.array(chance.get_segments())[:, 1, 1]
    # Of the bin from p25 to p50, a quarter of the outcomes.
    assert highest[3] - 1 == pytest.approx(
        1.96 * np.sqrt(0.25 * 0.75 * (step + 1) / 2 / 100) / 0.25
    )
    assert pit.get_ylim()[1] > highest.max()


def test_no_quantiles_no_coverage_picture(forecasts):
    assert coverage_plot(forecasts.assign(p10=np.nan), ticker="XYZ", model="lstm") is None


# --- training


def test_training_picture_draws_both_losses_and_marks_the_kept_epoch(history):
    picture = training_curve(history, ticker="XYZ", model="lstm")
    loss, rate = picture.figure.axes
    drawn = lines(loss)
    assert list(drawn["training"].get_ydata()) == history["loss"]
    assert list(drawn["validation"].get_ydata()) == history["val_loss"]
    assert drawn["kept epoch"].get_xydata().tolist() == [[2.0, 0.6]]
    assert loss.get_ylabel().startswith("loss")
    assert rate.get_xlabel() == "epoch"
    assert picture.title == "XYZ: the weights of epoch 2 of 4 were kept"


@pytest.mark.parametrize(
    "validation",
    [[0.1, 0.2, 0.9, 0.3, 0.3, 0.3, 0.4, 0.4], [0.5, 0.2, 0.1, 0.3, 0.4, 0.9, 0.9, 0.9]],
)
def test_the_words_about_the_kept_epoch_lie_on_no_line(validation):
    kept = validation.index(min(validation)) + 1
    history = {"loss": sorted(validation)[::-1], "val_loss": validation, "kept_epoch": kept}
    figure = training_curve(history, ticker="XYZ", model="lstm").figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    (words,) = axes.get_legend().get_texts()
    assert words.get_text() == f"epoch {kept} kept\nvalidation loss 0.1000"
    for line in axes.get_lines():
        path = line.get_transform().transform_path(line.get_path())
        assert not path.intersects_bbox(words.get_window_extent(), filled=False)


def test_a_constant_learning_rate_takes_no_panel(history):
    picture = training_curve(history | {"learning_rate": [0.003] * 4}, ticker="X", model="lstm")
    assert len(picture.figure.axes) == 1


# --- charts


def test_indicator_picture_draws_the_indicators_of_the_features(bars):
    picture = indicator_chart(bars, ticker="XYZ", currency="USD")
    price, strength, volume = picture.figure.axes
    drawn, shown = lines(price), bars.index[-250:]
    assert np.array_equal(data(drawn["close"]), bars["close"].loc[shown])
    for label, period in (("SMA 20", 20), ("SMA 50", 50)):
        assert np.array_equal(data(drawn[label]), sma(bars["close"], period=period).loc[shown])
    (band,) = [part for part in price.collections if part.get_label().startswith("Bollinger")]
    expected = bollinger(bars["close"]).loc[shown]
    assert band.get_paths()[0].vertices[:, 1].max() == pytest.approx(expected["upper"].max())
    assert np.array_equal(data(lines(strength)["RSI 14"]), rsi(bars["close"]).loc[shown])
    assert sum(len(part.get_segments()) for part in volume.collections) == 250
    assert [axes.get_ylabel() for axes in picture.figure.axes] == [
        "price [USD]",
        "RSI 14",
        "volume",
    ]


@pytest.mark.parametrize(("close", "text"), [(50.0, "50.00"), (1.1, "1.100")])
def test_the_title_says_that_the_close_is_the_adjusted_one(bars, close, text):
    waves = 1 + 0.005 * np.sin(np.arange(len(bars)))
    picture = indicator_chart(bars.assign(close=close * waves / waves[-1]), ticker="XYZ")
    assert picture.title.startswith("XYZ’s adjusted close on ")
    assert f": {text}, " in picture.title


def test_a_short_history_has_the_indicators_that_it_allows(bars):
    price, *_ = indicator_chart(bars.head(30), ticker="XYZ").figure.axes
    assert np.isnan(data(lines(price)["SMA 50"])).all()
    assert np.isfinite(data(lines(price)["SMA 20"])).sum() == 11


def test_history_picture_marks_each_finding_in_its_row(bars):
    findings = [
        {"severity": "warn", "kind": "jump", "sessions": ["2012-03-01", "2012-03-02"]},
        {"severity": "repair", "kind": "rounding", "sessions": ["2012-05-01"]},
    ]
    split = {"test": {"first": "2012-12-03", "last": "2013-02-01"}}
    picture = history_strip(bars, findings, split, ticker="XYZ")
    top, strip = picture.figure.axes
    rows = [line.get_ydata().tolist() for line in strip.get_lines()]
    assert rows == [[0, 0], [1]]
    assert picture.title == "XYZ: 300 sessions, 3 of them with a finding"
    assert "test" in [text.get_text() for text in top.texts]


def test_history_picture_counts_the_sessions_it_draws_and_missing_ones_apart(bars):
    def title(*listed, shown=bars):
        findings = [{"severity": "warn", "kind": "made up", "sessions": days} for days in listed]
        return history_strip(shown, findings, {}, ticker="XYZ").title

    days = [str(session.date()) for session in bars.index]
    assert title() == "XYZ: 300 sessions, nothing to report about them"
    # One for the whole history, one before the bars.
    assert title([]) == "XYZ: 300 sessions, no finding names one of them"
    assert (
        title(days[:50], shown=bars.iloc[100:]) == "XYZ: 200 sessions, no finding names one of them"
    )
    assert title(days[5:9], days[7:10]) == "XYZ: 300 sessions, 5 of them with a finding"
    gap = bars.drop(bars.index[50:53])
    assert title(days[:2], days[50:53], shown=gap) == (
        "XYZ: 297 sessions, 2 of them with a finding and 3 more missing"
    )
    assert title(days[50:53], shown=gap) == (
        "XYZ: 297 sessions, no finding names one of them; 3 more missing"
    )
    # A list of so many may have been cut.
    assert title(days[:250]) == "XYZ: 300 sessions, at least 250 of them with a finding"
    assert title(days[:249]) == "XYZ: 300 sessions, 249 of them with a finding"


def test_history_picture_marks_only_sessions_among_the_drawn(bars):
    days = [str(session.date()) for session in bars.index]
    findings = [{"severity": "warn", "kind": "zero_volume", "sessions": days[:250]}]
    picture = history_strip(bars.iloc[200:], findings, {}, ticker="XYZ")
    (marks,) = picture.figure.axes[1].get_lines()
    assert len(marks.get_xdata()) == 50
    assert "at least 50 of them" in picture.title
    assert "the first 250 of a kind" in picture.reading


# --- fan


def coming(past, horizon):
    last = past.index[-1]
    close = past.iloc[-1]
    return [
        {
            "step": step,
            "session": str((last + pd.tseries.offsets.BDay(step)).date()),
            "predicted": close * (1 + 0.001 * step),
            **{
                name: close * np.exp(z * 0.02 * np.sqrt(step))
                for name, z in (
                    ("p05", -1.6), ("p10", -1.3), ("p25", -0.7), ("p50", 0.0), ("p75", 0.7),
                    ("p90", 1.3), ("p95", 1.6),
                )
            },
            "probability_up": 0.5,
        }
        for step in range(1, horizon + 1)
    ]  # fmt: skip


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_fan_opens_from_the_last_close(bars, horizon):
    past = bars["close"]
    steps = coming(past, horizon)
    (axes,) = fan_chart(past, steps, ticker="XYZ", model="lstm", currency="USD").figure.axes
    drawn = lines(axes)
    assert data(drawn["predicted"]).tolist() == [
        past.iloc[-1],
        *(step["predicted"] for step in steps),
    ]
    assert data(drawn["close"])[-1] == past.iloc[-1]
    fans = [part for part in axes.collections if "of outcomes" in part.get_label()]
    assert [fan.get_label()[:2] for fan in fans] == ["90", "80", "50"]
    outer = fans[0].get_paths()[0].vertices[:, 1]
    assert outer.min() == pytest.approx(steps[-1]["p05"])
    assert outer.max() == pytest.approx(steps[-1]["p95"])
    assert axes.get_ylabel() == "price in today’s money [USD]"


def test_a_fan_of_small_prices_tells_them_apart(bars):
    past = 1.1 * bars["close"] / bars["close"].iloc[-1]
    steps = [
        step | {name: 1.1 + (step[name] - 1.1) / 8 for name in ("predicted", "p10", "p90")}
        for step in coming(past, 5)
    ]
    picture = fan_chart(past, steps, ticker="EURUSD=X", model="lstm")
    assert "four times in five 1.0922 to 1.1082" in picture.title


def test_a_fan_of_one_session_takes_a_quarter_of_the_width_and_says_so(bars):
    picture = fan_chart(bars["close"], coming(bars["close"], 1), ticker="XYZ", model="lstm")
    (axes,) = picture.figure.axes
    left, right = axes.get_xlim()
    assert right / (right - left) > 0.25
    assert "wider" in texts(picture.figure)


def test_draw_fan_writes_a_picture_of_the_full_size(bars, tmp_path):
    path = draw_fan(
        tmp_path / "fan.png", bars["close"], coming(bars["close"], 5), ticker="XYZ", model="lstm"
    )
    with Image.open(path) as image:
        assert image.size == (1600, 900)
    assert list(tmp_path.iterdir()) == [path]


# --- every picture


def luminance(colour):
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("role", ["ink", "muted", "blue", "orange", "green", "purple"])
def test_text_has_the_contrast_that_wcag_asks_for(role, theme):
    one, other = sorted(luminance(PALETTE[name][theme]) for name in (role, "paper"))
    assert (other + 0.05) / (one + 0.05) >= 4.5


def test_svg_takes_its_colours_from_the_page_and_stands_beside_others(forecasts):
    svg = price_forecast(forecasts, ticker="XYZ", model="lstm").svg()
    ElementTree.fromstring(svg)
    assert "var(--blue)" in svg
    assert not re.findall(r"#[0-9a-f]{6}\b", svg)
    assert "http" not in svg
    assert "<style" not in svg
    ids = re.findall(r' id="([^"]+)"', svg)
    assert all(name.startswith("price_forecast-") for name in ids)
    assert set(re.findall(r"url\(#([^)]+)\)|href=\"#([^\"]+)", svg)) <= {
        pair for name in ids for pair in ((name, ""), ("", name))
    }


def test_svg_text_is_escaped_and_never_a_formula(forecasts):
    evil = "$\\frac{1}{0}$<script>"
    picture = price_forecast(forecasts, ticker=evil, model="lstm")
    svg = picture.svg()
    assert "<script" not in svg
    words = [element.text for element in ElementTree.fromstring(svg).iter() if element.text]
    assert any(evil in text for text in words)


def test_svg_numbers_in_text_are_not_rounded(forecasts):
    tiny = forecasts.copy()
    prices = ["predicted", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "actual"]
    tiny[prices] = tiny[prices] / 1e3
    svg = price_forecast(tiny, ticker="XYZ", model="lstm").svg()
    assert re.search(r">0\.0\d{2,}<", svg)


def test_png_and_svg_are_the_same_in_whichever_order_they_are_drawn(forecasts):
    one, other = (price_forecast(forecasts, ticker="XYZ", model="lstm") for _ in range(2))
    png, svg = one.png(), other.svg()
    assert (one.svg(), other.png()) == (svg, png)


def test_png_is_a_slide_of_modest_size_with_its_finding_inside(forecasts):
    picture = price_forecast(forecasts, ticker="XYZ", model="lstm")
    content = picture.png()
    image = Image.open(io.BytesIO(content))
    assert image.size == (1600, 900)
    assert len(content) < 150_000
    assert image.text["Title"] == picture.title
    assert image.convert("RGB").getpixel((5, 5)) == (255, 255, 255)


def test_drawing_in_threads_gives_the_same_pictures(forecasts, history):
    def draw():
        return (
            price_forecast(forecasts, ticker="XYZ", model="lstm").svg(),
            training_curve(history, ticker="XYZ", model="lstm").svg(),
        )

    alone, together = draw(), [None] * 4

    def work(place):
        together[place] = draw()

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(pair == alone for pair in together)


def test_drawing_leaves_matplotlib_as_it_was(forecasts):
    before = dict(mpl.rcParams)
    price_forecast(forecasts, ticker="XYZ", model="lstm").svg()
    assert dict(mpl.rcParams) == before


def test_labels_at_line_ends_never_overlap():
    figure = new_figure("title", "subtitle")
    axes = figure.add_axes((0.1, 0.1, 0.7, 0.7))
    axes.set_ylim(0, 100)
    heights = [50, 50.1, 50.2, 0, 0.1, 100]
    label_ends(axes, [(y, str(y), "#000000") for y in heights] + [(np.nan, "none", "#000000")])
    placed = sorted(text.get_position()[1] for text in axes.texts)
    gap = 15 * figure.dpi / 72 / axes.get_window_extent().height
    assert len(placed) == len(heights)
    assert min(np.diff(placed)) > 0.95 * gap

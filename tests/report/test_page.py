import re
from html.parser import HTMLParser

import numpy as np
import pytest

from forecast.evaluation.scores import as_rows, score_table
from forecast.evaluation.verdict import verdict
from forecast.report.run_page import draw_pictures, render_run, write_report

EVIL = "<script>alert(1)</script><img src=http://evil.example/x onerror=y()> & $\\frac{1}{0}$"
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "use", "rect"}


class Page(HTMLParser):
    """The page's elements as `(tag, attributes)`, its text, and whether its tags balance."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.words, self.unbalanced = [], [], [], []
        self.feed(text)
        self.close()
        self.words = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "link", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.unbalanced.append(tag)

    def handle_data(self, data):
        if not self.open or self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def document(forecasts):
    table = score_table(forecasts)
    return {
        "ticker": "XYZ",
        "run": "20261121T101500Z-3f2a",
        "source": "sample",
        "network": "lstm",
        "target": "return",
        "lookback": 60,
        "horizon": 1,
        "currency": "USD",
        "split": {
            "train": {"first": "2012-01-02", "last": "2012-07-02", "origins": 130},
            "validation": {"first": "2012-07-04", "last": "2012-09-03", "origins": 40},
            "test": {"first": "2012-10-05", "last": "2013-02-21", "origins": 100},
        },
        "scores": as_rows(table),
        "verdict": verdict(table, model="lstm").as_document(),
        "seconds": {"fit": 3.21, "total": 9.87},
        "model": "models/XYZ/20261121T101500Z-3f2a",
        "settings": {"units": [64, 64], "learning_rate": 0.003, "features": None},
        "findings": [
            {"severity": "warn", "kind": "jump", "sessions": ["2012-03-01"], "did": "kept"}
        ],
        "notice": "Yahoo could not be reached: these are the sample's bars.",
        "command": "forecast train XYZ --source=sample",
        "versions": {"keras": "3.15.1"},
        "snapshot": "20261121T101412Z",
        "lag": {
            "persistence": True,
            "text": "This is persistence.",
            "correlations": [
                {"lag": lag, "line": float(lag == 1), "forecast": 0.0} for lag in range(-5, 6)
            ],
        },
        "by_year": [{"year": 2012, "model": "lstm", "step": 1, "origins": 60, "coverage_80": 0.8}],
    }


@pytest.fixture(scope="module")
def written(tmp_path_factory, document, forecasts, bars):
    folder = tmp_path_factory.mktemp("report")
    history = {"loss": [0.5, 0.4], "val_loss": [0.5, 0.45], "kept_epoch": 2}
    paths = write_report(folder, document=document, forecasts=forecasts, bars=bars, history=history)
    return folder, paths, (folder / "index.html").read_text()


def test_the_report_is_its_pictures_and_one_page(written):
    folder, paths, _ = written
    assert [path.name for path in paths] == [
        "price_forecast.png",
        "return_scatter.png",
        "lag.png",
        "coverage.png",
        "training_curve.png",
        "indicator_chart.png",
        "history.png",
        "index.html",
    ]
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in paths)


def test_the_page_is_well_formed_and_self_contained(written):
    text = written[2]
    page = Page(text)
    assert not page.unbalanced
    assert not page.open
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")
    assert "http" not in text
    addresses = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in {"src", "href", "xlink:href", "action", "poster"}
    ]
    assert all(value.startswith("#") or value == "data:," for value in addresses)
    assert "@import" not in text
    assert re.findall(r"url\((?!#)", text) == []


def test_every_link_and_reference_on_the_page_leads_somewhere(written):
    page = Page(written[2])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("href", "aria-labelledby"):
            target = attributes.get(name, "").removeprefix("#")
            assert target in {"", "data:,", *ids}
    assert set(re.findall(r"url\(#([^)]+)\)", written[2])) <= set(ids)


def test_every_picture_has_a_text_that_states_its_finding(written):
    drawings = Page(written[2]).all("svg")
    assert len(drawings) == 7
    assert all(drawing["role"] == "img" for drawing in drawings)
    assert all(len(drawing["aria-label"]) > 40 for drawing in drawings)


def test_tables_have_captions_and_scopes(written):
    page = Page(written[2])
    assert len(page.all("caption")) == len(page.all("table")) >= 4
    assert all(cell.get("scope") in {"col", "row", "rowgroup"} for cell in page.all("th"))


def test_regions_that_scroll_can_be_reached_with_the_keyboard(written):
    regions = [one for one in Page(written[2]).all("div") if one.get("class") == "scroll"]
    assert regions
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in regions)


def test_the_page_says_what_came_of_it(written, document):
    words = Page(written[2]).words
    assert document["verdict"]["text"] in words.replace("\u00a0", " ")
    assert "Price: ties with last close" in words
    assert "Yahoo could not be reached" in words
    assert "forecast train XYZ --source=sample" in words
    assert "not investment advice" in words
    assert (
        "100 forecasts, made from 5 Oct 2012 to 21 Feb 2013, whose outcomes the network never saw"
        in words
    )
    for model in ("lstm", "last_close", "ewma"):
        assert model in words


def test_the_network_row_shows_the_scores_of_the_document(document):
    own = next(row for row in document["scores"] if row["model"] == "lstm")
    text = render_run(document, [])
    row = re.search(r'<tr class="own">(.*?)</tr>', text, re.DOTALL)[1]
    cells = [re.sub(r"<[^>]+>", " ", cell).split() for cell in re.findall(r"<td.*?</td>", row)]
    assert float(cells[0][0]) == pytest.approx(own["mse_price"], rel=1e-3)
    assert float(cells[2][0]) == pytest.approx(own["mae_price"], rel=1e-3)
    assert float(cells[-1][0]) == pytest.approx(own["dm_p_mse"], abs=0.005)


@pytest.mark.parametrize(
    ("outcome", "symbol", "words"),
    [("beats", "▲", "beats last close"), ("ties", "●", "ties with last close"),
     ("loses", "▼", "loses to last close")],
)  # fmt: skip
def test_the_verdict_is_shown_in_words_symbol_and_colour(document, outcome, symbol, words):
    text = render_run({**document, "verdict": {"price": outcome, "text": "So."}}, [])
    badge = re.search(r'<li class="badge (\w+)">(.*?)</li>', text)
    assert badge[1] == {"beats": "up", "ties": "even", "loses": "down"}[outcome]
    assert symbol in badge[2]
    assert words in badge[2]


@pytest.mark.parametrize(
    ("skill", "p", "mark"), [(0.05, 0.01, "▲"), (-0.05, 0.01, "▼"), (0.05, 0.2, "●")]
)
def test_only_a_significant_skill_is_marked_as_such(skill, p, mark):
    scores = [{"model": "lstm", "step": 1, "mse_price": 1.0, "skill_mse": skill, "dm_p_mse": p}]
    text = render_run({"ticker": "X", "network": "lstm", "scores": scores}, [])
    cell = re.search(r"<td[^>]*>([▲▼●]) [+−]5\.00", text)
    assert cell[1] == mark


def test_who_errs_where_the_reference_never_does_is_marked_as_the_verdict_says():
    scores = [{"model": "lstm", "step": 1, "mse_price": 1.0, "skill_mse": None, "dm_p_mse": 0.01}]
    text = render_run({"ticker": "X", "network": "lstm", "scores": scores}, [])
    assert re.search(r'<td class="down">▼ –\s*</td>\s*<td>0\.010', text)


def test_both_themes_and_print_are_styled(written):
    text = written[2]
    assert "@media screen and (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    themes = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    light, dark = (re.findall(r"--([\w-]+):", theme) for theme in themes)
    assert set(light) == set(dark)
    used = set(re.findall(r"var\(--([\w-]+)\)", text))
    assert used <= set(light)


def test_text_from_outside_stays_text(document, forecasts, bars, history):
    own = {**document, "ticker": EVIL, "notice": EVIL, "command": EVIL, "run": EVIL, "source": EVIL}
    own |= {"settings": {EVIL: EVIL}, "versions": {EVIL: EVIL}, "currency": EVIL, "snapshot": EVIL}
    own |= {"findings": [{"severity": EVIL, "kind": EVIL, "sessions": [EVIL], "did": EVIL}]}
    own |= {"verdict": {"price": EVIL, "text": EVIL}, "lag": {**document["lag"], "text": EVIL}}
    own |= {"network": EVIL, "model": EVIL, "seconds": {EVIL: EVIL}, "audit": EVIL}
    named = forecasts.assign(model=forecasts["model"].replace("lstm", EVIL))
    page = Page(render_run(own, draw_pictures(own, named, bars, history)))
    assert not page.all("script")
    assert not page.all("img")
    assert not page.unbalanced
    assert EVIL in page.words


def test_a_document_of_nulls_still_makes_a_page(forecasts, bars, document):
    empty = {**dict.fromkeys(document), "ticker": "XYZ", "network": "lstm"}
    empty["scores"] = [dict.fromkeys(document["scores"][0]) | {"model": "lstm", "step": 1}]
    blank = forecasts.astype(object)
    prices = ["predicted", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "actual"]
    blank[prices] = None
    history = {"loss": [None, np.nan], "val_loss": [None, None], "kept_epoch": None}
    page = Page(render_run(empty, draw_pictures(empty, blank, bars, history)))
    assert not page.unbalanced
    assert " nan" not in page.words.lower()
    assert " none" not in page.words.lower()


def test_sections_without_their_key_are_left_out(document):
    page = Page(render_run({"ticker": "X", "network": "lstm"}, []))
    headings = page.words
    for absent in ("Scores beside", "Pictures", "Findings about", "By year"):
        assert absent not in headings
    assert "Limits" in headings


def test_extra_sections_are_shown_when_their_key_is_there(document):
    own = {**document, "calibration": {"logs": [0.1]}}
    assert "Calibration" not in Page(render_run(own, [])).words
    own = {**document, "audit": {"text": "Nothing leaks.", "rows": [{"what": "rsi", "same": True}]}}
    page = Page(render_run(own, []))
    assert "Nothing leaks." in page.words
    assert "rsi yes" in page.words
    assert "What Same" in page.words
    assert "By year: lstm" in page.words


def test_calibration_names_its_quantiles_and_counts_in_percent(document):
    bins = [{"above": 0.1, "upto": 0.25, "expected": 0.15, "observed": 0.1401}]
    words = Page(render_run({**document, "calibration": {"rows": bins}}, [])).words
    assert "Between quantiles Expected % Observed % 10 – 25 % 15.0 14.0" in words


def test_words_begin_on_the_left_under_a_heading_that_does_too(document):
    rows = [{"fold": 1, "detail": "all the same", "origins": 3, "days": 5}]
    text = render_run({**document, "audit": rows}, [])
    assert '<th scope="col">Fold</th>' in text
    assert '<th scope="col" class="said">Detail</th>' in text
    assert '<td class="said">all the same</td>' in text
    assert '<th scope="col">Days</th>' in text
    assert "<td>5.000</td>" in text


@pytest.mark.parametrize("scale", [1e-6, 1e4])
def test_very_small_and_very_large_prices(document, forecasts, bars, history, scale):
    prices = ["predicted", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "actual"]
    scaled = forecasts.assign(**{name: forecasts[name] * scale for name in prices})
    moved = bars.assign(**{n: bars[n] * scale for n in ("open", "high", "low", "close")})
    drawn = draw_pictures(document, scaled, moved, history)
    assert len(drawn) == 7
    assert "e+" not in render_run(document, drawn)


def test_one_origin_and_one_bar(document, forecasts, bars):
    one = forecasts[forecasts["origin"] == forecasts["origin"].max()]
    drawn = draw_pictures(
        document, one, bars.tail(1), {"loss": [0.5], "val_loss": [0.5], "kept_epoch": 1}
    )
    assert [picture.png()[:4] for picture in drawn] == [b"\x89PNG"] * len(drawn)


def test_a_price_that_never_moves(document, forecasts, bars, history):
    prices = ["predicted", "p05", "p10", "p25", "p50", "p75", "p90", "p95", "actual"]
    flat = forecasts.assign(**dict.fromkeys(prices, 5.0))
    still = bars.assign(open=5.0, high=5.0, low=5.0, close=5.0, volume=0.0)
    drawn = draw_pictures(document, flat, still, history)
    assert not Page(render_run(document, drawn)).unbalanced


def test_several_steps_show_the_last_one_and_also_the_first(document, forecasts_for, bars, history):
    frame = forecasts_for(horizon=5, origins=40)
    own = {**document, "horizon": 5, "scores": as_rows(score_table(frame))}
    drawn = draw_pictures(own, frame, bars, history)
    titles = {picture.name: picture.title for picture in drawn}
    assert "5 sessions ahead" in titles["price_forecast"]
    assert "one session ahead" in titles["price_forecast_step_1"]
    page = Page(render_run(own, drawn))
    groups = [one for one in page.all("th") if one.get("scope") == "rowgroup"]
    assert len(groups) == 2 + 2 + 5


def test_no_heading_of_a_table_parts_a_number_from_its_percent_sign(document):
    text = render_run(document, [])
    assert "In 80\u00a0% band" in text
    assert "In 80 % band" not in text


def test_the_figures_name_what_they_are_beside_as_the_verdict_does(document):
    assert "pinball loss saved against the EWMA baseline, p " in render_run(document, [])


def test_directions_are_beside_the_usual_one_not_a_coin_alone(document):
    """Where prices rise, who always says so is right more often than a coin."""
    others = [row for row in document["scores"] if row["model"] != "drift"]
    last = max(row["step"] for row in others)
    usual = [
        {**others[0], "model": "drift", "step": step, "direction_accuracy": 0.5 + 0.01 * step}
        for step in range(1, last + 1)
    ]
    assert "a coin gets 50 %" in render_run({**document, "scores": others}, [])
    text = render_run({**document, "scores": [*others, *usual]}, [])
    assert f"naming the usual one each time gets {50 + last}.0 %" in text

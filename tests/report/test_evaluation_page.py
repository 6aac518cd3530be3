"""The pages and pictures of `evaluate` and `compare`, by structure."""

import re

import numpy as np
import pandas as pd
import pytest
from test_page import Page

from forecast.evaluation.backtest import backtest
from forecast.evaluation.coverage import pit_histogram
from forecast.evaluation.lag import lag_test
from forecast.evaluation.scores import as_rows, score_table
from forecast.evaluation.verdict import verdict
from forecast.pipeline.scoring import lag_of
from forecast.report.compared import compared_models
from forecast.report.comparison_page import write_comparison
from forecast.report.comparison_text import comparison_lines
from forecast.report.equity import equity
from forecast.report.evaluation_page import write_evaluation
from forecast.report.evaluation_text import evaluation_lines
from forecast.report.skills import fold_skills

EVIL = "<script>alert(1)</script>"


def part(first, last, origins):
    return {"first": first, "last": last, "origins": origins}


@pytest.fixture(scope="module")
def traded(forecasts, bars):
    return backtest(forecasts, bars, model="lstm", trade="open", cost=5.0)


@pytest.fixture(scope="module")
def document(forecasts, traded):
    table = score_table(forecasts)
    own = as_rows(table)[0]
    shown = {key: own[key] for key in ("mse_price", "mae_price", "direction_accuracy", "pinball")}
    seeds = [
        {"seed": 7, **shown, "coverage_80": 0.8, "skill_mse": -0.01, "skill_pinball": 0.02},
        {"seed": 8, **shown, "coverage_80": 0.7, "skill_mse": None, "skill_pinball": 0.01},
    ]
    folds = [
        {
            "fold": number,
            **part(first, last, 50),
            "train": part("2012-01-02", "2012-05-02", 80),
            "validation": part("2012-05-04", "2012-09-03", 40),
            **shown,
            "coverage_80": 0.8,
            "skill_mse": -0.0123,
            "skill_pinball": 0.0345 if number == 1 else None,
            "seeds": seeds,
        }
        for number, first, last in (
            (1, "2012-10-05", "2012-12-13"),
            (2, "2012-12-14", "2013-02-21"),
        )
    ]
    return {
        "ticker": "XYZ",
        "key": "0123456789abcdef",
        "status": "evaluated",
        "source": "csv",
        "network": "lstm",
        "target": "return",
        "lookback": 60,
        "horizon": 1,
        "currency": EVIL,
        "folds": folds,
        "scores": as_rows(table),
        "seeds": {
            "seeds": [7, 8],
            "rows": seeds,
            "mean": {"skill_pinball": 0.015},
            "spread": {"skill_pinball": 0.005},
            "text": "Skill of the spread: 1.50 ± 0.50 %.",
        },
        "verdict": verdict(table, model="lstm").as_document(),
        "lag": lag_of(lag_test(forecasts, model="lstm", step=1)),
        "calibration": {
            "text": "It holds.",
            "rows": as_rows(pit_histogram(forecasts, model="lstm", step=1)),
        },
        "by_year": [],
        "by_regime": [],
        "backtest": {
            "trade": "open",
            "cost": 5.0,
            "trials": traded.trials,
            "text": traded.text,
            "rows": as_rows(traded.table),
        },
        "report": "reports/XYZ/evaluate/0123456789abcdef/index.html",
        "plots": [],
        "findings": [],
        "notice": None,
        "snapshot": "20261121T101412Z",
        "settings": {"scheme": "expanding", "units": [64, 64]},
        "command": "forecast evaluate XYZ",
        "versions": {"keras": "3.15.1"},
        "seconds": {"total": 1.0},
    }


@pytest.fixture(scope="module")
def page(document, forecasts, bars, traded, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    written = write_evaluation(folder, document=document, forecasts=forecasts, paths=traded.paths)
    assert [path.name for path in written] == [
        "fold_skills.png", "equity.png", "price_forecast.png", "coverage.png", "index.html",
    ]  # fmt: skip
    return (folder / "index.html").read_text()


def labels_of(axes):
    return [text.get_text() for text in axes.texts]


def test_the_page_stands_alone_and_holds_every_section(page):
    parsed = Page(page)
    assert not parsed.unbalanced
    assert not parsed.all("script")
    assert not re.findall(r"(?:src|href)=\"(?!#|data:)", page)
    assert EVIL not in page
    assert len(parsed.all("figure")) == 4
    for words in (
        "retrained in 2 folds",
        "Tested on 100 forecasts",
        "Fold by fold",
        "Seed by seed",
        "Would trading on it have paid?",
        "Forecasts and prices",
        "forecast evaluate XYZ",
        "the best of 4 rules",
    ):
        assert words in parsed.words, words
    anchors = {attributes.get("id") for _, attributes in parsed.elements}
    links = {a["href"][1:] for a in parsed.all("a") if a["href"].startswith("#")}
    assert links <= anchors


def test_a_rule_of_the_backtest_is_a_row(page, document):
    rows = re.findall(r"<th scope=\"row\">([^<]+)</th>", page.split('id="table-trades"')[1])[:5]
    assert rows == ["sign", "sign, scaled", "long, scaled", "momentum", "buy and hold"]


def test_equity_ends_where_the_table_says(document, traded):
    picture = equity(traded.paths, document["backtest"], ticker="XYZ", model="lstm")
    top, low = picture.figure.axes
    lines = {line.get_label(): line.get_ydata() for line in top.lines}
    for row, label in (("sign", "sign"), ("buy_and_hold", "buy and hold")):
        total = traded.table.set_index("strategy").loc[row, "total_return"]
        assert lines[label][-1] == pytest.approx(1 + total)
        assert f"{label} ×{1 + total:.2f}" in labels_of(top)
    deepest = traded.table.set_index("strategy").loc["sign", "max_drawdown"]
    falls = {line.get_label(): line.get_ydata() for line in low.lines}
    assert falls["sign"].min() == pytest.approx(100 * deepest)
    assert "buy and hold" in picture.title


def test_every_fold_shows_its_skill_and_its_seeds(document):
    picture = fold_skills(
        document["folds"], document["seeds"], document["scores"][0], ticker="XYZ", model="lstm"
    )
    price, spread = picture.figure.axes
    assert [text for text in labels_of(price) if text == "−1.23"] == ["−1.23"] * 2
    # The second fold has no skill of the spread: no diamond, no number.
    assert labels_of(spread).count("+3.45") == 1
    circles = [line for line in spread.lines if line.get_marker() == "o"]
    assert [list(line.get_ydata()) for line in circles] == [[2.0, 1.0]] * 2
    assert picture.title == (
        "XYZ: the spread was better than EWMA and GARCH in 1 of 2 folds, by 1.50 ± 0.50 % over "
        "the seeds"
    )


def entrant(seconds, skills, *, parameters=1234):
    seeds = [
        {"seed": 7 + number, "skill_pinball": skill, "skill_mse": None}
        for number, skill in enumerate(skills)
    ]
    return {
        "error": None,
        "parameters": parameters,
        "seconds": seconds,
        "startup": None,
        "mean": {"skill_pinball": float(np.mean(skills))},
        "spread": {"skill_pinball": float(np.std(skills, ddof=1)) if len(skills) > 1 else None},
        "seeds": seeds,
    }


def drawn(axes):
    """Markers drawn one by one: shape, and whether it is filled with a colour of its own."""
    return [
        (line.get_marker(), line.get_markerfacecolor() == line.get_markeredgecolor())
        for line in axes.lines
        if line.get_marker() not in ("None", "") and len(line.get_xdata()) == 1
    ]


def test_models_side_by_side_with_seeds_and_seconds():
    skills = {"gru": 0.012, "lstm": 0.011, "tcn": 0.01, "ewma": 0.0, "garch": -0.01, "drift": -0.9}
    rows = [
        {"model": name, "skill_mse": None, "skill_pinball": skill, "pinball_reference": "ewma"}
        for name, skill in skills.items()
    ]
    networks = {
        "tcn": entrant(3.0, [0.01, 0.01]),
        "lstm": entrant(40.0, [0.01, 0.012], parameters=54_296),
        "gru": entrant(20.0, [0.01, 0.02, 0.3]),
    }
    picture = compared_models(
        rows,
        networks,
        ["gru", "lstm"],
        losses=["pinball", "mse"],
        ticker="XYZ",
        title="t",
        subtitle="s",
    )
    spread, _, seconds = picture.figure.axes
    assert labels_of(spread) == ["+1.20", "+1.10", "+1.00", "0.00", "−1.00", "−90.00"]
    # tcn can be told from the best; drift and a seed of gru are far off.
    assert drawn(spread) == [
        (">", False), ("D", True), ("D", True), ("D", False), ("o", True), ("o", True), ("<", True),
    ]  # fmt: skip
    circles = [line for line in spread.lines if len(line.get_xdata()) == 2 and line.get_marker()]
    assert [1.0, 2.0] in [list(line.get_xdata()) for line in circles]
    # lstm is neither better nor quicker than gru.
    assert drawn(seconds) == [("s", True), ("s", False), ("s", True)]
    assert labels_of(seconds) == ["20 s · 1k", "40 s · 54k", "3.0 s · 1k"]
    assert [label.get_text() for label in spread.get_yticklabels()] == list(skills)
    assert "gru: spread +1.20 %, price –, 20.0 s of training." in picture.alt


@pytest.mark.parametrize("seconds", [[1.3], [0.42, 0.6], [0.7, 20.0], [2.0, 9000.0]])
def test_seconds_of_any_size_can_be_drawn(seconds):
    names = [f"n{number}" for number in range(len(seconds))]
    rows = [{"model": name, "skill_mse": 0.0, "skill_pinball": 0.0} for name in names]
    networks = {name: entrant(took, [0.0]) for name, took in zip(names, seconds, strict=True)}
    picture = compared_models(
        rows, networks, names, losses=["pinball", "mse"], ticker="XYZ", title="t", subtitle="s"
    )
    axes = picture.figure.axes[2]
    assert len(axes.get_xticks()) <= 6
    assert axes.get_xlim()[0] < min(seconds) <= max(seconds) < axes.get_xlim()[1]
    assert picture.svg()


@pytest.fixture
def compared(document, forecasts):
    """A comparison of three networks, one of which failed; its forecasts."""
    twin = forecasts[forecasts["model"] == "lstm"].assign(model="gru")
    frame = pd.concat([twin, forecasts], ignore_index=True)
    shared = ("ticker", "key", "horizon", "currency", "source")
    error = {"type": "TrainingError", "message": f"diverged {EVIL}", "hint": "lower the rate"}
    return {key: document[key] for key in shared} | {
        "status": "compared",
        "scores": sorted(as_rows(score_table(frame)), key=lambda row: row["pinball"]),
        "networks": {
            "gru": entrant(2.5, [0.011, 0.013]),
            "lstm": entrant(2.5, [0.01, 0.02]),
            "tcn": {"error": error},
        },
        "split": {name: part("2012-01-02", "2012-07-02", 130) for name in ("train", "test")},
        "target": "return",
        "losses": ["pinball", "mse"],
        "seeds": [7, 8],
        "answer": f"It makes no difference. {EVIL}",
        "finding": "gru and lstm are the same",
        "best": "gru",
        "plausible": ["gru", "lstm"],
        "report": "index.html",
    }, frame


def test_the_comparison_answers_first_and_ranks(compared, tmp_path):
    document, frame = compared
    written = write_comparison(tmp_path, document=document, forecasts=frame)
    assert [path.name for path in written] == ["compared_models.png", "coverage.png", "index.html"]
    text = (tmp_path / "index.html").read_text()
    page = Page(text)
    assert not page.unbalanced
    assert not page.all("script")
    assert page.words.index("It makes no difference.") < page.words.index("The best first")
    for words in ("1,234", "+1.20 ± 0.14", "mean of 2 seeds", "TrainingError: diverged"):
        assert words in page.words, words
    ranked = re.findall(r"<th scope=\"row\">([^<]+)</th>", text.split('id="table-ranking"')[1])
    scores = document["scores"]
    assert ranked[: len(scores)] == [row["model"] for row in scores]


def test_the_terminal_gets_what_a_network_took_and_who_failed(compared):
    document, _ = compared
    lines = comparison_lines(document)
    (gru,) = [line for line in lines if "1,234" in line and line.startswith("gru")]
    assert gru.split() == ["gru", "1,234", "2.5", "s", "–", "+1.20", "±", "0.14", "%"]
    (failed,) = [line for line in lines if line.startswith("! tcn failed")]
    assert failed.endswith("Try: lower the rate")
    again = comparison_lines({**document, "status": "current"})
    assert "nothing was done again" in again[0]


def test_the_terminal_gets_every_fold_and_rule(document):
    lines = evaluation_lines(document)
    assert "nothing was done again" not in lines[0]
    assert "nothing was done again" in evaluation_lines({**document, "status": "current"})[0]
    assert sum(line.startswith(("1 ", "2 ")) for line in lines) == 2
    assert {"sign", "long_scaled", "momentum"} <= {line.split(" ")[0] for line in lines}
    assert lines[-1].endswith("index.html")
    assert max(map(len, lines[1:])) <= 110


def test_colours_follow_the_page(document, traded):
    svg = equity(traded.paths, document["backtest"], ticker="XYZ", model="lstm").svg()
    assert "var(--blue)" in svg
    assert not re.findall(r"#[0-9a-f]{6}", svg)
    assert np.isfinite(traded.paths["net"]).all()

"""The page of one network over many tickers, by structure."""

import numpy as np
import pandas as pd
import pytest
from test_page import Page

from forecast.evaluation.pooled import losses_by_day, pool, pooled_scores
from forecast.evaluation.scores import as_rows, score_table
from forecast.evaluation.verdict import verdict
from forecast.report.group_page import write_group_page
from forecast.report.group_skills import group_skills
from forecast.report.run_text import group_lines

HISTORY = {
    "loss": [0.4, 0.3],
    "val_loss": [0.5, 0.4],
    "learning_rate": [0.003, 0.003],
    "kept_epoch": 2,
}


@pytest.fixture(scope="module")
def runs(forecasts):
    made = []
    for ticker, shift in (("AAA", 0.999), ("BBB", 1.001)):
        table = score_table(forecasts.assign(predicted=forecasts["predicted"] * shift))
        made.append(
            {
                "ticker": ticker,
                "run": "20130222T000000Z-0001",
                "network": "lstm",
                "horizon": 1,
                "scores": as_rows(table),
                "verdict": verdict(table, model="lstm").as_document(),
                "settings": {"units": [8]},
                "versions": {"forecast": "0.1.0"},
            }
        )
    return made


@pytest.fixture(scope="module")
def pooled(forecasts, runs):
    days = pool(losses_by_day(forecasts.assign(ticker=run["ticker"]), step=1) for run in runs)
    scores = pooled_scores(days, model="lstm", step=1, tickers=2)
    return {
        "run": "20130222T000000Z-0001",
        "tickers": ["AAA", "BBB"],
        "network": "lstm",
        "target": "return",
        "lookback": 60,
        "horizon": 1,
        **scores.as_document(),
        "counts": {},
        "report": "reports/_together/20130222T000000Z-0001/index.html",
        "model": "models/_together/20130222T000000Z-0001",
        "command": "forecast train AAA BBB --together",
        "seconds": {"fit": 1.0, "total": 2.0},
    }


def test_the_page_leads_to_every_ticker(tmp_path, pooled, runs):
    written = write_group_page(tmp_path, document=pooled, runs=runs, history=HISTORY)
    assert [path.name for path in written] == [
        "group_skills.png",
        "training_curve.png",
        "index.html",
    ]
    text = written[-1].read_text()
    page = Page(text)
    for run in runs:
        assert f'href="../../{run["ticker"]}/{run["run"]}/index.html"' in text
    assert pooled["verdict"]["text"].split(".")[0] in " ".join(text.split())
    assert "2 tickers" in text
    assert page is not None
    # Better spreads come first.
    skills = {
        run["ticker"]: next(row for row in run["scores"] if row["model"] == "lstm")["skill_pinball"]
        for run in runs
    }
    order = sorted(skills, key=lambda ticker: -skills[ticker])
    places = [text.index(f">{ticker}</a>") for ticker in order]
    assert places == sorted(places)


def test_the_picture_marks_what_is_more_than_chance():
    rng = np.random.default_rng(1)
    rows = [
        {
            "ticker": f"T{number}",
            "skill_mse": float(value) / 10,
            "skill_pinball": float(value),
            "dm_p_mse": 0.5,
            "dm_p_pinball": 0.01 if abs(value) > 0.02 else 0.4,
        }
        for number, value in enumerate(rng.normal(0.01, 0.02, 60))
    ]
    better = sum(row["skill_pinball"] > 0.02 for row in rows)
    worse = sum(row["skill_pinball"] < -0.02 for row in rows) + 1
    rows.append({"ticker": "NONE", "skill_mse": None, "skill_pinball": None})
    # Its price stood still: there is no skill to draw, and the verdict says that it loses.
    rows.append({"ticker": "STILL", "skill_pinball": None, "dm_p_pinball": 0.001})
    whole = {"skill_mse_return": 0.001, "skill_pinball": 0.01}
    picture = group_skills(rows, whole, model="lstm", step=1)
    assert f"beats EWMA and GARCH for {better}, loses for {worse}" in picture.title
    price, spread = picture.figure.axes
    marks = [len(line.get_xdata()) for line in spread.get_lines() if line.get_marker() != "None"]
    assert sum(marks) == 60
    assert price.get_ylabel() == spread.get_ylabel() == "skill [%]"


def test_the_lines_for_a_terminal(pooled, runs):
    lines = group_lines(pooled, runs)
    assert lines[0] == "2 tickers, one lstm, one session ahead"
    assert sum(line.startswith(("AAA", "BBB")) for line in lines) == 2
    assert any(line.startswith("all together") for line in lines)
    assert lines[-1].endswith("index.html")
    assert max(len(line) for line in lines) <= 110


def test_a_run_without_pictures_keeps_its_tables(tmp_path, bars, forecasts, runs):
    from forecast.report.run_page import write_report

    written = write_report(
        tmp_path,
        document=runs[0],
        forecasts=forecasts,
        bars=bars,
        history=HISTORY,
        pictures=False,
    )
    assert [path.name for path in written] == ["index.html"]
    text = written[0].read_text()
    assert "<svg" not in text
    assert pd.Series(["Price: how near", "Spread: how well"]).map(text.__contains__).all()

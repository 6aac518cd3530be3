"""Direction and move from `train` to the page, `predict`, `audit` and what refuses them."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import simulated
from sklearn import metrics

from forecast.config import Settings, load_settings
from forecast.errors import ConfigError
from forecast.evaluation.class_forecasts import read_class_forecasts
from forecast.evaluation.class_scores import class_score_table
from forecast.evaluation.classification import CLASS_METRICS
from forecast.features.targets import CLASSES
from forecast.nightly.night import run_night
from forecast.pipeline.audit import audit
from forecast.pipeline.predict import predict
from forecast.pipeline.train import train
from forecast.registry import load_run
from forecast.report.forecast_text import forecast_lines
from forecast.report.run_text import group_lines, score_lines

TICKERS = ["AAA", "BBB"]
EVERY = pytest.mark.parametrize("target", list(CLASSES))


def settings_of(home, target, **more):
    return Settings(
        source=f"csv:{home / 'csv'}",
        target=target,
        network="simple_rnn",
        units=(4,),
        lookback=20,
        horizon=2,
        epochs=2,
        **more,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "csv").mkdir()
    for number, ticker in enumerate([*TICKERS, "NEW"]):
        bars = simulated.random_walk(600, seed=number)
        bars.to_csv(home / "csv" / f"{ticker}.csv", index_label="Date")
    return home


@pytest.fixture(scope="module")
def runs(home):
    """One ticker's run of each target; the last one is the champion."""
    return {
        target: train(["AAA"], home=home, settings=settings_of(home, target))[0]
        for target in CLASSES
    }


@EVERY
def test_every_score_can_be_recomputed_from_the_file(target, runs, home):
    document = runs[target].document
    folder = (home / document["report"]).parent
    frame = read_class_forecasts(folder / "probabilities.csv")
    again = class_score_table(frame)
    assert [row["model"] for row in document["scores"]] == list(again["model"])
    for row, other in zip(document["scores"], again.to_dict("records"), strict=True):
        for name in CLASS_METRICS:
            assert row[name] == pytest.approx(other[name], nan_ok=True)
        assert row["mse_price"] is row["pinball"] is row["skill_mse"] is None
        assert (row["direction_accuracy"] is None) == (target == "move")
    own = frame[(frame["model"] == "simple_rnn") & (frame["step"] == 2)]
    last = next(
        row for row in document["scores"] if (row["model"], row["step"]) == ("simple_rnn", 2)
    )
    assert last["accuracy"] == metrics.accuracy_score(own["actual"], own["called"])
    assert json.loads((folder / "metrics.json").read_text())["verdict"] == document["verdict"]


@EVERY
def test_what_came_is_what_the_prices_did(target, runs, home):
    folder = (home / runs[target].document["report"]).parent
    classes = read_class_forecasts(folder / "probabilities.csv")
    prices = runs[target].forecasts
    assert prices.columns.tolist()[-1] == "actual"
    own = prices["model"] == "simple_rnn"
    assert prices.loc[own, ["predicted", "p05", "p95"]].isna().all(axis=None)
    assert prices.loc[prices["model"] == "garch", "p50"].notna().all()
    bars = pd.read_csv(home / "csv" / "AAA.csv", index_col="Date", parse_dates=True)["close"]
    both = classes[classes["model"] == "simple_rnn"].reset_index(drop=True)
    close, came = bars.loc[both["origin"]].to_numpy(), prices.loc[own, "actual"].to_numpy()
    pd.testing.assert_series_equal(
        prices.loc[own, "session"].reset_index(drop=True), both["session"]
    )
    rose = came > close
    if target == "direction":
        np.testing.assert_array_equal(both["actual"] == "up", rose)
    else:
        assert rose[both["actual"] == "up"].all()
        assert not rose[both["actual"] == "down"].any()
        flat = np.abs(np.log(came / close))[both["actual"] == "flat"]
        assert flat.mean() < np.abs(np.log(came / close))[both["actual"] != "flat"].mean()


@EVERY
def test_the_page_shows_verdict_scores_confusion_and_reliability(target, runs, home):
    document = runs[target].document
    page = (home / document["report"]).read_text()
    assert document["verdict"]["text"].split(":")[0] in page
    for wanted in ("Calls: ties with", 'id="confusion"', 'id="reliability"', 'id="odds"'):
        assert wanted in page
    assert document["command"].split("--as-of")[0].strip() in page.replace("&#39;", "'")
    assert "does anything see the future?" in page.lower()
    names = [path.rsplit("/", 1)[1] for path in document["plots"]]
    assert names[:3] == ["confusion.png", "reliability.png", "odds.png"]
    assert all((home / path).stat().st_size > 10_000 for path in document["plots"])
    lines = score_lines(document)
    assert f"{target} 2 sessions ahead" in lines[0]
    assert "log loss" in lines[2]


@EVERY
def test_predict_gives_calibrated_odds_and_no_price(target, runs, home):
    run = runs[target].document["run"]
    (document,) = predict(["AAA"], home=home, settings=settings_of(home, "return"), run=run)
    for step in document["steps"]:
        assert step["predicted"] is step["p05"] is step["p95"] is None
        told = {name: step[f"probability_{name}"] for name in step["usual"]}
        assert set(told) == ({"up"} if target == "direction" else {"down", "flat", "up"})
        assert all(0 < value < 1 for value in told.values())
        if target == "move":
            assert sum(told.values()) == pytest.approx(1.0)
    assert (home / document["plot"]).stat().st_size > 5_000
    text = "\n".join(forecast_lines(document))
    assert f"{document['steps'][0]['probability_up']:.1%}" in text


@EVERY
def test_predict_continues_what_was_scored(target, runs, home, tmp_path):
    """Cut off at a test origin, the history's newest forecast is the one that was scored."""
    folder = (home / runs[target].document["report"]).parent
    frame = read_class_forecasts(folder / "probabilities.csv")
    own = frame[frame["model"] == "simple_rnn"]
    origin = own["origin"].iloc[-1]
    (tmp_path / "csv").mkdir()
    bars = pd.read_csv(home / "csv" / "AAA.csv", index_col="Date", parse_dates=True)
    bars.loc[:origin].to_csv(tmp_path / "csv" / "AAA.csv")
    (document,) = predict(
        ["AAA"],
        home=home,
        settings=Settings(source=f"csv:{tmp_path / 'csv'}", store=str(tmp_path / "store")),
        run=runs[target].document["run"],
    )
    assert document["origin"] == f"{origin:%Y-%m-%d}"
    scored = own[own["origin"] == origin]["probability_up"]
    told = [step["probability_up"] for step in document["steps"]]
    np.testing.assert_allclose(told, scored, atol=1e-5)


def test_the_champion_of_classes_is_audited(runs, home):
    (result,) = audit(["AAA"], home=home, settings=settings_of(home, "return"))
    assert result.passed
    subjects = {(check.check, check.subject) for check in result.checks}
    assert ("future", "baseline majority of move") in subjects
    assert {("record", "calibration"), ("record", "network simple_rnn")} <= subjects
    path = (home / runs["move"].document["report"]).with_name("probabilities.csv")
    text = path.read_text()
    spoilt = text.splitlines()
    fields = spoilt[1].split(",")
    fields[5], fields[6] = fields[6], fields[5]
    path.write_text("\n".join([spoilt[0], ",".join(fields), *spoilt[2:]]) + "\n")
    (again,) = audit(["AAA"], home=home, settings=settings_of(home, "return"))
    path.write_text(text)
    assert [check.subject for check in again.checks if not check.passed] == ["network simple_rnn"]


def test_one_network_over_several_tickers_and_one_that_it_never_saw(home, tmp_path):
    settings = settings_of(home, "move", class_weight="balanced")
    # In a home of its own: the champion of the other one stays.
    results = train(TICKERS, home=tmp_path, settings=settings, together=True)
    pooled = results[0].pooled
    assert pooled["target"] == "move"
    assert [row["model"] for row in pooled["scores"]] == ["simple_rnn", "majority", "ewma", "garch"]
    assert pooled["scores"][0]["log_loss"] == pytest.approx(
        np.mean([_last(one.document)["log_loss"] for one in results])
    )
    assert "Calls, 2 sessions ahead: simple_rnn" in pooled["verdict"]["text"]
    page = (tmp_path / pooled["report"]).read_text()
    assert "probabilities.csv" in page
    assert 'href="../../AAA/' in page
    assert "skill odds" in "\n".join(group_lines(pooled, [one.document for one in results]))
    run = results[0].document["run"]
    (stranger,) = predict(["NEW"], home=tmp_path, settings=settings, run=run)
    assert not stranger["in_training"]
    assert 0 < stranger["steps"][1]["probability_flat"] < 1


def _last(document):
    return next(
        row for row in document["scores"] if (row["model"], row["step"]) == ("simple_rnn", 2)
    )


def test_a_saved_run_remembers_its_head(home):
    (run,) = train(["BBB"], home=home, settings=settings_of(home, "return", head="student_t"))
    saved = load_run(home, "BBB", run.document["run"])
    assert saved.head == run.document["head"] == "student_t"
    assert "--head=student_t" in run.document["command"]
    (document,) = predict(["BBB"], home=home, settings=settings_of(home, "return"))
    step = document["steps"][0]
    assert step["p05"] < step["p50"] < step["p95"]
    assert 0 < step["probability_up"] < 1
    del saved.manifest["head"]
    assert saved.head == "quantiles"


def test_a_night_refuses_classes_before_any_work(tmp_path):
    with pytest.raises(ConfigError, match="forecast nightly needs forecasts of prices") as refused:
        run_night(["AAA"], home=tmp_path, settings=Settings(target="move"))
    assert refused.value.hint.startswith('target = "return" in forecast.toml')
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("target", "head"),
    [("direction", "student_t"), ("move", "direction"), ("return", "move"), ("price", "move")],
)
def test_a_head_that_does_not_fit_is_refused_with_what_fits(target, head, tmp_path):
    with pytest.raises(ConfigError, match=f"for the target {target} it must be one of"):
        load_settings(tmp_path, target=target, head=head)


def test_the_head_is_the_target_s_own_unless_asked_for(tmp_path):
    own = {target: Settings(target=target).head_name for target in ("price", "direction", "move")}
    assert own == {"price": "quantiles", "direction": "direction", "move": "move"}
    assert load_settings(tmp_path, head="student_t").head_name == "student_t"
    with pytest.raises(ConfigError, match="class_weight"):
        load_settings(tmp_path, class_weight="heavy")

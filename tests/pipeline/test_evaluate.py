"""`forecast evaluate` on a made-up history: what it keeps, where it goes on, what it may know."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simulated

from forecast.config import Settings
from forecast.errors import NotEnoughBars, UnknownTicker
from forecast.evaluation.forecasts import read_forecasts
from forecast.evaluation.significance import diebold_mariano
from forecast.pipeline import kept, provenance
from forecast.pipeline.evaluate import evaluate
from forecast.pipeline.train import FailedRun
from forecast.pipeline.watch import Watch

BASELINES = ["last_close", "drift", "ewma", "garch", "har", "ridge"]


def home_with(folder, bars):
    (folder / "csv").mkdir(parents=True)
    bars.to_csv(folder / "csv" / "XYZ.csv", index_label="Date")
    return folder


def settings_for(home, **changes):
    quick = {"units": (4,), "lookback": 10, "epochs": 1, "folds": 2, "seeds": 2, "horizon": 2}
    return Settings(**{"source": f"csv:{home / 'csv'}", **quick, **changes})


def run(home, *, stages=None, **changes):
    watch = Watch() if stages is None else Watch(stage=stages.append)
    (one,) = evaluate(["XYZ"], home=home, settings=settings_for(home, **changes), watch=watch)
    return one


@pytest.fixture(scope="module")
def history():
    return simulated.random_walk(620, seed=3)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, history):
    home = home_with(tmp_path_factory.mktemp("evaluated"), history)
    return home, run(home)


@pytest.fixture
def home(evaluated, tmp_path):
    """A copy, to be spoilt. The source's path is no part of an evaluation's key."""
    return shutil.copytree(evaluated[0], tmp_path / "home")


def folder_of(home):
    (folder,) = (home / "reports" / "XYZ" / "evaluate").iterdir()
    return folder


def trainings(stages):
    return [stage for stage in stages if "training" in stage]


def test_the_document_holds_what_is_promised(evaluated):
    home, one = evaluated
    document = one.document
    assert document["status"] == "evaluated"
    assert [fold["fold"] for fold in document["folds"]] == [1, 2]
    assert {row["model"] for row in document["scores"]} == {"lstm", *BASELINES}
    assert {row["step"] for row in document["scores"]} == {1, 2}
    assert document["verdict"].keys() == {"price", "uncertainty", "text"}
    assert document["seeds"]["seeds"] == [7, 8]
    for path in [document["report"], *document["plots"]]:
        assert (home / path).is_file()
    saved = json.loads((folder_of(home) / "evaluation.json").read_text())
    assert saved == document
    assert "nan" not in document["backtest"]["text"]


def test_every_score_follows_from_the_pooled_forecasts(evaluated):
    home, one = evaluated
    table = pd.read_csv(folder_of(home) / "forecasts.csv")
    origins = sum(fold["origins"] for fold in one.document["folds"])
    own = table[(table["model"] == "lstm") & (table["step"] == 2)].reset_index()
    naive = table[(table["model"] == "last_close") & (table["step"] == 2)].reset_index()
    row = next(r for r in one.document["scores"] if (r["model"], r["step"]) == ("lstm", 2))
    assert row["origins"] == len(own) == origins
    ours, theirs = ((f["actual"] - f["predicted"]) ** 2 for f in (own, naive))
    assert row["mse_price"] == pytest.approx(ours.mean(), rel=1e-12)
    assert row["skill_mse"] == pytest.approx(1 - ours.mean() / theirs.mean(), rel=1e-9)
    p = diebold_mariano(ours.to_numpy(), theirs.to_numpy(), step=2)
    assert row["dm_p_mse"] == pytest.approx(p, rel=1e-9)


def test_the_models_row_is_the_mean_of_the_seeds(evaluated):
    home, one = evaluated
    folder = folder_of(home)
    seeds = [
        pd.concat([read_forecasts(folder / f"fold-{fold:02d}-seed-{seed}.csv") for fold in (1, 2)])
        for seed in (7, 8)
    ]
    own = one.forecasts[one.forecasts["model"] == "lstm"]
    for name in ("predicted", "p05", "p90"):
        # In log returns from the close, so the geometric mean of the prices.
        mean = np.sqrt(seeds[0][name].to_numpy() * seeds[1][name].to_numpy())
        np.testing.assert_allclose(own[name], mean, rtol=1e-12)
    assert (seeds[0]["predicted"].to_numpy() != seeds[1]["predicted"].to_numpy()).all()
    rows = pd.DataFrame(one.document["seeds"]["rows"])
    for name in ("skill_mse", "skill_pinball", "coverage_80"):
        assert one.document["seeds"]["mean"][name] == pytest.approx(rows[name].mean())
        assert one.document["seeds"]["spread"][name] == pytest.approx(rows[name].std(ddof=1))


def test_each_fold_learns_only_from_what_came_before(evaluated, history):
    _, one = evaluated
    days = {f"{session:%Y-%m-%d}": row for row, session in enumerate(history.index)}
    tested = []
    for fold in one.document["folds"]:
        ends = [days[fold[part]["last"]] for part in ("train", "validation")] + [days[fold["last"]]]
        starts = [days[fold["validation"]["first"]], days[fold["first"]]]
        # Two sessions ahead: the outcome of each last origin is known before the next part.
        assert ends[0] + 2 < starts[0]
        assert ends[1] + 2 < starts[1]
        tested += range(starts[1], ends[2] + 1)
    assert tested == list(range(tested[0], len(history) - 2))


def test_a_poisoned_future_leaves_every_earlier_fold_as_it_was(evaluated, history, tmp_path):
    home, one = evaluated
    known = history.index.get_loc(pd.Timestamp(one.document["folds"][0]["last"])) + 2
    poisoned = history.copy()
    rng = np.random.default_rng(1)
    factors = np.exp(np.cumsum(rng.normal(0, 0.05, len(poisoned) - known - 1)))
    poisoned.iloc[known + 1 :] = poisoned.iloc[known + 1 :].mul(factors, axis=0)
    elsewhere = home_with(tmp_path / "poisoned", poisoned)
    run(elsewhere, seeds=1)
    before, after = folder_of(home), folder_of(elsewhere)
    assert before.name != after.name
    for name in ("baselines", "seed-7"):
        first = f"fold-01-{name}.csv"
        assert (before / first).read_bytes() == (after / first).read_bytes(), name
    second = "fold-02-seed-7.csv"
    assert (before / second).read_bytes() != (after / second).read_bytes()


def test_an_interrupted_evaluation_goes_on_where_it_was(evaluated, home):
    folder = folder_of(home)
    for path in folder.iterdir():
        if not path.name.startswith("fold-01-"):
            path.unlink()

    def stop(stage):
        if stage == "fold 2 of 2: training lstm, seed 8":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(["XYZ"], home=home, settings=settings_for(home), watch=Watch(stage=stop))
    kept = ["fold-01-baselines", "fold-01-seed-7", "fold-01-seed-8", "fold-02-baselines"]
    left = sorted(path.name for path in folder.iterdir())
    assert left == [f"{name}.csv" for name in [*kept, "fold-02-seed-7"]]
    stages: list[str] = []
    again = run(home, stages=stages)
    assert trainings(stages) == ["fold 2 of 2: training lstm, seed 8"]
    assert again.document["scores"] == evaluated[1].document["scores"]
    for name in ("forecasts.csv", "backtest.csv"):
        assert (folder / name).read_bytes() == (folder_of(evaluated[0]) / name).read_bytes()


def test_a_finished_evaluation_is_not_done_again(home):
    before = {path.name: path.stat().st_mtime_ns for path in folder_of(home).iterdir()}
    stages: list[str] = []
    again = run(home, stages=stages)
    assert again.document["status"] == "current"
    assert "nothing was done again" in str(again)
    assert trainings(stages) == []
    assert {path.name: path.stat().st_mtime_ns for path in folder_of(home).iterdir()} == before


def test_other_costs_trade_anew_but_train_nothing(home):
    stages: list[str] = []
    dear = run(home, stages=stages, cost=50.0, trade="close").document
    assert trainings(stages) == []
    assert (dear["backtest"]["cost"], dear["backtest"]["trade"]) == (50.0, "close")
    assert json.loads((folder_of(home) / "evaluation.json").read_text()) == dear


def test_one_seed_more_trains_that_seed_alone(home):
    stages: list[str] = []
    more = run(home, stages=stages, seeds=3).document
    assert [stage.rsplit(" ", 1)[1] for stage in trainings(stages)] == ["9", "9"]
    assert more["seeds"]["seeds"] == [7, 8, 9]


@pytest.mark.parametrize("spoil", ["cut", "other origins", "no number"])
def test_a_damaged_fold_is_made_again(home, spoil):
    folder = folder_of(home)
    path, result = folder / "fold-02-seed-8.csv", folder / "evaluation.json"
    before = path.read_bytes()
    lines = before.splitlines(keepends=True)
    spoilt = {
        "cut": before[: len(before) // 2],
        "other origins": before[:-200],
        "no number": b"".join([*lines[:-1], lines[-1].rsplit(b",", 2)[0], b",nan,1.0\n"]),
    }
    path.write_bytes(spoilt[spoil])
    result.unlink()
    stages: list[str] = []
    run(home, stages=stages)
    assert trainings(stages) == ["fold 2 of 2: training lstm, seed 8"]
    assert path.read_bytes() == before


def test_a_damaged_result_is_made_again(home):
    result = folder_of(home) / "evaluation.json"
    result.write_text(result.read_text()[:100])
    stages: list[str] = []
    assert run(home, stages=stages).document["status"] == "evaluated"
    assert trainings(stages) == []


def test_what_changes_a_forecast_changes_the_key(evaluated):
    home, one = evaluated
    from forecast.pipeline.fetch import fetch_for
    from forecast.pipeline.folds import key_of

    bars = fetch_for("XYZ", home=home, settings=settings_for(home)).bars
    same = [{}, {"seed": 1}, {"seeds": 5}, {"cost": 1.0}, {"trade": "close"}, {"source": "auto"}]
    same += [{"embedding": 4}, {"balanced": True}]
    assert {key_of(bars, settings_for(home, **change)) for change in same} == {one.document["key"]}
    other = [{"epochs": 2}, {"folds": 3}, {"scheme": "rolling"}, {"features": ("return_1",)}]
    keys = {key_of(bars, settings_for(home, **change)) for change in other}
    assert len(keys | {one.document["key"], key_of(bars[1:], settings_for(home))}) == 6


@pytest.mark.parametrize(
    "file", ["pipeline/scoring.py", "networks/fast/block.py", "features/targets.py"]
)
def test_other_code_changes_the_key(tmp_path, monkeypatch, file):
    package = tmp_path / "forecast"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(provenance.__file__).parents[1], package, ignore=ignored)
    monkeypatch.setattr(provenance, "__file__", str(package / "pipeline" / "provenance.py"))
    keys = set()
    for _ in range(2):
        provenance.code_hash.cache_clear()
        keys.add(kept.key_of(simulated.random_walk(5, seed=1), {}))
        (package / file).write_text("# other\n")
    provenance.code_hash.cache_clear()
    assert len(keys) == 2


def test_trading_on_a_random_walk_is_not_praised(evaluated):
    _, one = evaluated
    rows = {row["strategy"]: row for row in one.document["backtest"]["rows"]}
    assert rows["sign"]["sharpe_excess_low"] < 0 < rows["sign"]["sharpe_high"]
    assert all(
        row["deflated_sharpe"] < 0.95
        for name, row in rows.items()
        if name != "buy_and_hold" and not math.isnan(row["deflated_sharpe"])
    )
    assert one.document["verdict"]["price"] != "beats"


def test_too_short_a_history_and_an_unknown_ticker(home):
    with pytest.raises(NotEnoughBars, match="40 folds"):
        run(home, folds=40)
    with pytest.raises(UnknownTicker):
        evaluate(["NOPE"], home=home, settings=settings_for(home))
    bad, good = evaluate(["NOPE", "XYZ"], home=home, settings=settings_for(home))
    assert isinstance(bad, FailedRun)
    assert isinstance(bad.error, UnknownTicker)
    assert not isinstance(good, FailedRun)
    assert good.document["status"] == "current"

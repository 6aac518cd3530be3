"""`forecast tune` on a made-up history: what it tries, keeps, reads, and where it goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import simulated

from forecast.config import Settings
from forecast.errors import ConfigError, NotEnoughBars, TrainingError
from forecast.pipeline import tune as verb
from forecast.pipeline.tune import searches, trials
from forecast.pipeline.tune.part import row_hashes
from forecast.pipeline.tune.slots import Slots
from forecast.pipeline.watch import Watch

QUICK = {"units": (4,), "lookback": 10, "epochs": 1, "horizon": 2}
# Of one network shape: it is compiled once.
SPACE = {"learning_rate": [0.001, 0.01], "patience": [3, 5]}


def home_with(folder, bars):
    (folder / "csv").mkdir(parents=True)
    bars.to_csv(folder / "csv" / "XYZ.csv", index_label="Date")
    return folder


def settings_for(home, space=SPACE, **changes):
    chosen = {"tune": {"folds": 2, "space": space}, **QUICK, **changes}
    return Settings(source=f"csv:{home / 'csv'}", **chosen)


def run(home, *, watch=None, search="grid", trials=None, **changes):
    settings = settings_for(home, **changes)
    return verb.tune("XYZ", home=home, settings=settings, search=search, trials=trials, watch=watch)


def folder_of(home):
    (folder,) = (home / "reports" / "XYZ" / "tune").iterdir()
    return folder


@pytest.fixture(scope="module")
def history():
    return simulated.random_walk(900, seed=3)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, history):
    home = home_with(tmp_path_factory.mktemp("tuned"), history)
    return home, run(home)


@pytest.fixture
def home(tuned, tmp_path):
    """A copy, to be spoilt. The source's path is no part of a study's key."""
    return shutil.copytree(tuned[0], tmp_path / "home")


def losses(document):
    return [one["folds"] for one in document["trials"]]


def test_a_grid_tries_every_combination_once_after_the_settings_as_they_are(tuned):
    _, one = tuned
    said = [tuple(trial["settings"].values()) for trial in one.document["trials"]]
    assert said[0] == (0.008, 10)
    assert sorted(said[1:]) == [(0.001, 3), (0.001, 5), (0.01, 3), (0.01, 5)]
    assert [trial["default"] for trial in one.document["trials"]] == [True] + [False] * 4


def test_the_best_is_never_worse_than_the_settings_as_they_are(tuned):
    document = tuned[1].document
    values = [trial["value"] for trial in document["trials"]]
    assert document["best"]["value"] == min(values) <= document["default"]["value"] == values[0]
    for trial in document["trials"]:
        assert trial["value"] == pytest.approx(np.mean(trial["folds"]))
        assert len(trial["folds"]) == 2
    # One epoch leaves patience nothing to do: the same settings but for it give the same bits.
    by = {tuple(trial["settings"].values()): trial["folds"] for trial in document["trials"]}
    assert by[0.01, 3] == by[0.01, 5] != by[0.001, 3]


def test_the_document_stands_beside_the_page(tuned):
    home, one = tuned
    document, folder = one.document, folder_of(home)
    assert json.loads((folder / "study.json").read_text()) == document
    assert folder.name == document["study"]
    for path in [document["report"], document["tuned"], *document["plots"]]:
        assert (home / path).is_file()
    assert document["counts"] == {"done": 5, "pruned": 0, "failed": 0}
    assert "--search=grid" in document["command"]
    assert "--space=learning_rate=0.001,0.01" in document["command"]
    assert document["text"] in " ".join(str(one).splitlines())


def test_no_row_of_the_test_part_was_read(tuned, history):
    home, one = tuned
    rows = pd.read_csv(folder_of(home) / "rows.csv")
    read, test = (set(rows[rows["part"] == name]["sha256"]) for name in ("read", "test"))
    assert not read & test
    assert read | test == set(row_hashes(history))
    said = one.document["rows"]
    assert (len(read), len(test), said["in_both"]) == (
        said["read"]["rows"],
        said["test"]["rows"],
        0,
    )
    assert {trial["read_sha256"] for trial in one.document["trials"]} == {said["read"]["sha256"]}
    last = max(fold["last"] for fold in one.document["folds"])
    assert last < said["read"]["last"] < said["test"]["first"]


def test_another_test_part_gives_the_same_study(tuned, history, tmp_path):
    one = tuned[1]
    first = history.index.get_loc(pd.Timestamp(one.document["rows"]["test"]["first"]))
    poisoned = history.copy()
    poisoned.iloc[first:] = poisoned.iloc[first:] * 7.0
    poisoned.iloc[first:] += np.random.default_rng(1).uniform(0, 1, (len(poisoned) - first, 1))
    again = run(home_with(tmp_path / "poisoned", poisoned), trials=2)
    assert again.document["study"] == one.document["study"]
    assert losses(again.document) == losses(one.document)[:2]
    rows = again.document["rows"]
    assert rows["read"] == one.document["rows"]["read"]
    assert rows["test"]["sha256"] != one.document["rows"]["test"]["sha256"]


def test_another_row_before_it_gives_another_study(tuned, history, tmp_path):
    changed = history.copy()
    changed.iloc[100] *= 1.001
    again = run(home_with(tmp_path / "changed", changed), trials=1)
    assert again.document["study"] != tuned[1].document["study"]


def test_an_interrupted_search_goes_on_where_it_was(tuned, home):
    folder = folder_of(home)
    for number in (2, 3):
        (folder / "trials" / f"{number:04d}.json").unlink()
    # As a process leaves it that died while another file was written.
    (folder / "trials" / "0004.json").write_text('{"trial": 4, "state": "do')
    kept = {path.name: path.stat().st_mtime_ns for path in (folder / "trials").glob("000[01].json")}
    begun, notices = [], []

    def stop(now):
        begun.append(now.now)
        if len(begun) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(home, watch=Watch(search=stop, notice=notices.append))
    assert begun == [2, 3]
    assert "forecast tune XYZ" in notices[-1]
    again = run(home, watch=Watch(search=lambda now: begun.append(now.now)))
    assert begun == [2, 3, 3, 4, None]
    assert losses(again.document) == losses(tuned[1].document)
    for name, made in kept.items():
        assert (folder / "trials" / name).stat().st_mtime_ns == made


def test_a_finished_search_trains_nothing(home):
    begun = []
    run(home, watch=Watch(search=lambda now: begun.append(now.now)))
    assert begun == [None]


def test_a_setting_that_is_searched_but_set_is_named(home, tuned):
    (home / "forecast.toml").write_text("learning_rate = 0.005\n")
    notices = []
    run(home, watch=Watch(notice=notices.append), learning_rate=0.003)
    assert notices == [
        "learning_rate is searched, but set in forecast.toml or a variable: train uses that."
    ]


def test_more_random_trials_train_the_new_ones_alone(home):
    space = {"learning_rate": "0.001..0.01 log"}
    few = run(home, space=space, search="random", trials=1).document
    begun = []
    watch = Watch(search=lambda now: begun.append(now.now))
    more = run(home, space=space, search="random", trials=2, watch=watch).document
    assert begun == [1, None]
    assert more["study"] == few["study"]
    assert more["trials"][:1] == few["trials"]


def test_tpe_tries_nothing_twice_and_goes_on(home):
    pytest.importorskip("optuna")
    space = {"learning_rate": [0.001, 0.01]}
    # Three are all there are: two values, and the settings as they are.
    document = run(home, space=space, search="tpe", trials=30).document
    assert len(document["trials"]) == 3
    assert document["counts"]["failed"] == 0
    tried = {tuple(trial["settings"].values()) for trial in document["trials"]}
    assert len(tried) == 3
    folder = home / "reports" / "XYZ" / "tune" / document["study"]
    assert (folder / "optuna.journal").stat().st_size > 1000
    # A trial is lost and half a line is left, as by a kill: it is made again, nothing else is.
    (folder / "trials" / "0002.json").unlink()
    with (folder / "optuna.journal").open("ab") as journal:
        journal.write(b'{"op_code":5,"wor')
    begun = []
    watch = Watch(search=lambda now: begun.append(now.now))
    again = run(home, space=space, search="tpe", trials=30, watch=watch).document
    assert begun == [2, None]
    assert again["trials"][:2] == document["trials"][:2]
    assert {tuple(trial["settings"].values()) for trial in again["trials"]} == tried
    # The sampler's memory is made up again from the trials.
    (folder / "optuna.journal").write_text("{]\n")
    (folder / "trials" / "0001.json").unlink()
    last = run(home, space=space, search="tpe", trials=30).document
    assert {tuple(trial["settings"].values()) for trial in last["trials"]} == tried
    assert (folder / "optuna.damaged").read_text().startswith("{]\n")


@pytest.mark.parametrize(
    ("space", "trials"),
    # Two whole numbers; what four digits tell apart is made once, then made again.
    [({"batch": "16..17"}, 3), ({"learning_rate": "0.001..0.001000001"}, 5)],
)
def test_tpe_ends_where_a_range_does(home, space, trials):
    pytest.importorskip("optuna")
    document = run(home, space=space, search="tpe", trials=5).document
    assert document["counts"]["done"] + document["counts"]["pruned"] == trials


def test_tpe_without_optuna_says_what_to_install(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr(searches, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install -e '.\[tune\]'"):
        run(home, search="tpe")
    assert len(run(home, search="grid").document["trials"]) == 5


def test_a_trial_that_fails_is_counted_and_shown(tuned, tmp_path, history, monkeypatch):
    def fit(prepared, settings, **options):
        if settings.learning_rate == 0.01:
            raise TrainingError("it diverged")
        if settings.patience == 3:
            raise MemoryError("no room")
        return real(prepared, settings, **options)

    real = trials.fit_network
    monkeypatch.setattr(trials, "fit_network", fit)
    home = home_with(tmp_path / "failing", history)
    one = run(home)
    assert one.document["counts"] == {"done": 2, "pruned": 0, "failed": 3}
    failed = [trial["error"]["type"] for trial in one.document["trials"] if trial["error"]]
    assert sorted(failed) == ["MemoryError", "TrainingError", "TrainingError"]
    assert "it diverged" in str(one)
    assert "3 of 5 trials failed" in one.document["text"]
    assert losses(one.document)[0] == losses(tuned[1].document)[0]
    monkeypatch.setattr(trials, "fit_network", lambda *_, **__: fit([], Settings(patience=3)))
    with pytest.raises(TrainingError, match=r"All failed.*no room"):
        run(home_with(tmp_path / "all", history), space={"learning_rate": [0.001]}, horizon=1)


@pytest.mark.slow
def test_classes_are_searched_by_their_log_loss(home):
    space = {"learning_rate": [0.001]}
    document = run(home, space=space, target="direction", horizon=1).document
    assert document["loss"] == "log_loss"
    # Two classes of a random walk: near the logarithm of 2, and never far above it.
    for trial in document["trials"]:
        assert trial["state"] == "done"
        assert trial["folds"] == pytest.approx([np.log(2)] * 2, abs=0.05)


def test_a_search_of_another_name_is_refused(home):
    with pytest.raises(ConfigError, match="one of grid, random, tpe"):
        run(home, search="bayes")
    assert searches.SEARCHES == ("grid", "random", "tpe")


def test_train_uses_what_was_found(tuned):
    home, one = tuned
    found = tomllib.loads((home / "models" / "XYZ" / "tuned.toml").read_text())
    assert found["settings"] == one.document["best"]["settings"]
    assert found["horizon"] == 2
    assert str(found["last"]) == one.document["rows"]["read"]["last"]
    assert (home / found["study"] / "study.json").is_file()


def test_too_short_a_history_is_told_of_the_part_that_is_searched(tmp_path):
    home = home_with(tmp_path, simulated.random_walk(400, seed=3))
    words = r"before the test part must have at least \d+ .* 2 folds .*Received 3\d\d\."
    with pytest.raises(NotEnoughBars, match=words):
        run(home)


def test_a_claim_is_one_process_s_and_ends_with_it(tmp_path):
    slots = Slots(tmp_path)
    script = (
        "import sys, time, pathlib\n"
        "from forecast.pipeline.tune.slots import Slots\n"
        "with Slots(pathlib.Path(sys.argv[1])).claim(3) as mine:\n"
        "    print(mine, flush=True)\n"
        "    time.sleep(60)\n"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline().strip() == "True"
        with slots.claim(3) as mine:
            assert not mine
        with slots.claim(4) as mine:
            assert mine
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with slots.claim(3) as mine:
        assert mine


def command(home, *words):
    return [
        *(sys.executable, "-m", "forecast", "tune", "XYZ", f"--home={home}", "--json"),
        *(f"--source=csv:{home / 'csv'}", "--units=4", "--lookback=10", "--epochs=1"),
        *("--folds=2", *words),
    ]


def start(home, *words):
    return subprocess.Popen(
        command(home, *words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(folder):
    return sorted(path.name for path in folder.glob("*/trials/*.json"))


@pytest.mark.slow
@pytest.mark.parametrize("search", ["grid", "tpe"])
def test_two_processes_share_a_study_and_one_is_killed(tmp_path, history, search):
    home = home_with(tmp_path / "shared", history)
    space = ["--space=learning_rate=0.001,0.002,0.01,0.02", "--space=patience=3,5"]
    words = [f"--search={search}", "--trials=9", *space]
    first, second = start(home, *words), start(home, *words)
    folder = home / "reports" / "XYZ" / "tune"
    try:
        deadline = time.monotonic() + 900
        while len(finished(folder)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGKILL)
        _, of_first = first.communicate()
        before = finished(folder)
        assert len(before) >= 3
        output, errors = second.communicate(timeout=900)
        assert second.returncode == 0, errors
    finally:
        for process in (first, second):
            process.kill()
            process.communicate()
    begun = Counter(re.findall(r"^trial (\d+),", of_first + errors, re.MULTILINE))
    assert sorted(begun, key=int) == [str(number) for number in range(9)]
    # No trial was begun twice but the one that was being made when its process died.
    assert sum(begun.values()) <= 10
    document = json.loads(output)
    assert [trial["trial"] for trial in document["trials"]] == list(range(9))
    tried = [tuple(trial["settings"].values()) for trial in document["trials"]]
    assert len(set(tried)) == 9
    assert document["counts"]["failed"] == 0
    for trial in document["trials"]:
        assert len(trial["folds"]) == (1 if trial["state"] == "pruned" else 2)
    assert len(finished(folder)) == 9
    # The study alone again, and by one process: the same trials, and no training.
    kept = {path: path.stat().st_mtime_ns for path in folder.glob("*/trials/*.json")}
    again = subprocess.run(
        command(home, *words), capture_output=True, text=True, timeout=900, check=True
    )
    assert json.loads(again.stdout)["trials"] == document["trials"]
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/trials/*.json")} == kept

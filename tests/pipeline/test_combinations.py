"""Every network with every head and way of training: trained, saved, loaded, the same forecasts.

And combinations that there are not: refused before any work, with what to do instead.
"""

from __future__ import annotations

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from forecast.config import Settings, changed
from forecast.features.inputs import Inputs
from forecast.features.targets import CLASSES, TARGETS
from forecast.networks.architectures import NETWORKS, OUTPUT_STEPS
from forecast.networks.forward import load_network
from forecast.networks.heads import HEADS, heads_for
from forecast.networks.training import infer, load_model
from forecast.pipeline.preparing import prepare
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch
from forecast.registry import load_run, promote, run_folder, save_run

SESSIONS = 300
TINY = Settings(
    units=(3,),
    lookback=6,
    horizon=2,
    epochs=1,
    features=("return_1", "volatility_20", "weekday_sin"),
)
EVERY = [
    (network, target, head, outputs)
    for network, kind in NETWORKS.items()
    for target in TARGETS
    for head in heads_for(target)
    for outputs in OUTPUT_STEPS
    if kind.causal or outputs == "last"
]
"""Network, target, head and outputs, from the tables as they are."""


def covering(places):
    """A few of them in which whatever may stand at these places comes at least once."""
    chosen, seen = [], set()
    # In strides, so that one network does not meet every head.
    for one in [one for start in range(11) for one in EVERY[start::11]]:
        news = {(place, one[place]) for place in places} - seen
        if news:
            chosen.append(one)
            seen |= news
    return chosen


@pytest.fixture(scope="session")
def bars(aapl):
    return aapl.iloc[-SESSIONS:]


def check(one, bars, home):
    """Trained for an epoch, saved as a run, loaded: the same answers, by Keras and without it."""
    network, target, head, outputs = one
    settings = changed(TINY, network=network, target=target, head=head, outputs=outputs)
    ready = prepare(SimpleNamespace(ticker="AAPL", bars=bars), settings)
    fitted = fit_network([ready], settings, watch=Watch())
    windows = ready.part("test")
    own = infer(fitted.model, windows, head=head)
    assert own.shape == (len(windows), 2, len(CLASSES.get(target, range(8))))
    assert np.isfinite(own).all()
    save_run(
        run_folder(home, ["AAPL"], "one"),
        save_network=fitted.model.save,
        inputs={"AAPL": {"inputs": ready.inputs.as_document()}},
        manifest={"run": "one", "network": network, "tickers": {"AAPL": {}}},
        metrics={"runs": []},
    )
    promote(home, "AAPL", "one", reason="the only one")
    saved = load_run(home, "AAPL")
    inputs = Inputs.from_document(saved.inputs["AAPL"]["inputs"])
    again = inputs.windows(bars, ticker="AAPL").take(ready.split.test)
    np.testing.assert_array_equal(infer(load_model(saved.network), again, head=head), own)
    without_keras = infer(load_network(saved.network), again, head=head)
    np.testing.assert_allclose(without_keras, own, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("one", covering([2, 3]), ids="-".join)
def test_every_head_and_way_of_training(one, bars, tmp_path):
    check(one, bars, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("one", covering([0, 1]), ids="-".join)
def test_every_network_and_target(one, bars, tmp_path):
    check(one, bars, tmp_path)


@pytest.fixture
def uncompiled():
    """Operations one by one: compiling takes ten times as long as an epoch of so few rows."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


# Keras finds a name for its only input amiss, but only where it does not compile.
@pytest.mark.filterwarnings("ignore:(?s).*structure of `inputs` doesn't match:UserWarning")
@pytest.mark.slow
@pytest.mark.parametrize("one", EVERY, ids="-".join)
def test_every_combination(one, bars, tmp_path, uncompiled):
    check(one, bars, tmp_path)


@pytest.fixture
def here(bars, tmp_path, capsys, monkeypatch):
    """The command line in this process, on a folder that holds only the bars."""
    (tmp_path / "csv").mkdir()
    bars.to_csv(tmp_path / "csv" / "AAPL.csv", index_label="Date")

    def run(*words):
        from forecast.cli import main

        shared = [f"--source=csv:{tmp_path / 'csv'}", "--json", "--quiet", f"--home={tmp_path}"]
        monkeypatch.setattr(sys, "argv", ["forecast", *words, *shared])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        said = capsys.readouterr()
        assert exit_.value.code == 0, said
        return json.loads(said.out)

    return run


def command_line(one, here):
    network, target, head, outputs = one
    (run,) = here(
        "train", "AAPL", f"--network={network}", f"--target={target}", f"--head={head}",
        f"--outputs={outputs}", "--epochs=1", "--units=3", "--lookback=6", "--horizon=2",
    )["runs"]  # fmt: skip
    assert (run["network"], run["target"]) == (network, target)
    (coming,) = here("predict", "AAPL")["forecasts"]
    assert (coming["run"], len(coming["steps"])) == (run["run"], 2)
    assert coming == {**here("predict", "AAPL")["forecasts"][0]}
    for step in coming["steps"]:
        assert 0 <= step["probability_up"] <= 1


@pytest.mark.slow
@pytest.mark.parametrize("one", covering([1, 2]), ids="-".join)
def test_the_command_line_with_every_target_and_head(one, here):
    command_line(one, here)


@pytest.mark.slow
@pytest.mark.trial
@pytest.mark.parametrize("one", EVERY, ids="-".join)
def test_the_command_line_with_every_combination(one, here):
    command_line(one, here)


def wrong():
    """Command lines that cannot be, with the exit code and a word of the error."""
    sees_later = next(name for name, kind in NETWORKS.items() if not kind.causal)
    for target in TARGETS:
        for head in HEADS:
            if head not in heads_for(target):
                yield ["train", "AAPL", f"--target={target}", f"--head={head}"], 1, "head"
    late = [f"--network={sees_later}", "--outputs=every"]
    for verb in ("train", "evaluate"):
        yield [verb, "AAPL", *late], 1, "outputs"
    yield ["compare", "AAPL", f"--networks=lstm,{sees_later}", "--outputs=every"], 1, sees_later
    yield ["compare", "AAPL", "--networks=lstm,perceptron"], 1, "perceptron"
    yield ["compare", "AAPL", "--target=direction", "--head=quantiles"], 1, "head"
    yield ["train", "AAPL", "--network=perceptron"], 2, "perceptron"
    yield ["train", "AAPL", "--head=perceptron"], 2, "perceptron"
    yield ["train", "AAPL", "--target=tomorrow"], 2, "tomorrow"
    yield ["train", "AAPL", "--outputs=first"], 2, "first"
    yield ["train", "AAPL", "--units=0"], 1, "units"


def test_wrong_combinations_are_refused_before_any_work(tmp_path):
    """One process for all of them: what any of them imports or writes is seen at the end."""
    program = """
import contextlib, io, json, sys
from forecast.cli import main
for words in json.load(sys.stdin):
    sys.argv = ["forecast", *words]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            main()
        except SystemExit as end:
            code = end.code
    error = json.loads(said.getvalue())["error"]
    started = [name for name in ("keras", "tensorflow", "jax", "torch") if name in sys.modules]
    print(json.dumps([code, error, started]))
"""
    cases = list(wrong())
    shared = ["--source=sample", "--json", f"--home={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([[*words, *shared] for words, _, _ in cases]),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(cases)
    for (words, wanted, about), (code, error, started) in zip(cases, answers, strict=True):
        assert (code, started) == (wanted, []), (words, error)
        assert error["type"] == ("ConfigError" if code == 1 else "UsageError"), (words, error)
        assert about in error["message"], (words, error)
        assert error["hint"], words
    assert list(tmp_path.iterdir()) == []

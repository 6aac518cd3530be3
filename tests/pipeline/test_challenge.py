"""Champion and challenger end to end, with small networks on a simulated price."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import simulated

from forecast.baselines import BASELINES
from forecast.config import Settings
from forecast.errors import ArtifactError
from forecast.evaluation.intervals import Calibration
from forecast.evaluation.scores import score_table
from forecast.files import sha256
from forecast.networks.training import Fitted, infer, targets_hash
from forecast.pipeline.challenge import challenge, verify_reload
from forecast.pipeline.documents import saved_inputs, span_of
from forecast.pipeline.preparing import Prepared, prepare
from forecast.pipeline.scoring import calibrated, frame_of
from forecast.pipeline.train import fit_network
from forecast.pipeline.watch import Watch
from forecast.registry import MANIFEST, NETWORK, load_run, run_folder, save_run
from forecast.registry.runs import own_sha256

SETTINGS = Settings(units=(8,), lookback=10, epochs=4, patience=4)
BARS = simulated.garch(900, seed=3).bars


def made(bars, settings=SETTINGS, targets=None):
    """A ticker, its network, and its forecasts beside ewma's; `targets` spoils what it learns."""
    one = prepare(SimpleNamespace(ticker="XYZ", bars=bars), settings)
    learnt = one
    if targets is not None:
        learnt = replace(one, windows=replace(one.windows, targets=targets(one.windows.targets)))
    fitted = fit_network([learnt], settings, watch=Watch())
    prediction, calibration = calibrated(one, fitted)
    origins = one.part("test").origin
    ewma = BASELINES["ewma"](bars, origins, horizon=1, fitted_until=one.fitted_until)
    frames = [frame_of(one, "lstm", prediction), frame_of(one, "ewma", ewma)]
    return Made(one, fitted, pd.concat(frames), calibration)


@dataclass(frozen=True)
class Made:
    one: Prepared
    fitted: Fitted
    forecasts: pd.DataFrame
    calibration: Calibration

    def against(self, champion, settings=SETTINGS):
        return challenge(self.one, self.fitted, self.forecasts, champion, settings)

    def unnoticed(self):
        """As if it had been trained on the outcomes that the bars give."""
        true = targets_hash(self.one.part("train"))
        return replace(self, fitted=replace(self.fitted, targets=true))

    def save(self, home, run="champion"):
        folder = run_folder(home, ["XYZ"], run)
        split = {name: span_of(self.one.part(name)) for name in ("train", "validation", "test")}
        save_run(
            folder,
            save_network=self.fitted.model.save,
            inputs=saved_inputs([self.one], [self]),
            manifest={"run": run, "network": "lstm"},
            metrics={"runs": [{"ticker": "XYZ", "split": split}]},
        )
        return load_run(home, "XYZ", run)


def shuffled(seed):
    def shuffle(targets):
        known = np.flatnonzero(~np.isnan(targets).any(axis=1))
        other = targets.copy()
        other[known] = other[np.random.default_rng(seed).permutation(known)]
        return other

    return shuffle


@pytest.fixture(scope="module")
def before():
    """The ticker 21 sessions ago."""
    return made(BARS.iloc[:-21])


@pytest.fixture(scope="module")
def today():
    return made(BARS)


@pytest.fixture
def champion(tmp_path, before):
    return before.save(tmp_path)


def test_the_champion_against_itself_is_the_same_to_the_bit(before, champion):
    figures = before.against(champion).figures
    assert figures["origins"] == len(before.one.part("test"))
    for one in figures["champion"].values():
        assert one["difference"] == 0.0
    assert figures["learnt"]["challenger"] == figures["learnt"]["champion"]


def test_both_are_judged_on_what_neither_has_seen(today, before, champion):
    figures = today.against(champion).figures
    test, earlier = today.one.part("test").origin, before.one.part("test").origin
    # The challenger's test part begins later and ends 21 sessions after the champion's.
    assert test[0] > earlier[0]
    assert figures["origins"] == len(test)
    assert figures["champion"]["pinball"]["difference"] != 0.0
    # The other way round the common origins begin with the champion's test part.
    later = today.save(champion.folder.parents[2], run="later")
    assert before.against(later).figures["origins"] == (earlier >= test[0]).sum() < len(earlier)


def test_without_a_champion_ewma_is_the_measure(today):
    figures = today.against(None).figures
    assert figures["champion"] is None
    assert figures["origins"] == len(today.one.part("test"))
    naive = BASELINES["last_close"](
        today.one.bars,
        today.one.part("test").origin,
        horizon=1,
        fitted_until=today.one.fitted_until,
    )
    table = score_table(
        pd.concat([today.forecasts, frame_of(today.one, "last_close", naive)])
    ).set_index("model")
    assert figures["ewma"]["pinball"]["difference"] == pytest.approx(
        -table.loc["lstm", "skill_pinball"]
    )
    assert figures["coverage_80"] == table.loc["lstm", "coverage_80"]


def test_what_a_network_was_trained_on_is_checked_against_the_bars(today, champion):
    assert today.unnoticed().fitted == today.fitted
    windows = today.one.part("train")
    spoiled = replace(windows, targets=shuffled(0)(windows.targets))
    fitted = replace(today.fitted, targets=targets_hash(spoiled))
    found = replace(today, fitted=fitted).against(champion)
    assert not found.promote
    assert found.reason == "Not promoted: it was not trained on the outcomes that the bars give."


def test_a_champion_of_another_horizon_is_not_compared(today, champion):
    inputs = champion.inputs["XYZ"]["inputs"] | {"horizon": 5}
    other = replace(champion, inputs={"XYZ": champion.inputs["XYZ"] | {"inputs": inputs}})
    found = today.against(other)
    assert found.figures["champion"] is None
    assert found.figures["learnt"]["challenger"] > 0
    assert found.figures["learnt"]["champion"] is None
    assert found.reason.endswith(
        " The champion forecasts 5 sessions ahead, this one 1 session: they cannot be compared."
    )


def test_a_champion_of_later_sessions_is_not_compared(before, champion):
    one = prepare(SimpleNamespace(ticker="XYZ", bars=BARS.iloc[:600]), SETTINGS)
    found = replace(before, one=one).unnoticed().against(champion)
    assert not found.promote
    assert "the champion's parts are of other sessions than these bars (2000-" in found.reason


def test_a_champion_that_does_not_know_the_ticker_is_an_error(today, champion):
    with pytest.raises(ArtifactError, match="must have been trained on XYZ"):
        today.against(replace(champion, inputs={"IBM": {}}))


def test_a_saved_network_gives_the_same_bits(before, champion):
    windows = before.one.part("test")
    outputs = infer(before.fitted.model, windows)
    verify_reload(champion.folder, windows, outputs)
    outputs[3, 0, 2] = np.nextafter(outputs[3, 0, 2], 1.0)
    with pytest.raises(ArtifactError, match="must give the very outputs"):
        verify_reload(champion.folder, windows, outputs)


def test_a_network_that_keras_cannot_read_says_what_to_do(before, champion):
    folder = champion.folder
    for name in (NETWORK, MANIFEST):
        (folder / name).chmod(0o644)
    (folder / NETWORK).write_bytes(b"of another Keras")
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["sha256"][NETWORK] = sha256(folder / NETWORK)
    manifest["manifest_sha256"] = own_sha256(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    loaded = load_run(folder.parents[2], "XYZ", "champion")
    with pytest.raises(ArtifactError, match=r"that Keras \d.* can read.* Try: forecast train"):
        before.against(loaded)


@pytest.mark.slow
@pytest.mark.trial
def test_twenty_nights_of_shuffled_targets(tmp_path, aapl):
    default = Settings()
    champion = made(aapl.iloc[:-21], default).save(tmp_path)
    for night in range(20):
        settings = default.model_copy(update={"seed": 100 + night})
        # The hash would give it away at once: here the figures alone decide.
        worse = made(aapl, settings, shuffled(night)).unnoticed()
        assert not worse.against(champion).promote, night
    spoiled = made(aapl.iloc[:-21], default, shuffled(0)).save(tmp_path, run="spoiled")
    better = [made(aapl, default.model_copy(update={"seed": seed})) for seed in range(4)]
    assert sum(one.against(champion).promote for one in better) >= 2
    assert sum(one.against(spoiled).promote for one in better) >= 2

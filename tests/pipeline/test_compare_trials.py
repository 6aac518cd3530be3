"""`forecast compare` on prices whose best forecast is known: no praise of noise, skill is found."""

from __future__ import annotations

import pytest
import simulated

from forecast.config import Settings
from forecast.networks.architectures import NETWORKS
from forecast.pipeline.compare import compare

QUICK = ["simple_rnn", "lstm", "gru"]


def compared(folder, bars, *, networks, **changes):
    folder.mkdir()
    bars.to_csv(folder / "XYZ.csv", index_label="Date")
    settings = Settings(**{"source": f"csv:{folder}", "units": (32,), **changes})
    (one,) = compare(["XYZ"], home=folder, settings=settings, networks=networks)
    assert all(entrant["error"] is None for entrant in one.document["networks"].values())
    return one.document


def praised(document):
    """What the comparison says is better than a baseline, and how it says so."""
    better = {kind: gain["networks"] for kind, gain in document["better"].items()}
    assert bool(better["uncertainty"]) == ("a gain that is clear" in document["answer"])
    assert bool(better["price"]) == ("No network forecasts the price" not in document["answer"])
    return better


@pytest.mark.slow
def test_noise_is_not_praised_and_a_planted_signal_is_found(tmp_path):
    walk = simulated.random_walk(2500, seed=21)
    noise = compared(tmp_path / "walk", walk, networks=QUICK, seeds=1)
    assert praised(noise) == {"uncertainty": [], "price": []}
    signal = compared(
        tmp_path / "signal",
        simulated.autoregression(5000, phi=0.2, seed=22),
        networks=QUICK,
        seeds=1,
    )
    assert praised(signal)["price"]


@pytest.mark.slow
@pytest.mark.trial
def test_of_all_networks_none_is_praised_on_noise(tmp_path):
    """Four walks: of such tests, two a walk, 2.5 % praise a network by chance."""
    found = []
    for seed in range(30, 34):
        walk = simulated.random_walk(2500, seed=seed)
        document = compared(tmp_path / f"walk-{seed}", walk, networks=list(NETWORKS), seeds=1)
        found += [(seed, kind) for kind, names in praised(document).items() if names]
    # Binomial(8, 0.025): two or more in 2 % of such trials.
    assert len(found) <= 1, found


@pytest.mark.slow
@pytest.mark.trial
def test_of_all_networks_those_with_skill_are_found(tmp_path):
    """An AR(1) whose next return is known up to noise: at best 4 % of its variance."""
    bars = simulated.autoregression(5000, phi=0.2, seed=40)
    document = compared(tmp_path / "ar", bars, networks=list(NETWORKS), seeds=1)
    found = praised(document)["price"]
    assert len(found) >= len(NETWORKS) / 2, found

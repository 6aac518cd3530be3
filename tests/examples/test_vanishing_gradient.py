from __future__ import annotations

import numpy as np
import pytest

from examples import vanishing_gradient as vanishing
from forecast.networks.architectures import build
from forecast.networks.heads import POINT
from forecast.networks.training import prepare_backend

NETWORKS = list(vanishing.LABELS)


@pytest.mark.parametrize("network", NETWORKS)
def test_norms_agree_with_differences_of_the_forecast(network, monkeypatch):
    prepare_backend(1)
    monkeypatch.setattr(vanishing, "WINDOWS", 1)
    lags, width = 5, vanishing.FEATURES
    model = build(
        network, head=POINT, n_features=width, horizon=1, units=(3,), start=[[0.0]], fast=True
    )
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([100.0 * kernel, bias])
    norms = vanishing.gradient_norms(model, lags=lags, rng=np.random.default_rng(5))
    window = np.random.default_rng(5).normal(size=(lags, width)).astype("float32")
    moves = 0.01 * np.eye(lags * width).reshape(-1, lags, width)
    after, before = (
        model.predict_on_batch((window + sign * moves).astype("float32"))[:, 0, 0]
        for sign in (1, -1)
    )
    slopes = ((after - before) / 0.02).reshape(lags, width)
    np.testing.assert_allclose(norms, np.linalg.norm(slopes, axis=1)[::-1], rtol=0.02)


def test_open_gates_keep_the_gradient_and_the_picture_shows_it(tmp_path, capsys):
    file = tmp_path / "gradient.png"
    assert vanishing.main(["--seed", "1", "--units", "16", "--plot", str(file)]) == 0
    assert "SimpleRNN" in capsys.readouterr().out
    assert file.stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_so_they_do_with_other_seeds(seed):
    assert vanishing.main(["--seed", str(seed)]) == 0

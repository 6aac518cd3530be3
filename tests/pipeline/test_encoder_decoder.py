"""An encoder-decoder through the program: it reads the calendar ahead wherever it is asked."""

from __future__ import annotations

import numpy as np
import pytest
import simulated

import forecast
from forecast.config import Settings
from forecast.features.inputs import Inputs
from forecast.pipeline.compare import compare
from forecast.pipeline.feature_cache import FeatureCache
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.folds import make_folds
from forecast.pipeline.predict import newest_forecast
from forecast.pipeline.preparing import make_ready, prepare
from forecast.pipeline.unseen import fit_unseen
from forecast.registry import load_run

QUICK = {"units": (4,), "lookback": 10, "epochs": 1, "horizon": 2, "context": "initial"}
CHOSEN = {"source", "network", *QUICK}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("decoded")
    (home / "csv").mkdir()
    simulated.random_walk(600, seed=3).to_csv(home / "csv" / "XYZ.csv", index_label="Date")
    return home


def settings_for(home, network="seq2seq_gru"):
    return Settings(source=f"csv:{home / 'csv'}", network=network, seeds=1, folds=2, **QUICK)


@pytest.fixture(scope="module")
def fetched(home):
    return fetch_for("XYZ", home=home, settings=settings_for(home))


def test_a_saved_run_forecasts_the_coming_sessions(home, fetched):
    run = forecast.train("XYZ", home=home, **settings_for(home).model_dump(include=CHOSEN))
    saved = load_run(home, "XYZ", run.document["run"])
    assert saved.manifest["settings"]["context"] == "initial"
    inputs = Inputs.from_document(saved.inputs["XYZ"]["inputs"])
    assert inputs.week == "1111100"
    coming = newest_forecast(saved, fetched)
    assert np.isfinite(coming.quantiles).all()
    assert (np.diff(coming.quantiles, axis=-1) > 0).all()


def test_folds_and_a_ticker_never_seen_have_it_too(home, fetched):
    settings = settings_for(home)
    for fold in make_folds(fetched, settings):
        assert fold.one.windows.known == fold.one.inputs.known == 4
    like = prepare(fetched, settings).inputs
    inputs, _ = fit_unseen(fetched.bars, ticker="NEW", like=like)
    assert inputs.week == like.week


def test_what_is_kept_for_one_network_is_not_given_to_another(home, fetched):
    settings, plain = settings_for(home), settings_for(home, "gru")
    cache = FeatureCache.of(home / "other")
    cache.store(make_ready(fetched, settings), settings)
    assert cache.load(fetched, plain) is None
    kept = cache.load(fetched, settings)
    assert (kept.windows.known, kept.windows.features.shape[1]) == (4, 16 + 2 * 4)


def test_compared_with_a_network_that_does_not_read_it(home):
    (one,) = compare(
        ["XYZ"], home=home, settings=settings_for(home, "gru"), networks=["gru", "seq2seq_gru"]
    )
    facts = one.document["networks"]
    assert all(found["error"] is None for found in facts.values())
    assert facts["seq2seq_gru"]["parameters"] != facts["gru"]["parameters"]

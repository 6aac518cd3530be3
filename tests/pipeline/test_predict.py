"""`predict`: many tickers as each alone, without Keras; and one that its network never saw."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import simulated

import forecast
from forecast.config import Settings
from forecast.errors import ArtifactError, ForecastError, NotEnoughBars
from forecast.evaluation import intervals
from forecast.evaluation.intervals import Calibration
from forecast.features.inputs import Inputs, fit_inputs
from forecast.features.targets import LEVELS
from forecast.networks.architectures import build
from forecast.networks.forward import load_network
from forecast.networks.training import infer, load_model, prepare_backend
from forecast.pipeline import newest, unseen
from forecast.pipeline import predict as verb
from forecast.pipeline.every import FailedRun
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.newest import Request
from forecast.pipeline.scoring import adjust
from forecast.pipeline.watch import Watch
from forecast.registry import load_run, promote, run_folder, save_run
from forecast.report.forecast_text import forecast_lines

FEATURES = ("return_1", "volatility_20", "rsi_14")
LOOKBACK, HORIZON = 20, 2
SEEN, STRANGER = ["AAA", "BBB", "CCC"], "NEW"
QUANTILES = ("p05", "p10", "p25", "p50", "p75", "p90", "p95")


def settings_of(home):
    return Settings(source=f"csv:{home / 'csv'}")


def save(home, run, tickers, model, *, logs=0.1):
    """A run as training leaves it, with a given network."""
    entries, bars_of = {}, {}
    for number, ticker in enumerate(tickers):
        fetched = fetch_for(ticker, home=home, settings=settings_of(home))
        bars, bars_of[ticker] = fetched.bars, {"snapshot": fetched.snapshot}
        inputs, _ = fit_inputs(
            bars,
            ticker=ticker,
            feature_names=FEATURES,
            lookback=LOOKBACK,
            horizon=HORIZON,
            target="return",
        )
        # The calibration ends some sessions before the newest bar.
        state = Calibration(np.full((HORIZON, 3), number * logs), bars.index[-30])
        entries[ticker] = {"inputs": inputs.as_document(), "calibration": state.as_document()}
    save_run(
        run_folder(home, tickers, run),
        save_network=model.save,
        inputs=entries,
        manifest={"run": run, "network": "lstm", "tickers": bars_of},
        metrics={"runs": []},
    )
    return run


def network(*, seed=None):
    """An LSTM: as it is untrained, or with weights of the size that training gives."""
    model = build("lstm", n_features=len(FEATURES), horizon=HORIZON, units=(6, 5))
    if seed is not None:
        rng = np.random.default_rng(seed)
        model.set_weights([rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    prepare_backend(1)
    home = tmp_path_factory.mktemp("home")
    (home / "csv").mkdir()
    for seed, ticker in enumerate([*SEEN, STRANGER]):
        bars = simulated.random_walk(700, seed=seed, volatility=0.01)
        bars.to_csv(home / "csv" / f"{ticker}.csv", index_label="Date")
    together = save(home, "20260101T000000Z-0001", SEEN, network(seed=2))
    own = save(home, "20260101T000000Z-0002", ["BBB"], network(seed=3))
    save(home, "20260101T000000Z-0003", SEEN, network())
    for ticker in SEEN:
        promote(home, ticker, own if ticker == "BBB" else together, reason="a test")
    return home


def predict(home, *tickers, **options):
    return verb.predict(tickers, home=home, settings=settings_of(home), **options)


def numbers(documents):
    return [{**document, "plot": None} for document in documents]


def test_many_tickers_are_forecast_as_each_alone(home):
    together = predict(home, *SEEN)
    assert [document["ticker"] for document in together] == SEEN
    assert together[0]["run"] == together[2]["run"] != together[1]["run"]
    assert numbers(together) == numbers(predict(home, ticker)[0] for ticker in SEEN)
    assert all(document["in_training"] for document in together)


def test_the_forecast_is_what_keras_gives_within_one_part_in_a_hundred_thousand(home):
    (document,) = predict(home, "AAA")
    saved = load_run(home, "AAA")
    fetched = fetch_for("AAA", home=home, settings=settings_of(home))
    question = newest._Question.of(Request.of(saved, fetched))
    outputs = infer(load_model(saved.network), question.windows)
    theirs = document["last_close"] * np.exp(question.answer(outputs).quantiles)
    ours = [[step[name] for name in QUANTILES] for step in document["steps"]]
    np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    assert len(question.windows) == 29 + HORIZON


def test_a_process_that_predicts_starts_no_keras_and_reads_no_statistics(home):
    script = (
        "import sys; from forecast.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "slow = {'keras', 'tensorflow', 'sklearn', 'scipy', 'statsmodels', 'arch', 'yfinance'}\n"
        "sys.exit(', '.join(slow & set(sys.modules)) or 0)"
    )
    words = ["predict", "AAA", "--json", "--quiet", "--home", home, "--source"]
    result = subprocess.run(
        [sys.executable, "-c", script, *words, f"csv:{home / 'csv'}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert numbers(json.loads(result.stdout)["forecasts"]) == numbers(predict(home, "AAA"))


def test_no_pictures_for_more_tickers_than_anybody_looks_at(home, monkeypatch):
    (document,) = predict(home, "AAA")
    assert (home / document["plot"]).read_bytes().startswith(b"\x89PNG")
    monkeypatch.setattr(verb, "PICTURES", 2)
    documents = predict(home, *SEEN)
    assert [document["plot"] for document in documents] == [None] * 3
    assert not any("Plot" in line for line in forecast_lines(documents[0]))


def test_a_bad_ticker_never_fails_the_others(home):
    good, unknown, untrained = predict(home, "AAA", "ZZZ", STRANGER)
    assert numbers([good]) == numbers(predict(home, "AAA"))
    assert isinstance(unknown, FailedRun)
    assert isinstance(untrained, FailedRun)
    assert untrained.error.hint is not None


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("inputs", "calibration", "told"),
    [
        ({}, {"logs": "x"}, "BBB: its job must end without a fault. ValueError"),
        # Only the network's answer, given in a batch for all, tells what is wrong.
        ({"scaler": {"center": [np.nan] * 3, "scale": [1.0] * 3}}, {}, "must be a finite number"),
        ({}, {"logs": [[0.0] * 3]}, "BBB: its job must end without a fault."),
    ],
)
def test_a_fault_of_one_ticker_is_not_the_others_of_its_network(home, inputs, calibration, told):
    saved = load_run(home, "AAA", "20260101T000000Z-0001")
    requests = [
        Request.of(saved, fetch_for(ticker, home=home, settings=settings_of(home)))
        for ticker in SEEN
    ]
    entry = requests[1].entry
    spoilt = {
        "inputs": entry["inputs"] | inputs,
        "calibration": entry["calibration"] | calibration,
    }
    whole = newest.forecast(requests, load_network)
    requests[1] = replace(requests[1], entry=spoilt)
    first, bad, last = newest.forecast(requests, load_network)
    assert isinstance(bad, ForecastError)
    assert told in bad.message
    for found, wanted in ((first, whole[0]), (last, whole[2])):
        np.testing.assert_array_equal(found.quantiles, wanted.quantiles)


@pytest.mark.parametrize("few", [200, 1])
def test_an_unforeseen_fault_of_one_ticker_leaves_the_others_their_forecast(home, monkeypatch, few):
    before = verb._document

    def document(request, coming):
        return {}["x"] if request.fetched.ticker == "BBB" else before(request, coming)

    monkeypatch.setattr(verb, "_FEW", few)
    whole = numbers(predict(home, *SEEN))
    monkeypatch.setattr(verb, "_document", document)
    first, bad, last = predict(home, *SEEN)
    assert numbers([first, last]) == [whole[0], whole[2]]
    assert bad.error.message.startswith("BBB: its job must end without a fault. KeyError")


def test_a_picture_that_cannot_be_written_costs_no_forecast(home):
    whole = predict(home, "AAA")
    assert whole[0]["plot"] is not None
    folder = home / "reports" / "AAA" / "predict"
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")
    told = []
    again = predict(home, "AAA", watch=Watch(notice=told.append))
    assert again[0]["plot"] is None
    assert numbers(again) == numbers(whole)
    assert "there is no picture" in told[-1]
    folder.unlink()


def test_chunks_for_workers_give_the_same_and_leave_to_keras_what_only_it_knows(home, monkeypatch):
    import keras

    alone = numbers(predict(home, *SEEN))
    monkeypatch.setattr(verb, "_FEW", 1)
    monkeypatch.setattr(verb, "_CHUNK", 2)
    assert numbers(predict(home, *SEEN)) == alone
    inputs = keras.Input((None, len(FEATURES)))
    hidden = keras.layers.LayerNormalization()(keras.layers.LSTM(3)(inputs))
    outputs = keras.layers.Reshape((HORIZON, 8))(keras.layers.Dense(HORIZON * 8)(hidden))
    odd = save(home, "20260101T000000Z-0004", ["CCC"], keras.Model(inputs, outputs))
    saved = load_run(home, "CCC", odd)
    fetched = fetch_for("CCC", home=home, settings=settings_of(home))
    assert verb._in_numpy([Request.of(saved, fetched)]) == [None]
    promote(home, "CCC", odd, reason="a test")
    mixed = predict(home, *SEEN)
    promote(home, "CCC", alone[2]["run"], reason="a test")
    assert numbers(mixed[:2]) == alone[:2]
    assert mixed[2]["run"] == odd
    monkeypatch.undo()
    assert numbers(mixed[2:]) == numbers(predict(home, "CCC", run=odd))


@pytest.mark.slow
def test_worker_processes_give_the_same(home, monkeypatch):
    alone = numbers(predict(home, *SEEN, STRANGER, run="20260101T000000Z-0001"))
    monkeypatch.setattr(verb, "_FEW", 1)
    monkeypatch.setattr(verb, "_CHUNK", 1)
    # Four chunks are enough for processes of their own.
    assert numbers(predict(home, *SEEN, STRANGER, run="20260101T000000Z-0001")) == alone


def test_a_ticker_that_no_network_knows_is_told_of_one_over_others(home):
    with pytest.raises(ArtifactError) as error:
        predict(home, STRANGER)
    assert "forecast train NEW" in error.value.hint
    assert "--model 20260101T000000Z-000" in error.value.hint
    run = error.value.hint.split("--model ")[1].split(",")[0]
    (document,) = predict(home, STRANGER, run=run)
    assert document["run"] == run


def test_a_ticker_the_network_never_saw_is_marked_as_that(home):
    (document,) = predict(home, STRANGER, run="20260101T000000Z-0001")
    assert document["in_training"] is False
    (line,) = [line for line in forecast_lines(document) if "never saw" in line]
    assert "never saw NEW" in line
    assert "not verified" in line
    settings = {"source": f"csv:{home / 'csv'}", "run": document["run"]}
    table = forecast.predict(STRANGER, home=home, **settings)
    assert table.attrs["in_training"] is False
    (known,) = predict(home, "AAA")
    assert not any("never saw" in line for line in forecast_lines(known))


def test_bands_of_an_unseen_ticker_fit_its_own_history(home):
    # Untrained, the network says "a normal distribution in units of the volatility".
    (document,) = predict(home, STRANGER, run="20260101T000000Z-0003")
    for step in document["steps"]:
        half = np.log(step["p90"] / step["p10"]) / 2
        assert half == pytest.approx(1.2816 * 0.01 * np.sqrt(step["step"]), rel=0.35)


def test_an_unseen_ticker_learns_from_no_outcome_but_those_after_its_training_part(home):
    saved = load_run(home, STRANGER, "20260101T000000Z-0001")
    fetched = fetch_for(STRANGER, home=home, settings=settings_of(home))
    question = newest._Question.of(Request.of(saved, fetched))
    bars = fetched.bars
    # As training fits them: the first 70 % of the history decides.
    own, split = fit_inputs(
        bars,
        ticker=STRANGER,
        feature_names=FEATURES,
        lookback=LOOKBACK,
        horizon=HORIZON,
        target="return",
    )
    assert question.inputs.as_document() == own.as_document()
    origins = own.windows(bars, ticker=STRANGER).origin
    held_out = origins[split.validation.start :]
    assert len(held_out) < unseen.LEARNT_FROM
    assert list(question.windows.origin[:-HORIZON]) == list(held_out)
    # The bands start from the median of those that the run knows: logs 0, 0.1 and 0.2.
    np.testing.assert_array_equal(question.state.logs, np.full((HORIZON, 3), 0.1))
    assert question.state.known_until is None
    shape = (len(question.windows), HORIZON, 1 + len(LEVELS))
    outputs = np.broadcast_to(np.r_[0.0, np.arange(-3.0, 4.0)], shape)
    _, learnt = adjust(own, outputs, bars, question.windows, question.state, coming=question.coming)
    assert learnt.known_until == bars.index[-1]
    # Bands of ±1, 2 and 3 units are too wide, and outcomes have narrowed them.
    assert (learnt.logs < intervals.start(HORIZON).logs + 0.1).all()


def test_of_a_run_no_setting_is_advised_where_the_history_is_too_short(home):
    saved = load_run(home, STRANGER, "20260101T000000Z-0001")
    like = Inputs.from_document(saved.inputs["AAA"]["inputs"])
    bars = fetch_for(STRANGER, home=home, settings=settings_of(home)).bars.iloc[:200]
    with pytest.raises(NotEnoughBars, match=r"must have at least 2[0-9]{2} sessions") as caught:
        unseen.fit_unseen(bars, ticker=STRANGER, like=like)
    assert caught.value.hint == "a longer history"

"""Several tickers in one network: parts that begin alike, so that no ticker's past tells ahead."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from simulated import random_walk

from forecast.config import load_settings
from forecast.errors import LeakError
from forecast.features.inputs import known_origins
from forecast.features.splits import at_boundaries, chronological, common_boundaries
from forecast.pipeline.audit import _group_checks, _refit, audit
from forecast.pipeline.documents import recorded_spans
from forecast.pipeline.every import FailedRun
from forecast.pipeline.many import fetch_all, make_all_ready
from forecast.pipeline.preparing import prepare
from forecast.pipeline.together import agree, require_apart, spans_of
from forecast.pipeline.train import fit_network, train
from forecast.pipeline.watch import Watch
from forecast.registry import load_run

OLD, YOUNG, DEAD = "OLD", "YOUNG", "DEAD"


def histories() -> dict[str, pd.DataFrame]:
    """Three that end with one session, two of them short, and one that ended long before."""
    old = random_walk(1500, seed=1)
    young = [random_walk(700, seed=seed).set_axis(old.index[-700:]) for seed in (2, 3)]
    return {
        OLD: old,
        YOUNG: young[0],
        "YOUNG2": young[1],
        DEAD: random_walk(500, seed=4).set_axis(old.index[:500]),
    }


def home_with(folder, bars):
    (folder / "csv").mkdir(parents=True)
    for ticker, own in bars.items():
        own.round(4).to_csv(folder / "csv" / f"{ticker}.csv", index_label="Date")
    return folder


def settings_of(home):
    return load_settings(home, source=f"csv:{home / 'csv'}", lookback=20, units=(4,), epochs=1)


def made_ready(home, *, own_parts=False):
    settings = settings_of(home)
    fetched = fetch_all(list(histories()), home=home, settings=settings, as_of={}, watch=Watch())
    boundaries, short = agree(fetched, settings)
    kept = [one for one in fetched if one.ticker not in short]
    return short, make_all_ready(
        kept,
        home=home,
        settings=settings,
        watch=Watch(),
        boundaries=None if own_parts else boundaries,
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return home_with(tmp_path_factory.mktemp("together"), histories())


@pytest.fixture(scope="module")
def ready(home):
    return made_ready(home)


def test_one_ticker_keeps_the_shares_of_its_own_history():
    origins = pd.bdate_range("2001-01-01", periods=1003)
    boundaries = common_boundaries([origins])
    assert at_boundaries(origins, boundaries, horizon=5, ticker="T") == chronological(
        1003, horizon=5, sessions=1100, ticker="T"
    )
    assert boundaries == common_boundaries([origins] * 3)


def test_the_shares_are_those_of_all_origins():
    old, young = (
        pd.bdate_range("2001-01-01", periods=1000),
        pd.bdate_range("2004-01-01", periods=1000),
    )
    boundaries = common_boundaries([old, young])
    before = [
        sum(int((one < session).sum()) for one in (old, young))
        for session in (boundaries.validation, boundaries.test)
    ]
    assert before == pytest.approx([1400, 1700], abs=2)


def test_a_ticker_whose_history_lies_elsewhere_is_left_out_and_told_why(ready):
    short, made = ready
    assert list(short) == [DEAD]
    assert "origins in the validation part" in str(short[DEAD])
    assert [one.ticker for one in made] == [OLD, YOUNG, "YOUNG2"]


def test_a_history_too_short_is_told_the_same_length_however_short_it_is(home):
    settings = settings_of(home)
    (whole,) = fetch_all([OLD], home=home, settings=settings, as_of={}, watch=Watch())
    needed = []
    for count in (20, 60, 150):
        _, short = agree([replace(whole, end=whole.days[count - 1].date())], settings)
        needed.append(re.search(r"at least (\d+)", str(short[OLD]))[1])
    assert len(set(needed)) == 1


def test_without_those_left_out_the_boundaries_are_the_same(home, ready):
    settings = settings_of(home)
    fetched = fetch_all(
        [one.ticker for one in ready[1]], home=home, settings=settings, as_of={}, watch=Watch()
    )
    boundaries, short = agree(fetched, settings)
    assert not short
    for one, bars in zip(ready[1], fetched, strict=True):
        origins = known_origins(bars.days, one.inputs.feature_names, lookback=20, horizon=1)
        assert one.windows.origin.equals(origins)
        assert one.split == at_boundaries(origins, boundaries, horizon=1, ticker=one.ticker)


def test_no_outcome_that_trains_or_stops_lies_in_the_test_part_of_any(ready):
    spans = [spans_of(one) for one in ready[1]]
    for earlier, later in (("train", "validation"), ("validation", "test")):
        assert max(own[earlier][1] for own in spans) < min(own[later][0] for own in spans)


def test_the_audit_has_the_tickers_beside_each_other(ready):
    for one in require_apart(ready[1]):
        rows = {row["subject"]: row for row in one.audit["rows"]}
        assert rows["validation before test, 3 tickers"]["passed"]
        assert one.audit["text"].startswith(f"{len(one.audit['rows'])} checks")


def test_parts_of_their_own_are_a_leak(home):
    _, made = made_ready(home, own_parts=True)
    with pytest.raises(LeakError, match=r"validation before test, 3 tickers.*YOUNG"):
        require_apart(made)


def test_what_one_ticker_did_while_another_is_tested_changes_nothing_that_is_learnt(
    ready, tmp_path
):
    tested = min(spans_of(one)["test"][0] for one in ready[1])
    bars = histories()
    bars[YOUNG] = bars[YOUNG].mul(np.where(bars[YOUNG].index >= tested, 3.0, 1.0), axis=0)
    _, others = made_ready(home_with(tmp_path, bars))
    for mine, other in zip(ready[1], others, strict=True):
        assert mine.inputs == other.inputs
        for part in (mine.split.train, mine.split.validation):
            learnt = [one.windows.take(part) for one in (mine, other)]
            np.testing.assert_array_equal(*(windows.y for windows in learnt))
            np.testing.assert_array_equal(*(windows.gather(slice(None)) for windows in learnt))


@pytest.mark.parametrize("several", [False, True])
def test_balanced_is_for_several_tickers(home, several):
    settings = settings_of(home)
    tickers = [OLD, YOUNG] if several else [OLD]
    fetched = fetch_all(tickers, home=home, settings=settings, as_of={}, watch=Watch())
    boundaries, _ = agree(fetched, settings)
    prepared = [prepare(one, settings, boundaries) for one in fetched]
    losses = [
        fit_network(
            prepared, settings.model_copy(update={"balanced": balanced}), watch=Watch()
        ).loss
        for balanced in (False, True)
    ]
    assert (losses[0] != losses[1]) == several


@pytest.fixture(scope="module")
def saved(home):
    """A run over OLD and YOUNG, five sessions ahead."""
    settings = settings_of(home).model_copy(update={"horizon": 5})
    runs = train([OLD, YOUNG, DEAD], home=home, settings=settings, together=True)
    assert [type(run) is FailedRun for run in runs] == [False, False, True]
    spans = [run.document["split"] for run in runs[:2]]
    assert spans[0]["test"]["first"] == spans[1]["test"]["first"]
    return load_run(home, OLD)


def test_a_saved_run_is_audited_with_its_parts_and_beside_its_others(home, saved):
    (found,) = audit([OLD], home=home, settings=settings_of(home))
    assert found.passed
    assert "validation before test, 2 tickers" in {check.subject for check in found.checks}


def with_known(saved, ticker, known):
    """The run as if it had recorded this of the ticker."""
    tickers = saved.manifest["tickers"]
    own = {**tickers[ticker], "known": known}
    return replace(saved, manifest={**saved.manifest, "tickers": {**tickers, ticker: own}})


def test_a_run_records_by_when_the_outcomes_of_each_part_were_known(home, saved):
    settings = settings_of(home).model_copy(update={"horizon": 5})
    fetched = fetch_all([OLD, YOUNG], home=home, settings=settings, as_of={}, watch=Watch())
    boundaries, _ = agree(fetched, settings)
    for one in fetched:
        ready = prepare(one, settings, boundaries)
        told, true = recorded_spans(saved, one.ticker), spans_of(ready)
        older = recorded_spans(with_known(saved, one.ticker, {}), one.ticker)
        for part in ("train", "validation"):
            assert told[part] == true[part]
            assert older[part][1] == ready.part(part).origin[-1] + pd.Timedelta(days=5)
        assert told["test"] == (true["test"][0], one.bars.index[-1])


def test_an_outcome_of_another_ticker_that_was_known_too_late_is_a_leak(home, saved):
    """Parts that overlap by an outcome alone: every origin lies where it must."""
    snapshots = {OLD: saved.manifest["tickers"][OLD]["snapshot"]}
    (one,) = fetch_all([OLD], home=home, settings=settings_of(home), as_of=snapshots, watch=Watch())
    audited = _refit(one, saved, settings_of(home))
    assert all(check.passed for check in _group_checks(saved, audited))
    first = f"{recorded_spans(saved, OLD)['test'][0]:%Y-%m-%d}"
    known = saved.manifest["tickers"][YOUNG]["known"] | {"validation": first}
    checks = _group_checks(with_known(saved, YOUNG, known), audited)
    (leak,) = (check for check in checks if not check.passed)
    assert leak.subject == "validation before test, 2 tickers"
    assert f"the last outcome is known on {first} ({YOUNG})" in leak.detail

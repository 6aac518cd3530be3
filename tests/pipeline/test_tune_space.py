"""What a search searches: how it is written, checked, listed and drawn."""

from __future__ import annotations

import itertools
import math

import pytest

from forecast.config import Settings, load_settings
from forecast.errors import ConfigError
from forecast.features.inputs import fit_inputs
from forecast.features.sets import DEFAULT_FEATURES, FEATURE_GROUPS
from forecast.market.fetching import fetch_one
from forecast.pipeline.tune import candidates, space
from forecast.pipeline.tune.part import before_test, moved_earlier, row_hashes
from forecast.pipeline.tune.searches import check_search
from forecast.pipeline.tune.trials import Folds


def said(**values):
    return Settings(tune={"space": values})


def test_choices_and_ranges_as_they_may_be_written():
    found = space.space_of(
        said(
            units=[8, "16+8", [4, 4]],
            features=["ranges", ["return_1", "rsi_14"], "return_1+rsi_14"],
            learning_rate="0.001..0.1 log",
            lookback="20..60",
            network="lstm,gru",
        ),
        grid=False,
    )
    assert found == {
        "network": ("lstm", "gru"),
        "units": ([8], [16, 8], [4, 4]),
        "lookback": space.Range(20, 60, log=False, whole=True),
        "features": ("ranges", ["return_1", "rsi_14"]),
        "learning_rate": space.Range(0.001, 0.1, log=True, whole=False),
    }


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": ["lstm", "transfromer"]}, r"network: must be one of .*'transfromer'"),
        ({"units": ["8+none"]}, r"units.*'8\+none'"),
        ({"dropout": [1.5]}, "dropout: input should be less than 1"),
        ({"features": ["rangs"]}, r"one of default, ranges, wide.*'rangs'.*'ranges'"),
        ({"features": [["rsi_15"]]}, "rsi_15"),
        ({"network": "a..b"}, "network must be a list of values"),
        ({"dropout": "0.4..0.1"}, "LOW below HIGH"),
        ({"learning_rate": "0..0.1 log"}, "above 0"),
        ({"lookback": "1..60"}, "greater than or equal to 2"),
        ({"lookback": "20.5..60"}, "valid integer"),
        ({"batch": []}, "at least one value"),
    ],
)
def test_a_wrong_value_is_named_before_any_work(values, words):
    with pytest.raises(ConfigError, match=words):
        space.space_of(said(**values), grid=False)


def test_an_unknown_setting_names_the_nearest(tmp_path):
    (tmp_path / "forecast.toml").write_text("[tune.space]\nlerning_rate = [0.1]\n")
    with pytest.raises(ConfigError, match=r"'tune.space.lerning_rate'.*'learning_rate'"):
        load_settings(tmp_path)
    with pytest.raises(ConfigError, match=r"--space must name one of .*horizont.*--space"):
        space.read_flags(["horizont=1,2"])
    with pytest.raises(ConfigError, match=r"each setting once\..* 'lookback' again.*--space look"):
        space.read_flags(["lookback=20,30", "units=8", "lookback=40"])
    for word in ("learning_rate", "=3", "units="):
        with pytest.raises(ConfigError, match="NAME=VALUE"):
            space.read_flags([word])


def test_the_command_line_replaces_the_file_and_writes_the_same(tmp_path):
    (tmp_path / "forecast.toml").write_text("[tune]\nfolds = 4\n[tune.space]\ndropout = [0.1]\n")
    flags = ["units=8,16+8", "learning_rate=0.001..0.1 log"]
    settings = load_settings(tmp_path, tune={"space": space.read_flags(flags)})
    assert settings.tune.folds == 4
    found = space.space_of(settings, grid=False)
    assert space.as_flags(found) == [f"--space={flag}" for flag in flags]


def test_of_the_default_space_what_the_user_set_is_held():
    whole = space.space_of(Settings(), grid=False)
    assert list(whole) == [name for name in space.NAMES if name in space.SEARCHED]
    held = space.space_of(Settings(network="gru", batch=16), grid=False)
    assert set(whole) - set(held) == {"network", "batch"}
    assert "features" not in space.space_of(Settings(target="price"), grid=False)
    assert candidates.size(space.space_of(Settings(), grid=True)) == 16


def test_a_grid_has_no_ranges():
    with pytest.raises(ConfigError, match="range for 'dropout'"):
        space.space_of(said(dropout="0..0.4"), grid=True)


def test_a_grid_has_every_combination_once_and_keeps_shapes_together():
    found = space.space_of(
        said(learning_rate=[0.1, 0.2], network=["gru", "lstm"], units=[8, 4, "4+4"]), grid=True
    )
    listed = list(candidates.grid(found))
    keys = [candidates.key_of(one) for one in listed]
    combinations = itertools.product(["gru", "lstm"], ["8", "4", "4+4"], [0.1, 0.2])
    assert sorted(keys) == sorted(
        f"learning_rate={rate} network={network} units={units}"
        for network, units, rate in combinations
    )
    shapes = [(one["network"], tuple(one["units"])) for one in listed]
    assert len(list(itertools.groupby(shapes))) == 6
    assert list(listed[0]) == ["network", "units", "learning_rate"]


@pytest.mark.parametrize(
    "values",
    [
        {"dropout": [0.0, 0.1, 0.2], "lookback": [10, 20, 30, 40]},
        {"dropout": "0..0.4", "lookback": "10..40", "learning_rate": "0.001..0.1 log"},
        {"dropout": [i / 1000 for i in range(900)], "lookback": list(range(10, 210))},
    ],
)
def test_more_random_trials_begin_with_the_same_ones(values):
    found = space.space_of(said(**values), grid=False)
    few = list(candidates.random(found, count=4, seed=3))
    many = list(candidates.random(found, count=9, seed=3))
    assert many[:4] == few
    assert len({candidates.key_of(one) for one in many}) == 9
    assert many != list(candidates.random(found, count=9, seed=4))
    for one in many:
        assert 0 <= one["dropout"] < 1
        assert isinstance(one["lookback"], int)
        assert 0.001 <= one.get("learning_rate", 0.001) <= 0.1


def test_random_ends_where_there_are_no_more():
    found = space.space_of(said(dropout=[0.0, 0.1, 0.2]), grid=False)
    assert len(list(candidates.random(found, count=50, seed=1))) == 3
    assert math.isinf(candidates.size({"dropout": space.Range(0, 0.4, log=False, whole=False)}))


@pytest.mark.parametrize("batch", ["1..300 log", "1..300"])
def test_random_has_every_whole_number_of_a_range(batch):
    found = space.space_of(said(batch=batch), grid=False)
    drawn = [one["batch"] for one in candidates.random(found, count=400, seed=1)]
    assert sorted(drawn) == list(range(1, 301))
    assert drawn[:20] == [one["batch"] for one in candidates.random(found, count=20, seed=1)]


def test_a_grid_without_end_is_refused():
    values = {"lookback": list(range(10, 120)), "patience": list(range(1, 110))}
    found = space.space_of(said(**values), grid=True)
    with pytest.raises(ConfigError, match=r"at most 10,000 combinations.*11,990"):
        check_search("grid", found)
    check_search("random", found)


def test_the_settings_as_they_are_are_counted_once():
    found = space.space_of(said(dropout="0.0..0.1", batch="16..64"), grid=False)
    assert math.isinf(candidates.size_with({"dropout": 0.1, "batch": 64}, found))
    found = space.space_of(said(dropout=[0.0, 0.1], batch="16..64"), grid=False)
    assert candidates.size_with({"dropout": 0.1, "batch": 64}, found) == 98
    assert candidates.size_with({"dropout": 0.1, "batch": 65}, found) == 99
    found = space.space_of(said(dropout=[0.0, 0.1], units=["8", "8+8"]), grid=False)
    assert candidates.size_with({"dropout": 0.1, "units": [8, 8]}, found) == 4
    assert candidates.size_with({"dropout": 0.1, "units": [64, 64]}, found) == 5


def test_the_settings_as_they_are_come_first_and_once():
    listed = list(
        candidates.with_defaults_first({"dropout": 0.1}, iter([{"dropout": 0.2}, {"dropout": 0.1}]))
    )
    assert listed == [{"dropout": 0.1}, {"dropout": 0.2}]


def test_own_values_are_in_the_terms_of_the_space():
    found = dict.fromkeys(["network", "units", "features", "batch"], ())
    assert space.own_values(found, Settings()) == {
        "network": "lstm",
        "units": [64, 64],
        "features": "default",
        "batch": 64,
    }
    odd = Settings(network="bilstm", features=("rsi_14",))
    assert space.own_values(found, odd)["batch"] == 256
    assert space.own_values(found, odd)["features"] == ["rsi_14"]
    back = space.with_values(Settings(), {"features": "ranges", "units": [8, 4]})
    assert (back.features, back.units) == (FEATURE_GROUPS["ranges"], (8, 4))


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    return fetch_one("AAPL", data=tmp_path_factory.mktemp("data"), source="sample")


@pytest.mark.parametrize("lookback", [20, 60, 90])
def test_the_bars_end_before_the_test_part_of_every_setting(fetched, lookback):
    settings = said(lookback=[20, 60, 90], features=["default", "wide"])
    found = space.space_of(settings, grid=True)
    least, _ = space.reach(found, settings)
    part = before_test(fetched, least=least, horizon=5)
    for names in (DEFAULT_FEATURES["return"], FEATURE_GROUPS["wide"]):
        inputs, split = fit_inputs(
            fetched.bars,
            ticker="AAPL",
            feature_names=names,
            lookback=lookback,
            horizon=5,
            target="return",
        )
        tested = inputs.windows(fetched.bars, ticker="AAPL").take(split.test).origin
        assert part.bars.index[-1] < tested[0]
        if lookback == 20 and names is DEFAULT_FEATURES["return"]:
            # And not a session earlier than need be.
            assert part.test.index[0] == tested[0]
    assert len(part.bars) + len(part.test) == len(fetched.bars)
    assert len(part.fetched.history.quotes) == len(part.bars)


def test_every_setting_is_scored_on_the_same_sessions(fetched):
    settings = said(lookback=[20, 90], features=["default", "wide"])
    least, most = space.reach(space.space_of(settings, grid=True), settings)
    part = before_test(fetched, least=least, horizon=1)
    folds = Folds.of(part.fetched, most=most, settings=settings)
    tested = []
    for values in ({"lookback": 20, "features": "default"}, {"lookback": 90, "features": "wide"}):
        one = folds.prepared(1, space.with_values(settings, values))
        tested.append(one.part("test").origin)
        assert one.bars.index[-1] <= part.bars.index[-1]
        assert one.fitted_until < one.part("validation").origin[0]
    assert (tested[0] == tested[1]).all()
    moved = moved_earlier(folds.splits, 7)
    assert moved[0].train == range(folds.splits[0].train.stop + 7)
    assert moved[0].test == range(folds.splits[0].test.start + 7, folds.splits[0].test.stop + 7)


def test_a_rows_hash_can_be_made_again_by_anyone(walk):
    import hashlib

    first = walk.iloc[0]
    text = f"{walk.index[0]:%Y-%m-%d}," + ",".join(
        repr(float(first[name])) for name in ("open", "high", "low", "close", "volume")
    )
    assert row_hashes(walk)[0] == hashlib.sha256(text.encode()).hexdigest()
    assert len(set(row_hashes(walk))) == len(walk)

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest

from forecast.config import load_settings
from forecast.errors import ArtifactError
from forecast.pipeline.every import FailedRun
from forecast.pipeline.feature_cache import FeatureCache
from forecast.pipeline.fetch import fetch_for
from forecast.pipeline.many import fetch_all, make_all_ready
from forecast.pipeline.preparing import Ready, make_ready
from forecast.pipeline.processes import for_each
from forecast.pipeline.watch import Watch


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def settings(home):
    return load_settings(home, source="sample", lookback=20)


@pytest.fixture(scope="module")
def fetched(home, settings):
    return fetch_for("AAPL", home=home, settings=settings)


@pytest.fixture(scope="module")
def ready(fetched, settings):
    return make_ready(fetched, settings)


def assert_same_bits(one, other):
    for name in ("features", "targets", "starts"):
        mine, theirs = getattr(one.windows, name), getattr(other.windows, name)
        assert mine.dtype == theirs.dtype
        assert mine.tobytes() == theirs.tobytes()
    assert one.windows.origin.equals(other.windows.origin)
    assert one.windows.origin.dtype == other.windows.origin.dtype
    assert one.split == other.split
    assert one.inputs.as_document() == other.inputs.as_document()
    assert (one.audit, one.data) == (other.audit, other.data)
    assert one.fetched == other.fetched


def test_what_was_kept_is_the_same_bit_for_bit(tmp_path, fetched, ready, settings):
    cache = FeatureCache.of(tmp_path)
    assert cache.load(fetched, settings) is None
    cache.store(ready, settings)
    kept = cache.load(fetched, settings)
    assert_same_bits(kept, ready)
    assert kept.fetched.content == b""
    assert kept.with_bars(fetched.content).bars.equals(fetched.bars)


def test_other_settings_bars_or_code_find_nothing(tmp_path, fetched, ready, settings, monkeypatch):
    cache = FeatureCache.of(tmp_path)
    cache.store(ready, settings)
    for change in (
        {"lookback": 21},
        {"horizon": 2},
        {"target": "price"},
        {"features": ("rsi_14", "return_1")},
    ):
        assert cache.load(fetched, settings.model_copy(update=change)) is None
    end = fetched.bars.index[-2].date()
    assert cache.load(type(fetched)(**{**vars_of(fetched), "end": end}), settings) is None
    # What decides no feature finds the same file.
    assert cache.load(fetched, settings.model_copy(update={"units": (8,), "seed": 1})) is not None
    monkeypatch.setattr("forecast.pipeline.feature_cache._where", lambda: ["other code"])
    assert cache.load(fetched, settings) is None


def vars_of(fetched):
    return {name: getattr(fetched, name) for name in type(fetched).__dataclass_fields__}


@pytest.mark.parametrize("damage", ["flipped bit", "cut off", "empty"])
def test_a_damaged_file_is_named_and_computed_again(damage, tmp_path, fetched, ready, settings):
    cache = FeatureCache.of(tmp_path)
    cache.store(ready, settings)
    (path,) = cache.folder.iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"flipped bit": content, "cut off": content[:-9], "empty": b""}[damage])
    notices = []
    (again,) = make_all_ready(
        [fetched], home=tmp_path, settings=settings, watch=Watch(notice=notices.append)
    )
    assert_same_bits(again, ready)
    assert len(notices) == 1
    assert path.name in notices[0]
    assert "computed again" in notices[0]
    assert_same_bits(cache.load(fetched, settings), ready)


def test_a_file_under_another_name_is_damaged(tmp_path, fetched, ready, settings):
    cache = FeatureCache.of(tmp_path)
    cache.store(ready, settings)
    other = settings.model_copy(update={"lookback": 21})
    cache._path(fetched, settings, None).rename(cache._path(fetched, other, None))
    with pytest.raises(ArtifactError, match="damaged"):
        cache.load(fetched, other)


@pytest.mark.parametrize("content", [b"", b"junk" * 30])
def test_a_file_with_its_digest_but_no_arrays_is_damaged(content, tmp_path, fetched, settings):
    cache = FeatureCache.of(tmp_path)
    path = cache._path(fetched, settings, None)
    path.parent.mkdir(parents=True)
    path.write_bytes(hashlib.sha256(path.name.encode() + content).digest() + content)
    with pytest.raises(ArtifactError, match="damaged"):
        cache.load(fetched, settings)


def test_a_damaged_file_is_an_error_once(tmp_path, fetched, ready, settings):
    cache = FeatureCache.of(tmp_path)
    cache.store(ready, settings)
    (path,) = cache.folder.iterdir()
    path.write_bytes(b"?" * 100)
    with pytest.raises(ArtifactError, match="damaged"):
        cache.load(fetched, settings)
    assert cache.load(fetched, settings) is None


def test_the_files_unused_for_longest_go_first(tmp_path):
    cache = FeatureCache.of(tmp_path)
    cache.folder.mkdir(parents=True)
    for age, name in enumerate(("newest", "middle", "oldest")):
        path = cache.folder / f"{name}.features"
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    cache.prune(250)
    assert {path.stem for path in cache.folder.iterdir()} == {"newest", "middle"}
    cache.prune(0)
    assert not list(cache.folder.iterdir())


def test_two_processes_make_the_same_bits_and_a_bad_ticker_is_left_out(tmp_path, settings):
    tickers = ["AAPL", "FB", "IBM", "MSFT", "NONE"]
    fetched = fetch_all(tickers, home=tmp_path, settings=settings, as_of={}, watch=Watch())
    assert isinstance(fetched[4], FailedRun)
    assert fetched[4].ticker == "NONE"
    bars = fetched[:4]
    steps = []
    watch = Watch(step=lambda done, of, ticker: steps.append((done, of, ticker)))
    made = make_all_ready(bars, home=tmp_path, settings=settings, watch=watch)
    assert steps == [(number, 4, name) for number, name in enumerate(tickers[:4], start=1)]
    # Facebook has 196 sessions.
    assert isinstance(made[1], FailedRun)
    assert type(made[1].error).__name__ == "NotEnoughBars"
    for place in (0, 2, 3):
        (here,) = for_each(lambda one: make_ready(one, settings), [bars[place]], named=str, count=1)
        assert_same_bits(here, made[place])


def test_only_tickers_that_are_ready_have_a_number(tmp_path, settings):
    """A number that no row has would leave its part of an embedding as it was drawn."""
    tickers = ["AAPL", "FB", "MSFT"]
    fetched = fetch_all(tickers, home=tmp_path, settings=settings, as_of={}, watch=Watch())
    made = make_all_ready(fetched, home=tmp_path, settings=settings, watch=Watch(), numbered=True)
    assert [one.inputs.number for one in made if isinstance(one, Ready)] == [1, 2]
    assert made[2].windows.features[0, 0] == 2


def test_a_second_time_nothing_is_computed(tmp_path, fetched, settings, monkeypatch):
    (first,) = make_all_ready([fetched], home=tmp_path, settings=settings, watch=Watch())
    monkeypatch.setattr("forecast.pipeline.many.make_ready", None)
    (second,) = make_all_ready([fetched], home=tmp_path, settings=settings, watch=Watch())
    assert_same_bits(first, second)


def test_a_cache_that_cannot_be_written_only_costs_time(tmp_path, fetched, ready, settings):
    (tmp_path / "data").write_text("a file where the folder would be")
    (made,) = make_all_ready([fetched], home=tmp_path, settings=settings, watch=Watch())
    assert_same_bits(made, ready)


def test_inputs_survive_json_to_the_last_bit(ready):
    document = ready.inputs.as_document()
    assert json.loads(json.dumps(document)) == document
    rows = np.random.default_rng(0).normal(size=(5, len(ready.inputs.feature_names)))
    again = type(ready.inputs).from_document(json.loads(json.dumps(document)))
    assert again.scaler.transform(rows).tobytes() == ready.inputs.scaler.transform(rows).tobytes()

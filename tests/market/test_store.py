import json
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loopback import made_up

from forecast.errors import ArtifactError, BusyError, ConfigError
from forecast.market import store as store_module
from forecast.market.bars import QUOTE_COLUMNS, History
from forecast.market.signing import sign
from forecast.market.snapshots import Marks, decode, encode
from forecast.market.store import Store
from forecast.market.upkeep import damaged, prune

NOON = pd.Timestamp("2026-11-20 12:00", tz="UTC")
LATER = NOON + pd.Timedelta(days=9)
MARKS = Marks(None, "2026-11-20T12:00:00+00:00", None)


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return Store.open(tmp_path / "data")
    return Store.open(f"memory://{tmp_path.name}/data")


@pytest.fixture
def local(tmp_path):
    return Store.open(tmp_path / "data")


def add(store, quotes, *, ticker="AAPL", source="yahoo", hours=0, **given):
    given = {"findings": [], "change": None, "parent": None, "marks": MARKS, **given}
    history = History(ticker, quotes, source, "NMS", "USD", "America/New_York")
    return store.add(history, now=NOON + pd.Timedelta(hours=hours), **given)[0]


def read(store, manifest):
    return decode(store.payload(manifest))


def same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_exact=True, check_freq=False)


def files(store, ticker="AAPL"):
    return sorted(Path(store.root, ticker).iterdir())


def test_quotes_come_back_bit_for_bit(store):
    quotes = made_up(500)
    manifest = add(store, quotes)
    same(read(store, manifest), quotes)


@settings(max_examples=50)
@given(
    st.lists(st.lists(st.floats(allow_nan=False), min_size=8, max_size=8), min_size=1, max_size=20),
    st.dates(),
)
def test_any_numbers_come_back_bit_for_bit(rows, first):
    index = pd.date_range(pd.Timestamp(first), periods=len(rows), name="session", unit="us")
    quotes = pd.DataFrame(rows, index=pd.DatetimeIndex(index, freq=None), columns=QUOTE_COLUMNS)
    same(decode(encode(quotes)), quotes)


def test_the_manifest_says_what_was_stored(store):
    quotes = made_up(30)
    findings = [{"severity": "warn", "kind": "jump", "sessions": ["2024-01-05"], "did": "kept"}]
    first = add(store, quotes)
    manifest = add(store, quotes * 2, hours=1, findings=findings, change="split", parent=first)
    assert manifest.snapshot.startswith("20261120T130000Z-")
    assert manifest.snapshot.endswith(manifest.sha256[:8])
    assert (manifest.first, manifest.last, manifest.rows) == ("2024-01-02", "2024-02-12", 30)
    assert manifest.fetched_at == "2026-11-20T13:00:00+00:00"
    assert (manifest.exchange, manifest.currency) == ("NMS", "USD")
    assert (manifest.change, manifest.parent) == ("split", first.snapshot)
    assert manifest.findings == findings
    assert set(manifest.libraries) >= {"pandas", "pyarrow", "yfinance"}
    assert store.manifest("AAPL", manifest.snapshot) == manifest


def test_the_newest_of_each_source_is_its_own(store):
    assert store.newest("AAPL", "yahoo") is None
    yahoo = add(store, made_up(30))
    csv = add(store, made_up(20), source="csv", hours=1)
    newer = add(store, made_up(31), hours=2)
    assert store.newest("AAPL", "yahoo").manifest == newer
    assert store.newest("AAPL", "yahoo").marks == MARKS
    assert store.newest("AAPL", "csv").manifest == csv
    assert store.newest("AAPL", "sample") is None
    assert store.manifests("AAPL") == [newer, csv, yahoo]
    assert store.manifests("AAPL", "yahoo") == [newer, yahoo]
    assert store.tickers() == ["AAPL"]


def test_opening_a_store_creates_nothing(tmp_path):
    store = Store.open(tmp_path / "data")
    assert store.newest("AAPL", "yahoo") is None
    assert store.tickers() == []
    assert list(tmp_path.iterdir()) == []


def test_an_address_no_file_system_answers_to():
    with pytest.raises(ConfigError, match="nowhere://bucket"):
        Store.open("nowhere://bucket/data")


def test_a_snapshot_that_is_not_there(store):
    add(store, made_up(30))
    for name in ("20200101T000000Z-00000000", "../AAPL/yahoo", ".hidden"):
        with pytest.raises(ArtifactError, match="AAPL"):
            store.manifest("AAPL", name)


def test_every_page_of_the_parquet_file_has_a_checksum(local):
    add(local, made_up(500))
    [path] = [path for path in files(local) if path.suffix == ".parquet"]
    table = pq.read_table(path, page_checksum_verification=True)
    assert table.column_names == ["session", *QUOTE_COLUMNS]
    # Without checksums in the pages this would read back a wrong number without an error.
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    with pytest.raises(ArtifactError):
        decode(bytes(content))


def test_a_flipped_bit_anywhere_is_found_and_the_file_named(local):
    quotes, newer = made_up(30), made_up(31)
    chance = random.Random(1)
    for _ in range(60):
        first = add(local, quotes)
        second = add(local, newer, hours=1, parent=first)
        path = chance.choice(files(local))
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        path.write_bytes(content)
        # Whatever was hit, what is served is one of the two, whole; or the error names the file.
        newest = local.newest("AAPL", "yahoo")
        assert newest.manifest in (first, second)
        try:
            served = read(local, newest.manifest)
        except ArtifactError as error:
            assert path.suffix == ".parquet"
            assert str(path) in str(error)
            assert "damaged" in str(error)
        else:
            expected = quotes if newest.manifest == first else newer
            same(served, expected)


def test_a_damaged_pointer_falls_back_to_the_newest_manifest(local):
    add(local, made_up(30))
    second = add(local, made_up(31), hours=1)
    Path(local.root, "AAPL", "yahoo.json").write_text("{half")
    newest = local.newest("AAPL", "yahoo")
    assert newest.manifest == second
    assert newest.marks is None
    assert "yahoo.json must be as it was written. It is damaged." in newest.damage


def test_a_damaged_manifest_falls_back_to_the_one_before(local):
    first = add(local, made_up(30))
    second = add(local, made_up(31), hours=1)
    path = Path(local.root, "AAPL", f"{second.snapshot}.json")
    path.write_text(path.read_text().replace('"rows": 31', '"rows": 32'))
    assert local.newest("AAPL", "yahoo").manifest == first
    assert f"{second.snapshot}.json must be as it was" in local.newest("AAPL", "yahoo").damage
    with pytest.raises(ArtifactError, match=second.snapshot):
        local.manifest("AAPL", second.snapshot)


def test_every_damaged_file_is_listed(local):
    first = add(local, made_up(30))
    second = add(local, made_up(31), hours=1)
    assert damaged(local, "AAPL") == []
    Path(local.root, "AAPL", f"{first.snapshot}.parquet").write_bytes(b"PAR1")
    Path(local.root, "AAPL", f"{second.snapshot}.json").write_text("{")
    Path(local.root, "AAPL", "yahoo.json").write_text("[]")
    names = [
        error.message.split(" must be")[0].rsplit("/", 1)[1] for error in damaged(local, "AAPL")
    ]
    assert sorted(names) == sorted(
        [f"{first.snapshot}.parquet", f"{second.snapshot}.json", "yahoo.json"]
    )
    assert damaged(local, "MSFT") == []


def test_what_helps_against_damage_depends_on_whether_a_fetch_writes_the_file_again(local):
    first = add(local, made_up(30))
    second = add(local, made_up(31), hours=1)
    for one in (first, second):
        Path(local.root, "AAPL", f"{one.snapshot}.parquet").write_bytes(b"PAR1")
    old, newest = damaged(local, "AAPL")
    assert newest.hint == "forecast fetch AAPL --refresh"
    path = Path(local.root, "AAPL", first.snapshot)
    assert f"rm {path}.*" in old.hint
    # What it says helps.
    for file in path.parent.glob(f"{path.name}.*"):
        file.unlink()
    assert len(damaged(local, "AAPL")) == 1


def test_pruning_takes_what_has_a_damaged_manifest_unless_a_run_or_a_pointer_names_it(local):
    torn, named, old, newest = [add(local, made_up(30 + hour), hours=hour) for hour in range(4)]
    other = add(local, made_up(20), source="csv")
    for one in (torn, named, other):
        Path(local.root, "AAPL", f"{one.snapshot}.json").write_text("")
    assert prune(local, "AAPL", keep=9, now=LATER, named={named.snapshot}) == [torn.snapshot]
    left = {path.name.partition(".")[0] for path in files(local)}
    assert left == {named.snapshot, old.snapshot, newest.snapshot, other.snapshot, "yahoo", "csv"}


def test_pruning_leaves_a_manifest_that_a_newer_version_wrote(local):
    first = add(local, made_up(30))
    add(local, made_up(31), hours=1)
    path = Path(local.root, "AAPL", f"{first.snapshot}.json")
    path.write_bytes(sign(asdict(first) | {"of_a_later_version": 1}))
    assert prune(local, "AAPL", keep=9, now=LATER) == []
    assert path.exists()


def test_adding_the_same_quotes_again_heals_a_damaged_file(local):
    manifest = add(local, made_up(30))
    path = Path(local.root, "AAPL", f"{manifest.snapshot}.parquet")
    path.write_bytes(path.read_bytes()[:100])
    assert add(local, made_up(30), hours=5, parent=manifest) == manifest
    same(read(local, manifest), made_up(30))


def test_pruning_keeps_the_newest_of_each_source_and_what_runs_name(store):
    old = [add(store, made_up(30 + hour), hours=hour) for hour in range(5)]
    csv = add(store, made_up(10), source="csv")
    removed = prune(store, "AAPL", keep=2, now=LATER, named={old[1].snapshot})
    assert sorted(removed) == sorted([old[0].snapshot, old[2].snapshot])
    assert store.manifests("AAPL", "yahoo") == [old[4], old[3], old[1]]
    assert store.manifests("AAPL", "csv") == [csv]
    for manifest in store.manifests("AAPL"):
        assert len(read(store, manifest)) == manifest.rows
    assert prune(store, "AAPL", keep=2, now=LATER, named={old[1].snapshot}) == []


def test_pruning_leaves_what_was_replaced_within_the_last_day(store):
    old, taken, newest = [add(store, made_up(30 + hour), hours=hour) for hour in (0, 2, 30)]
    # A training may have begun with `taken` until the newest came, six hours ago.
    now = NOON + pd.Timedelta(hours=36)
    assert prune(store, "AAPL", keep=1, now=now) == [old.snapshot]
    assert store.manifests("AAPL") == [newest, taken]
    assert prune(store, "AAPL", keep=1, now=now + pd.Timedelta(hours=19)) == [taken.snapshot]


def test_pruning_clears_what_a_killed_writer_left(local):
    manifest = add(local, made_up(30))
    folder = Path(local.root, "AAPL")
    (folder / ".yahoo.json.x1y2").write_text("{")
    (folder / "20261120T120000Z-ffffffff.parquet").write_bytes(b"PAR1")
    (folder / ".ipynb_checkpoints").mkdir()
    prune(local, "AAPL", keep=3, now=LATER)
    # A folder is not a writer's.
    assert {path.name for path in folder.iterdir()} - {".ipynb_checkpoints"} == {
        f"{manifest.snapshot}.parquet",
        f"{manifest.snapshot}.json",
        "yahoo.json",
    }


def test_pruning_to_nothing_is_a_programming_fault(store):
    with pytest.raises(ValueError, match="at least 1"):
        prune(store, "AAPL", keep=0, now=LATER)


def test_the_lock_lets_one_in_at_a_time(local, monkeypatch):
    monkeypatch.setattr(store_module, "_LOCK_WAIT", 0.05)
    with local.lock("AAPL"):
        with local.lock("MSFT"):
            pass
        with pytest.raises(BusyError, match="AAPL"), local.lock("AAPL"):
            pass
    with local.lock("AAPL"):
        pass


def test_who_gives_up_waits_for_no_lock(local):
    local.stop.set()
    with local.lock("AAPL"), pytest.raises(KeyboardInterrupt), local.lock("AAPL"):
        pass


def test_many_writers_and_readers_never_see_half_a_file(local):
    add(local, made_up(30))

    def write(hour):
        with local.lock("AAPL"):
            add(local, made_up(30 + hour), hours=hour)

    def look(_):
        manifest = local.newest("AAPL", "yahoo").manifest
        assert len(read(local, manifest)) == manifest.rows

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, hour) for hour in range(1, 30)]
        readers = [pool.submit(look, number) for number in range(200)]
        for future in writers + readers:
            future.result()
    assert len(local.manifests("AAPL")) == 30


def test_a_store_that_cannot_be_written(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    store = Store.open(tmp_path / "data")
    with pytest.raises(ArtifactError, match="writable"), store.lock("AAPL"):
        pass
    with pytest.raises(ArtifactError, match="writable"):
        add(store, made_up(30))


def test_the_pointer_is_json_that_a_query_can_read(local):
    manifest = add(local, made_up(30))
    pointer = json.loads(Path(local.root, "AAPL", "yahoo.json").read_text())
    assert (pointer["ticker"], pointer["snapshot"]) == ("AAPL", manifest.snapshot)

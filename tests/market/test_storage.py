"""What file systems refuse, on this machine and elsewhere."""

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from forecast.errors import ArtifactError, ConfigError
from forecast.market.storage import Storage
from forecast.market.store import Store


class RefusedError(Exception):
    """What a package such as botocore raises: no OSError, and no base that is known here."""


class Bucket(MemoryFileSystem):
    """Objects that nobody may touch."""

    protocol = "bucket"

    def _refuse(self, *_, **__):
        raise RefusedError("Unable to locate credentials.")

    cat_file = pipe_file = ls = makedirs = rm_file = isdir = _refuse


@pytest.fixture
def bucket():
    fsspec.register_implementation("bucket", Bucket, clobber=True)
    return Store.open("bucket://b/data")


@pytest.mark.parametrize("address", ["jupyter://x", "reference://x", "nowhere://x"])
def test_an_address_that_leads_nowhere(address):
    with pytest.raises(ConfigError, match=f"fsspec knows. Received '{address}': "):
        Store.open(address)


@pytest.mark.parametrize("scheme", ["file", "local"])
def test_an_address_on_this_machine_is_a_folder_with_locks(scheme, tmp_path):
    store = Store.open(f"{scheme}://{tmp_path}/data")
    assert store == Store.open(tmp_path / "data")
    assert store.locks == tmp_path / "data" / "cache" / "locks"


def test_an_address_of_what_is_no_folder():
    with pytest.raises(ArtifactError, match="NotImplementedError"):
        Store.open("data://x").newest("AAPL", "yahoo")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda store: store.newest("AAPL", "yahoo"), "/b/data/bars/AAPL must be listable"),
        (lambda store: store.tickers(), "/b/data/bars must be listable"),
        (lambda store: store.files.read("AAPL", "x.json"), "x.json must be readable"),
        (lambda store: store.files.write("AAPL", "x.json", b""), "x.json must be writable"),
        (lambda store: store.files.remove("AAPL", "x.json"), "x.json must be removable"),
    ],
)
def test_a_remote_store_that_refuses_is_named(bucket, ask, said):
    with pytest.raises(ArtifactError, match=f"{said}. .*ing it failed: Unable to locate") as caught:
        ask(bucket)
    assert "credentials" in caught.value.hint


@pytest.fixture
def storage(tmp_path):
    (tmp_path / "AAPL").mkdir()
    return Storage(str(tmp_path), None)


def test_a_folder_among_the_files_is_none_of_them(storage, tmp_path):
    (tmp_path / "AAPL" / "yahoo.json").mkdir()
    (tmp_path / "AAPL" / "csv.json").write_text("{}")
    assert storage.names("AAPL") == ["csv.json"]
    for refused in (storage.read, storage.remove):
        with pytest.raises(ArtifactError, match=r"yahoo\.json must be re"):
            refused("AAPL", "yahoo.json")


def test_a_link_that_leads_to_itself_is_named(storage, tmp_path):
    (tmp_path / "LOOP").symlink_to("LOOP")
    with pytest.raises(ArtifactError, match="LOOP must be listable"):
        storage.names("LOOP")


def test_what_is_not_there_is_no_fault(storage, tmp_path):
    (tmp_path / "FILE").write_text("")
    for ticker in ("AAPL", "NONE", "FILE"):
        assert storage.names(ticker) == []
        assert storage.read(ticker, "yahoo.json") is None
        storage.remove(ticker, "yahoo.json")

from __future__ import annotations

import json
import stat
from importlib.metadata import version

import pytest

from forecast.errors import ArtifactError
from forecast.files import sha256
from forecast.registry import (
    MANIFEST,
    NETWORK,
    load_run,
    named_snapshots,
    new_run,
    promote,
    run_folder,
    save_run,
    saved_documents,
)
from forecast.registry.runs import own_sha256


def test_the_champion_is_loaded_unless_a_run_is_named(tmp_path, save):
    save("first")
    save("both", "AAPL", "IBM")
    with pytest.raises(ArtifactError, match="must be a trained network"):
        load_run(tmp_path, "AAPL")
    promote(tmp_path, "AAPL", "first", reason="by hand")
    promote(tmp_path, "IBM", "both", reason="by hand")
    assert load_run(tmp_path, "AAPL").manifest["run"] == "first"
    assert load_run(tmp_path, "AAPL", "both").folder.parent.name == "_together"
    assert load_run(tmp_path, "IBM").network.read_bytes() == b"network"


@pytest.mark.parametrize("run", ["second", "../IBM/own", "", ".", "..", ".first.0a1b2c3d"])
def test_only_finished_runs_of_the_ticker_are_found(run, tmp_path, save):
    folder = save("first")
    save("own", "IBM")
    # Still being written: its manifest is there, the folder is not yet called by its name.
    (folder.parent / ".first.0a1b2c3d").mkdir()
    (folder.parent / ".first.0a1b2c3d" / MANIFEST).write_text("{}")
    with pytest.raises(ArtifactError, match="AAPL: there must be a run"):
        load_run(tmp_path, "AAPL", run)


@pytest.mark.parametrize("name", ["network.keras", "inputs.json", "metrics.json"])
def test_a_changed_byte_is_found_before_anything_is_loaded(name, tmp_path, save, damage):
    damage(save("run") / name)
    with pytest.raises(ArtifactError, match=rf"{name} must be as it was saved"):
        load_run(tmp_path, "AAPL", "run")


def test_a_changed_byte_of_the_manifest_is_found(tmp_path, save):
    path = save("run", versions={"keras": "3.1"}, seed=7) / MANIFEST
    path.chmod(0o644)
    whole = path.read_bytes()
    written = json.loads(whole)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            read = load_run(tmp_path, "AAPL", "run").manifest
        except ArtifactError as error:
            assert str(path.parent) in str(error)
        else:
            # The byte was a space between two entries.
            assert read == written


def test_what_a_run_printed_is_read_without_its_network(tmp_path, save, damage):
    folder = save("run", "AAPL", "IBM")
    damage(folder / NETWORK)
    assert list(saved_documents(tmp_path, "IBM", "run")) == ["AAPL", "IBM"]
    assert saved_documents(tmp_path, "IBM", "run")["IBM"]["ticker"] == "IBM"
    assert saved_documents(tmp_path, "IBM", "removed") == {}
    # No file system takes such a name; a ledger may hold it.
    assert saved_documents(tmp_path, "IBM", "x" * 1000) == {}
    damage(folder / "metrics.json")
    assert saved_documents(tmp_path, "IBM", "run") == {}
    damage(save("other") / MANIFEST)
    assert saved_documents(tmp_path, "AAPL", "other") == {}


def test_a_missing_file_is_found(tmp_path, save):
    (save("run") / "metrics.json").unlink()
    with pytest.raises(ArtifactError, match=r"metrics\.json must be .*Received no file"):
        load_run(tmp_path, "AAPL", "run")


def test_a_saved_run_is_never_written_to_again(tmp_path, save):
    folder = save("run")
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ArtifactError, match="must be writable"):
        save("run")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o444}
    assert [path.name for path in folder.parent.iterdir()] == ["run"]


def test_a_network_that_does_not_verify_leaves_nothing(tmp_path):
    def refuse(folder):
        assert (folder / MANIFEST).exists()
        raise ArtifactError(f"{(folder / NETWORK).read_bytes()!r} does not load")

    with pytest.raises(ArtifactError, match="does not load"):
        save_run(
            run_folder(tmp_path, ["AAPL"], "run"),
            save_network=lambda path: path.write_bytes(b"x"),
            inputs={},
            manifest={},
            metrics={},
            verify=refuse,
        )
    assert not list((tmp_path / "models" / "AAPL").iterdir())


def doctored(folder, **changes):
    path = folder / MANIFEST
    path.chmod(0o644)
    manifest = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({**manifest, "manifest_sha256": own_sha256(manifest)}))


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (
            99,
            r"Received 99, made by .* Try: upgrade this program, or forecast train",
        ),
        (0, r"must be of format 3\. Received 0\. Try: forecast train AAPL"),
        (None, r"Received None\. Try: forecast train AAPL"),
    ],
)
def test_a_run_of_another_format_says_what_to_do(found, says, tmp_path, save):
    doctored(save("run"), format=found)
    with pytest.raises(ArtifactError) as error:
        load_run(tmp_path, "AAPL", "run")
    assert error.match(says)


def test_a_manifest_cannot_point_elsewhere(tmp_path, save):
    folder = save("run")
    (folder / "code.pkl").write_bytes(b"x")
    checksums = json.loads((folder / MANIFEST).read_text())["sha256"]
    for name in ("code.pkl", "../../outside"):
        doctored(folder, sha256={**checksums, name: sha256(folder / "code.pkl")})
        with pytest.raises(ArtifactError, match="and of nothing else"):
            load_run(tmp_path, "AAPL", "run")


def test_another_major_version_of_keras_is_noticed(tmp_path, save):
    save("same", versions={"keras": version("keras")})
    save("older", versions={"keras": "2.15.0"})
    save("unknown")
    assert load_run(tmp_path, "AAPL", "same").notice is None
    assert load_run(tmp_path, "AAPL", "unknown").notice is None
    notice = load_run(tmp_path, "AAPL", "older").notice
    assert notice.startswith("older was saved by Keras 2.15.0 and is read by Keras 3.")


def test_snapshots_that_runs_were_trained_on_are_named(tmp_path, save):
    broken = save("one") / MANIFEST
    save("two", "AAPL", "IBM")
    broken.chmod(0o644)
    broken.write_text("{")
    save("three")
    assert named_snapshots(tmp_path) == {"AAPL": {"s-two", "s-three"}, "IBM": {"s-two"}}


def test_two_runs_of_one_second_have_two_names():
    assert len({new_run() for _ in range(20)}) > 1

from __future__ import annotations

import json
import os
import pickle

import pytest

from forecast.errors import ArtifactError, ForecastError, UnknownTicker, from_system
from forecast.files import inside, sha256, staged_folder, write_atomically, write_json


def test_a_file_is_written_whole_with_the_rights_the_umask_gives(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    # printf two | sha256sum
    assert sha256(path).startswith("3fc4ccfe745870e2")


def test_what_is_no_json_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_a_staged_folder_appears_whole_or_not_at_all(tmp_path):
    final = tmp_path / "runs" / "one"
    with pytest.raises(KeyboardInterrupt), staged_folder(final) as stage:
        (stage / "half").write_text("x")
        raise KeyboardInterrupt
    assert not list(final.parent.iterdir())
    with staged_folder(final) as stage:
        (stage / "whole").write_text("x")
        assert not final.exists()
    assert [entry.name for entry in final.parent.iterdir()] == ["one"]
    assert (final / "whole").read_text() == "x"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match=r"must be writable.*--home"):
        write_atomically(tmp_path / "file" / "below", b"")
    with (
        pytest.raises(ArtifactError, match="must be writable"),
        staged_folder(tmp_path / "file" / "below"),
    ):
        pass


@pytest.mark.parametrize("part", ["../x", "/etc", "a/../../x"])
def test_a_path_stays_inside_its_root(part, tmp_path):
    with pytest.raises(ArtifactError, match="must stay inside"):
        inside(tmp_path / "root", part)


def test_an_error_keeps_its_hint_across_processes():
    error = UnknownTicker("no such ticker", hint="forecast fetch AAPL")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, UnknownTicker)
    assert isinstance(again, ForecastError)
    assert str(again) == "no such ticker Try: forecast fetch AAPL"
    assert json.loads(json.dumps(again.as_document())) == {
        "type": "UnknownTicker",
        "message": "no such ticker",
        "hint": "forecast fetch AAPL",
    }


def test_a_refusal_names_the_file_where_there_is_one(tmp_path):
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "gone").read_bytes()
    assert f"No such file or directory ({tmp_path / 'gone'})." in from_system(caught.value).message
    full = from_system(OSError(28, "No space left on device"))
    assert full.message == "the system refused a file: No space left on device."

"""One table says what reads each setting; what is made from it is tested where it is made."""

from __future__ import annotations

from forecast.cli import cli
from forecast.config import Settings
from forecast.pipeline.readers import READERS, VERBS, Reader, read_by


def test_every_setting_is_in_the_table():
    assert list(READERS) == list(Settings.model_fields)
    assert set(READERS.values()) == set(Reader)


def test_verbs_are_commands():
    assert VERBS.keys() <= cli.commands.keys()


def test_only_what_is_read_is_chosen():
    document = {"seed": 7, "cost": 5.0, "folds": 3, "embedding": 0, "source": "yahoo"}
    assert read_by(VERBS["train"], document) == {"seed": 7}
    assert read_by(VERBS["evaluate"], document) == {"seed": 7, "cost": 5.0, "folds": 3}

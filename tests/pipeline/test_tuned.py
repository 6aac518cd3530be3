"""Which of the settings that a search found `train` uses, and what it says of them."""

from __future__ import annotations

import json
from datetime import date

import pytest
import simulated

from forecast.config import Settings, load_settings
from forecast.errors import ConfigError
from forecast.market.fetching import fetch_one
from forecast.pipeline.train import train
from forecast.pipeline.tuned import Tuned, read_tuned, tuned_for, write_tuned
from forecast.pipeline.watch import Watch
from forecast.registry import champion, load_run

FOUND = {"units": [3], "learning_rate": 0.01, "features": ["return_1", "rsi_14"]}


def tuned(**changes):
    found = {
        "study": "reports/XYZ/tune/0123",
        "target": "return",
        "horizon": 1,
        "last": date(2001, 1, 2),
        "settings": FOUND,
    }
    return Tuned(**{**found, **changes})


@pytest.fixture(scope="module")
def history():
    return simulated.random_walk(620, seed=3)


@pytest.fixture
def home(tmp_path, history):
    (tmp_path / "csv").mkdir()
    history.to_csv(tmp_path / "csv" / "XYZ.csv", index_label="Date")
    write_tuned(tmp_path, "XYZ", tuned(last=history.index[300].date()), comment="from a test")
    return tmp_path


@pytest.fixture
def fetched(home):
    return fetch_one("XYZ", data=home / "data", source=f"csv:{home / 'csv'}")


def asked(fetched, home, **changes):
    notices = []
    settings = Settings(**{"lookback": 10, **changes})
    found = tuned_for(fetched, home=home, settings=settings, watch=Watch(notice=notices.append))
    return *found, notices


def test_what_is_written_is_read_again(home, history):
    text = (home / "models" / "XYZ" / "tuned.toml").read_text()
    assert text.startswith("# from a test\n")
    assert read_tuned(home, "XYZ") == tuned(last=history.index[300].date())
    assert read_tuned(home, "OTHER") is None


def test_they_fill_what_nobody_has_set(fetched, home):
    settings, used, notices = asked(fetched, home)
    assert (settings.units, settings.learning_rate) == ((3,), 0.01)
    assert settings.features == ("return_1", "rsi_14")
    assert used.settings == FOUND
    assert len(notices) == 1
    assert "units 3, learning_rate 0.01" in notices[0]
    assert notices[0].endswith("(reports/XYZ/tune/0123), from models/XYZ/tuned.toml")


def test_what_is_set_wins_even_where_it_is_the_default(fetched, home):
    settings, used, _ = asked(fetched, home, learning_rate=0.003, units=(8,))
    assert (settings.units, settings.learning_rate) == ((8,), 0.003)
    assert used.settings == {"features": FOUND["features"]}
    assert asked(fetched, home, **FOUND)[1:] == (None, [])


def test_the_file_and_the_environment_win_too(fetched, home, monkeypatch):
    (home / "forecast.toml").write_text("units = [7]\nlookback = 10\n")
    monkeypatch.setenv("FORECAST_LEARNING_RATE", "0.02")
    settings, used = tuned_for(fetched, home=home, settings=load_settings(home), watch=Watch())
    assert (settings.units, settings.learning_rate) == ((7,), 0.02)
    assert list(used.settings) == ["features"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"horizon": 5}, "horizon 1"), ({"target": "price"}, "target return")],
)
def test_those_of_another_target_or_horizon_are_left_out(fetched, home, changes, words):
    settings, used, notices = asked(fetched, home, **changes)
    assert used is None
    assert settings == Settings(lookback=10, **changes)
    assert "left out" in notices[0]
    assert words in notices[0]


def test_those_that_do_not_go_with_what_is_set_are_left_out(fetched, home, history):
    found = tuned(last=history.index[300].date(), settings={"network": "bilstm", "units": [3]})
    write_tuned(home, "XYZ", found, comment="every step is not for it")
    settings, used, notices = asked(fetched, home, outputs="every")
    assert used is None
    assert settings == Settings(lookback=10, outputs="every")
    assert "left out" in notices[0]
    assert "bilstm sees later rows" in notices[0]
    assert asked(fetched, home)[0].network == "bilstm"


def test_those_that_have_seen_the_test_part_are_left_out(fetched, home, history):
    write_tuned(home, "XYZ", tuned(last=history.index[-50].date()), comment="too late")
    settings, used, notices = asked(fetched, home)
    assert used is None
    assert settings.units == (64, 64)
    assert f"bars to {history.index[-50]:%Y-%m-%d}" in notices[0]


@pytest.mark.parametrize(
    "text",
    [
        "study = ",
        'study = "x"\n',
        'study = "x"\ntarget = "return"\nhorizon = 1\nlast = 3\n[settings]\n',
        'study = "x"\ntarget = "return"\nhorizon = 1\nlast = 2001-01-02\n[settings]\nunits = [0]\n',
        'study = "x"\ntarget = "return"\nhorizon = 1\nlast = 2001-01-02\n[settings]\nfoo = 1\n',
    ],
)
def test_a_damaged_file_is_named(home, text):
    (home / "models" / "XYZ" / "tuned.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"tuned\.toml must hold.*or rm .*/tuned\.toml$"):
        read_tuned(home, "XYZ")


def test_train_uses_and_records_them(home, capsys, monkeypatch):
    from forecast.cli import main

    quick = [f"--source=csv:{home / 'csv'}", "--lookback=10", "--epochs=1", f"--home={home}"]

    def run(*words):
        monkeypatch.setattr("sys.argv", ["forecast", "train", "XYZ", *quick, "--json", *words])
        with pytest.raises(SystemExit) as left:
            main()
        assert left.value.code == 0
        printed = capsys.readouterr()
        return json.loads(printed.out)["runs"][0], printed.err

    document, said = run()
    assert said.count("tuned settings") == 1
    assert document["settings"]["units"] == [3]
    assert document["tuned"]["settings"] == FOUND
    assert document["tuned"]["study"] == "reports/XYZ/tune/0123"
    saved = load_run(home, "XYZ", champion(home, "XYZ"))
    assert saved.manifest["tuned"] == document["tuned"]
    words = document["command"].split()
    assert "--untuned" in words
    assert "--units=3" in words
    assert "FORECAST_LEARNING_RATE=0.01" in words
    assert "FORECAST_FEATURES=return_1,rsi_14" in words
    plain, said = run("--untuned", "--units=4")
    assert plain["tuned"] is None
    assert "tuned settings" not in said
    assert plain["settings"]["units"] == [4]
    assert len(plain["settings"]["features"]) == 16


def test_together_uses_no_ticker_s_own(home, history):
    history.to_csv(home / "csv" / "ABC.csv", index_label="Date")
    settings = Settings(source=f"csv:{home / 'csv'}", units=(4,), lookback=10, epochs=1)
    runs = train(["XYZ", "ABC"], home=home, settings=settings, together=True)
    assert [run.document["settings"]["learning_rate"] for run in runs] == [0.008, 0.008]
    assert all(run.document["tuned"] is None for run in runs)
    assert "--untuned" not in runs[0].document["command"]

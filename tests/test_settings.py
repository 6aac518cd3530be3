"""Settings that do not fit each other are refused before any work."""

from __future__ import annotations

from pathlib import Path

import pytest

from forecast.cli import main
from forecast.config import Settings, changed, load_settings
from forecast.errors import ConfigError
from forecast.networks.architectures import NETWORKS

CAUSAL = ["simple_rnn", "lstm", "gru", "tcn"]


@pytest.mark.parametrize("network", list(NETWORKS))
def test_every_step_is_for_networks_that_see_no_later_row(network, tmp_path):
    if network in CAUSAL:
        assert load_settings(tmp_path, network=network, outputs="every").outputs == "every"
    else:
        with pytest.raises(ConfigError, match=f"'outputs': {network} sees later rows") as caught:
            load_settings(tmp_path, network=network, outputs="every")
        assert ", ".join(CAUSAL) in str(caught.value)
        assert "Received 'every' from the flags or arguments" in str(caught.value)
    assert load_settings(tmp_path, network=network, outputs="last").outputs == "last"


def test_the_store_begins_at_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/users/me")
    for store, leads_to in (
        (None, tmp_path / "data"),
        ("shared/bars", tmp_path / "shared/bars"),
        ("/mnt/bars", Path("/mnt/bars")),
        ("~/bars", Path("/users/me/bars")),
        ("s3://bucket/data", "s3://bucket/data"),
    ):
        assert load_settings(tmp_path, store=store).data(tmp_path) == leads_to
    with pytest.raises(ConfigError, match="a store folder that begins with ~ must name a user"):
        load_settings(tmp_path, store="~nobody-of-this-name/x").data(tmp_path)


def test_a_folder_of_files_begins_at_the_home_folder_but_for_a_flag(tmp_path, monkeypatch):
    (tmp_path / "forecast.toml").write_text('source = "csv:bars"')
    assert load_settings(tmp_path).source == f"csv:{tmp_path}/bars"
    assert load_settings(tmp_path, source="csv:bars").source == "csv:bars"
    monkeypatch.setenv("FORECAST_SOURCE", "csv:../others")
    assert load_settings(tmp_path).source == f"csv:{tmp_path}/../others"
    for whole in ("csv:/srv/bars", "csv:~/bars", "yahoo"):
        monkeypatch.setenv("FORECAST_SOURCE", whole)
        assert load_settings(tmp_path).source == whole
    monkeypatch.setenv("FORECAST_SOURCE", "csv:")
    with pytest.raises(ConfigError, match="source must be one of"):
        load_settings(tmp_path)


def test_unknown_choices_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="'outputs': must be one of last, every"):
        load_settings(tmp_path, outputs="first")
    with pytest.raises(ConfigError, match="'context': must be one of every, initial"):
        load_settings(tmp_path, context="none")


@pytest.mark.parametrize(
    "url", ["hooks.example/S3CRET", "http://hooks.example/S3CRET", "https://[S3CRET", "https://"]
)
def test_a_webhook_that_cannot_be_posted_to_is_refused_and_not_shown(url, tmp_path, monkeypatch):
    monkeypatch.setenv("FORECAST_NIGHTLY__WEBHOOK", url)
    with pytest.raises(ConfigError, match="webhook': the webhook's address") as caught:
        load_settings(tmp_path)
    assert "from environment" in str(caught.value)
    assert "S3CRET" not in str(caught.value)


def test_webhooks_that_can_be_posted_to(tmp_path, monkeypatch):
    for url in ("https://hooks.example/T0KEN", "http://127.0.0.1:8065/hooks/T0KEN"):
        monkeypatch.setenv("FORECAST_NIGHTLY__WEBHOOK", url)
        assert load_settings(tmp_path).nightly.webhook == url
    monkeypatch.setenv("FORECAST_NIGHTLY__WEBHOOK", "")
    assert load_settings(tmp_path).nightly.webhook is None


@pytest.mark.parametrize("value", ["2008", 2008, "2008-01", "today", 1.5, 86400.0, True])
def test_a_start_is_a_full_date(tmp_path, value):
    with pytest.raises(ConfigError, match="'start': must be a date as YYYY-MM-DD"):
        load_settings(tmp_path, start=value)


@pytest.mark.parametrize("units", ["", " , ", [], ()])
def test_a_network_without_a_layer_is_refused(units, tmp_path):
    with pytest.raises(ConfigError, match="'units': must hold the width of each layer, of one at"):
        load_settings(tmp_path, units=units)


def test_changed_settings_are_checked_as_a_whole():
    settings = Settings(network="gru", outputs="every", units=(3,))
    assert changed(settings, network="tcn") == settings.model_copy(update={"network": "tcn"})
    with pytest.raises(ConfigError, match="bigru sees later rows"):
        changed(settings, network="bigru")


@pytest.mark.parametrize(
    "command",
    [
        ["train", "AAPL", "--network", "bilstm"],
        ["evaluate", "AAPL", "--network", "transformer"],
        ["compare", "AAPL", "--networks", "lstm,dlinear"],
        ["compare", "AAPL"],
        ["tune", "AAPL", "--space", "network=gru,bigru"],
    ],
    ids=" ".join,
)
def test_commands_refuse_before_any_work(command, tmp_path, capsys, monkeypatch):
    where = ["--home", str(tmp_path), "--source", "sample"]
    monkeypatch.setattr("sys.argv", ["forecast", *command, "--outputs", "every", *where])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    assert "every step takes one of" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("order", [1, -1])
def test_a_group_set_whole_and_by_its_parts_is_refused(order, tmp_path, monkeypatch):
    given = [("FORECAST_QUALITY", ""), ("FORECAST_QUALITY__JUMP", "8")][::order]
    monkeypatch.setattr("os.environ", dict(given))
    with pytest.raises(ConfigError, match="'quality' must be set by one variable") as caught:
        load_settings(tmp_path)
    assert all(name in str(caught.value) for name, _ in given)


def test_a_variable_spelt_twice_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("os.environ", {"FORECAST_EPOCHS": "3", "FORECAST_epochs": "4"})
    with pytest.raises(ConfigError, match="FORECAST_EPOCHS and FORECAST_epochs"):
        load_settings(tmp_path)


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path):
    (tmp_path / "forecast.toml").write_bytes(b"\xef\xbb\xbfseed = 3\r\n")
    assert load_settings(tmp_path).seed == 3


def test_a_home_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "home").touch()
    with pytest.raises(ConfigError, match="the home folder must be a folder") as caught:
        load_settings(tmp_path / "home")
    assert "--home DIR" in str(caught.value.hint)


def test_what_is_no_choice_to_search_is_refused(tmp_path):
    (tmp_path / "forecast.toml").write_text("[tune.space]\nunits = 64\n")
    with pytest.raises(ConfigError, match=r"'tune\.space\.units': must be a list .*Received 64 "):
        load_settings(tmp_path)


def test_a_file_of_nothing_but_brackets_is_refused(tmp_path):
    (tmp_path / "forecast.toml").write_text("units = " + "[" * 5_000)
    with pytest.raises(ConfigError, match="must be a readable TOML file"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("DEADLINE", "inf", "less than or equal to 10080"),
        ("DEADLINE", "nan", "less than or equal to 10080"),
        ("BAND", "0.9,0.7", "the lowest share must be below the highest"),
        ("BAND", "0.8,0.8", "the lowest share must be below the highest"),
    ],
)
def test_a_night_that_could_not_be_is_refused(tmp_path, monkeypatch, name, text, told):
    monkeypatch.setenv(f"FORECAST_NIGHTLY__{name}", text)
    with pytest.raises(ConfigError, match=rf"nightly\.{name.lower()}.*{told}"):
        load_settings(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "told", "hint"),
    [
        ("EXCHANGE", "NSYE", "'exchange': the exchange must be a known code. Received", "XNYS"),
        ("SOURCE", "cvs:/data", "'source': the source must be one of auto, yahoo,", "auto"),
        ("SOURCE", "csv:", "'source': the source must be one of auto, yahoo,", "csv:DIR"),
        ("SOURCE", "csv:~nobody-of-this-name/x", "'source': a source folder", "whole path"),
        ("NIGHTLY__TICKERS", "AAPL,B/D", r"'nightly\.tickers\.1': a ticker must be", "AAPL"),
        ("NIGHTLY__TICKERS", "AAPL IBM", r"'nightly\.tickers\.0': a ticker must", "=AAPL,MSFT"),
    ],
)
def test_what_no_fetch_could_use_is_refused_with_its_own_hint(
    tmp_path, monkeypatch, name, text, told, hint
):
    monkeypatch.setenv(f"FORECAST_{name}", text)
    with pytest.raises(ConfigError, match=told) as caught:
        load_settings(tmp_path)
    assert hint in str(caught.value.hint)
    assert caught.value.message.count("Received") == 1
    assert caught.value.message.endswith("from environment.")


def test_sources_exchanges_and_tickers_that_are_known(tmp_path):
    for source in ("auto", "yahoo", "sample", "csv:data", "csv:~/data"):
        assert load_settings(tmp_path, source=source).source == source
    for exchange in ("NMS", "xtks", "weekdays"):
        assert load_settings(tmp_path, exchange=exchange).exchange == exchange
    assert load_settings(tmp_path, nightly={"tickers": "brk-b, ^gspc"}).nightly.tickers == (
        "BRK-B",
        "^GSPC",
    )


def test_a_refused_value_of_a_group_is_named_whole(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECAST_NIGHTLY__BAND", "0.9,0.7")
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path)
    assert caught.value.hint == "another value for 'nightly.band'"

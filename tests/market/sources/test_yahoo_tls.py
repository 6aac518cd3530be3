"""Yahoo over TLS behind a proxy, in a process that knows of it by environment variables alone."""

import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from loopback import Tunnel, Yahoo, made_up
from loopback.tunnel import closed_port

PROGRAM = """
import pickle, sys
from pathlib import Path
from forecast.errors import ForecastError
from forecast.market.sources import yahoo_session
from forecast.market.sources.yahoo import Patience, fetch
patience = Patience(connect=float(sys.argv[2]), answer=30.0, total=300.0)
# On a busy machine the cookie may take longer than it is given.
yahoo_session._EXTRA_TIMEOUT = patience.connect
try:
    answer = fetch("AAPL", cache=Path(sys.argv[1]), patience=patience)
except ForecastError as error:
    answer = error
sys.stdout.buffer.write(pickle.dumps(answer))
"""


def fetch_elsewhere(folder: Path, variables: dict[str, str], *, connect: float = 30.0):
    """What `fetch` returns or raises in a process of its own that must print nothing."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder / "cache"), str(connect)],
        env={name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        | {"HOME": str(folder)}
        | variables,
        capture_output=True,
        timeout=600,
        check=True,
    )
    assert ended.stderr == b""
    return pickle.loads(ended.stdout)


def test_bars_come_through(tmp_path: Path) -> None:
    quotes = made_up(300)
    with Yahoo() as yahoo, Tunnel(yahoo) as tunnel:
        yahoo.add("AAPL", quotes)
        history = fetch_elsewhere(tmp_path, tunnel.environment(tmp_path))
    assert history.quotes.to_numpy().tobytes() == quotes.to_numpy().tobytes()
    assert {address.split(":")[0] for address in tunnel.connects} >= {
        "fc.yahoo.com",
        "query2.finance.yahoo.com",
    }
    # The cookie was kept: it and the crumb were asked for once, for two charts.
    assert len(yahoo.charts("AAPL")) == 2
    assert len(yahoo.requests) == 4
    # Everything that was written lies in the folder it was given.
    assert {path.name for path in tmp_path.iterdir()} == {"authority.pem", "cache"}


def test_a_certificate_of_unknown_origin_is_refused(tmp_path: Path) -> None:
    with Yahoo() as yahoo, Tunnel(yahoo, trusted=False) as tunnel:
        yahoo.add("AAPL", made_up(5))
        error = fetch_elsewhere(tmp_path, tunnel.environment(tmp_path))
    assert error.as_document()["type"] == "SourceUnavailable"
    assert "certificate could not be verified" in error.message
    assert "CURL_CA_BUNDLE" in error.hint
    assert yahoo.requests == []


def test_a_proxy_that_refuses_is_named(tmp_path: Path) -> None:
    with Yahoo() as yahoo, Tunnel(yahoo, refuse=True) as tunnel:
        error = fetch_elsewhere(tmp_path, tunnel.environment(tmp_path))
    assert error.as_document()["type"] == "SourceUnavailable"
    assert "the proxy refused" in error.message
    assert len(tunnel.connects) == 1


# A name with an empty label: no name server is asked, be there one or not.
@pytest.mark.parametrize(
    ("proxy", "words"),
    [("http://127.0.0.1:{port}", "no connection"), ("http://no..where:1", "proxy")],
)
def test_a_proxy_that_is_not_there_is_named(tmp_path: Path, proxy: str, words: str) -> None:
    with closed_port() as port:
        error = fetch_elsewhere(tmp_path, {"HTTPS_PROXY": proxy.format(port=port)})
    assert error.as_document()["type"] == "SourceUnavailable"
    assert words in error.message


def test_a_proxy_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = {"HTTPS_PROXY": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        error = fetch_elsewhere(tmp_path, variables, connect=0.3)
    assert error.as_document()["type"] == "SourceUnavailable"
    assert "no answer in time" in error.message


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with Yahoo() as yahoo, Tunnel(yahoo) as tunnel:
        variables = tunnel.environment(tmp_path) | {
            "CURL_CA_BUNDLE": str(tmp_path / "gone.pem"),
            "REQUESTS_CA_BUNDLE": str(tmp_path / "gone.pem"),
        }
        error = fetch_elsewhere(tmp_path, variables)
    assert error.as_document()["type"] == "SourceUnavailable"
    assert "gone.pem" in error.message

"""Alerts against a webhook on this machine."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from loopback.tunnel import closed_port

from forecast.cli import cli
from forecast.cli.options import Shared
from forecast.config import Settings
from forecast.errors import ArtifactError, BusyError
from forecast.nightly.alerts import send_alert
from forecast.nightly.night import run_night
from forecast.nightly.state import night_lock
from forecast.pipeline import doctor
from forecast.pipeline.doctor import Checkup
from forecast.pipeline.watch import Watch

QUICK = {"timeout": 60.0, "pause": 0.01}


class Webhook(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["Content-Length"])
        self.server.posts.put(json.loads(self.rfile.read(length)))
        answer = self.server.answers.pop(0) if self.server.answers else 200
        if answer == "silence":
            self.connection.recv(1)  # until who asked gives up
            return
        if answer == "cut":
            self.connection.close()
            return
        self.send_response(answer)
        if 300 <= answer < 400:
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}/elsewhere")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.fixture
def webhook():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    server.handle_error = lambda *_: None
    server.posts, server.answers = queue.SimpleQueue(), []
    server.url = f"http://127.0.0.1:{server.server_port}/services/T0KEN?key=S3CRET"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def taken(webhook, times):
    """What was posted, exactly so often; a post may be read after it was given up."""
    posts = [webhook.posts.get(timeout=60) for _ in range(times)]
    assert webhook.posts.empty()
    return posts


def test_the_text_and_the_document_are_posted(webhook):
    assert send_alert(webhook.url, "AAPL failed – é", {"failed": ["AAPL"]}, **QUICK) is None
    assert taken(webhook, 1) == [{"text": "AAPL failed – é", "failed": ["AAPL"]}]


def test_a_webhook_that_is_down_for_a_moment_gets_it_in_the_end(webhook):
    webhook.answers = [500, 429]
    assert send_alert(webhook.url, "x", **QUICK) is None
    taken(webhook, 3)


@pytest.mark.parametrize(
    ("answer", "tries", "why"),
    [
        (500, 3, "the webhook answered 500 (3 tries)"),
        (404, 1, "the webhook answered 404"),
        (302, 1, "the webhook answered 302"),
        (307, 1, "the webhook answered 307"),
        ("cut", 3, "the webhook cannot be reached (RemoteDisconnected) (3 tries)"),
    ],
)
def test_what_cannot_be_delivered_is_told_without_the_address(webhook, answer, tries, why):
    webhook.answers = [answer] * 3
    told = send_alert(webhook.url, "x", **QUICK)
    assert told == why
    taken(webhook, tries)


def test_a_webhook_that_says_nothing_is_given_up(webhook):
    webhook.answers = ["silence"] * 3
    told = send_alert(webhook.url, "x", timeout=0.3, pause=0.01)
    assert told == "the webhook cannot be reached (no answer in time) (3 tries)"
    taken(webhook, 3)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example/S3CRET",
        "file:///etc/S3CRET",
        "ftp://hooks.example/S3CRET",
        "S3CRET",
        "",
        "https://",
        "https://[S3CRET",
        "https://hooks.example:S3CRET/",
    ],
)
def test_an_address_that_will_not_do_is_refused_without_being_told(url):
    told = send_alert(url, "x", timeout=0.1, pause=0.01)
    assert told.startswith("the webhook's address")
    assert "S3CRET" not in told


def test_nobody_there():
    with closed_port() as port:
        told = send_alert(f"http://127.0.0.1:{port}/S3CRET", "x", **QUICK)
    assert told == "the webhook cannot be reached (Connection refused) (3 tries)"


def test_a_long_text_is_cut(webhook):
    assert send_alert(webhook.url, "x" * 5000, **QUICK) is None
    (post,) = taken(webhook, 1)
    assert len(post["text"]) == 3000


def test_a_home_that_cannot_be_written_is_told_but_not_that_a_night_is_at_work(webhook, tmp_path):
    settings = Settings.model_validate({"nightly": {"webhook": webhook.url}})
    with night_lock(tmp_path / "busy"), pytest.raises(BusyError):
        run_night(["AAPL"], home=tmp_path / "busy", settings=settings)
    taken(webhook, 0)
    (tmp_path / "data").write_text("")
    with pytest.raises(ArtifactError):
        run_night(["AAPL"], home=tmp_path, settings=settings)
    (post,) = taken(webhook, 1)
    assert post["text"].startswith("forecast nightly: ArtifactError: ")
    assert "must be writable" in post["text"]


def test_a_night_whose_alert_is_not_taken_says_so_on_stderr_and_in_its_log(home, webhook):
    (home.csv / "ACME.csv").unlink()
    home.nightly = {"webhook": webhook.url}
    webhook.answers = [404]
    told: list[str] = []
    night = home.night("2012-07-03", watch=Watch(notice=told.append))
    assert night.exit_code == 1
    assert "the alert was not delivered: the webhook answered 404" in told
    lines = (home.folder / "logs" / "nightly.jsonl").read_text().splitlines()
    (fact,) = [fact for fact in map(json.loads, lines) if fact["fact"] == "alert not delivered"]
    assert fact["why"] == "the webhook answered 404"


@pytest.fixture
def doctors_alert(tmp_path, capsys, monkeypatch):
    """What `forecast doctor --alert` says on stderr, of a machine where all is well."""
    monkeypatch.setattr(doctor, "doctor", lambda *_, **__: Checkup([]))
    words = ["doctor", "--home", str(tmp_path), "--quiet", "--alert", "the night failed"]

    def alert():
        cli.main(words, standalone_mode=False, obj=Shared())
        return capsys.readouterr().err

    return alert


def test_the_doctor_finds_the_webhook_beside_a_setting_that_is_refused(
    webhook, tmp_path, doctors_alert
):
    file = tmp_path / "forecast.toml"
    file.write_text(f'epoch = 3\n[nightly]\nwebhook = "{webhook.url}"\n')
    assert doctors_alert() == ""
    assert webhook.posts.get()["text"].startswith("the night failed")
    file.write_text('epoch = 3\n[nightly]\nwebhook = "http://example.org/S3CRET"\n')
    assert "must begin with https://" in doctors_alert()


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("epoch = 3\n", "no alert was sent: nightly.webhook is not set"),
        ("nightly = 3\n", "no alert was sent: nightly.webhook is not set"),
        ("[nightly\n", "forecast.toml must be a readable TOML file"),
    ],
)
def test_the_doctor_says_why_there_is_no_webhook(tmp_path, doctors_alert, written, told):
    (tmp_path / "forecast.toml").write_text(written)
    assert told in doctors_alert()


def test_the_doctors_webhook_is_the_variables_before_the_files(
    webhook, tmp_path, doctors_alert, monkeypatch
):
    (tmp_path / "forecast.toml").write_text('[nightly]\nwebhook = "https://example.org/"\n')
    monkeypatch.setenv("FORECAST_NIGHTLY__WEBHOOK", webhook.url)
    assert doctors_alert() == ""
    assert webhook.posts.get()["passed"] is True
    monkeypatch.setenv("FORECAST_NIGHTLY__WEBHOOK", "")
    assert "nightly.webhook is not set" in doctors_alert()

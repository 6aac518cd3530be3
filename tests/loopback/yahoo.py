"""The server: cookie, crumb and chart JSON from stored bars, over plain HTTP."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
import pandas as pd

from forecast.market.sources.yahoo import Patience
from forecast.market.sources.yahoo_session import YahooSession

CHART = "/v8/finance/chart/"
PATIENT = Patience(connect=30.0, answer=30.0, total=300.0, tries=3, pause=0.01)
"""Waits for an answer as long as a busy machine may take to give it, and hardly between tries."""


@dataclass
class Answer:
    """What goes over the wire; `body` None cuts the connection, `part` sends only so much.

    `silent` keeps the connection open without a word, until it is closed from the other side.
    """

    status: int
    body: bytes | None
    headers: dict[str, str] = field(default_factory=dict)
    part: float = 1.0
    silent: bool = False

    @classmethod
    def of(cls, document: Any, status: int = 200) -> Self:
        return cls(status, json.dumps(document).encode(), {"Content-Type": "application/json"})


Fault = Callable[[Answer], Answer]


@dataclass
class Listing:
    """One ticker: its quotes (NaN is sent as null) and what `meta` says of it.

    `opens` is the local time of a bar's stamp: the session's opening, midnight UTC for crypto.
    """

    quotes: pd.DataFrame
    zone: str = "America/New_York"
    exchange: str = "NMS"
    currency: str = "USD"
    kind: str = "EQUITY"
    opens: time = time(9, 30)

    def stamps(self) -> np.ndarray:
        local = self.quotes.index + timedelta(hours=self.opens.hour, minutes=self.opens.minute)
        return local.tz_localize(self.zone).as_unit("s").asi8

    def chart(self, first: int, last: int) -> dict[str, Any]:
        """The answer's `result[0]` for the stamps in [first, last)."""
        stamps = self.stamps()
        wanted = (stamps >= first) & (stamps < last)
        quotes, stamps = self.quotes[wanted], stamps[wanted]
        meta = {
            "currency": self.currency,
            "exchangeName": self.exchange,
            "instrumentType": self.kind,
            "exchangeTimezoneName": self.zone,
            "regularMarketTime": int(self.stamps()[-1]),
            "dataGranularity": "1d",
            "validRanges": ["1d", "5d", "1mo", "max"],
        }
        if not len(stamps):
            return {"meta": meta, "indicators": {"quote": [{}], "adjclose": [{}]}}
        return {
            "meta": meta,
            "timestamp": stamps.tolist(),
            "events": _events(quotes, stamps),
            "indicators": {
                "quote": [
                    {name: _sent(quotes[name]) for name in ("open", "high", "low", "close")}
                    | {"volume": _sent(quotes["volume"])}
                ],
                "adjclose": [{"adjclose": _sent(quotes["adj_close"])}],
            },
        }


def _sent(column: pd.Series) -> list[float | None]:
    return [None if np.isnan(value) else value for value in column.tolist()]


def _events(quotes: pd.DataFrame, stamps: np.ndarray) -> dict[str, Any]:
    events: dict[str, Any] = {"dividends": {}, "splits": {}}
    for stamp, dividend, split in zip(
        stamps.tolist(), quotes["dividends"], quotes["splits"], strict=True
    ):
        if dividend:
            events["dividends"][str(stamp)] = {"amount": dividend, "date": stamp}
        if split:
            events["splits"][str(stamp)] = {
                "date": stamp,
                "numerator": split,
                "denominator": 1.0,
                "splitRatio": f"{split:g}:1",
            }
    return {kind: entries for kind, entries in events.items() if entries}


class Yahoo:
    """The server; a context manager. `requests` holds every path with query that was asked."""

    def __init__(self) -> None:
        self.listings: dict[str, Listing] = {}
        self.requests: list[str] = []
        self._faults: dict[str, list[tuple[Fault, list[int]]]] = defaultdict(list)
        self._lock = threading.Lock()
        self.server = _Server(("127.0.0.1", 0), _handler(self))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def add(self, ticker: str, quotes: pd.DataFrame, **known: Any) -> Listing:
        """List the ticker, in place of what was listed before."""
        self.listings[ticker] = Listing(quotes, **known)
        return self.listings[ticker]

    def inject(self, ticker: str, fault: Fault, *, times: int = 1_000_000) -> None:
        """Let the fault spoil the next `times` chart answers for the ticker.

        `cookie` and `crumb` stand for those two.
        """
        self._faults[ticker].append((fault, [times]))

    def heal(self) -> None:
        """No faults any more."""
        self._faults.clear()

    def charts(self, ticker: str) -> list[dict[str, str]]:
        """The queries of all chart requests for the ticker, oldest first."""
        asked = [urlsplit(path) for path in self.requests]
        return [
            {name: values[0] for name, values in parse_qs(path.query).items()}
            for path in asked
            if unquote(path.path) == CHART + ticker
        ]

    def answer(self, path: str) -> Answer:
        url = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/":
            cookie = "A3=d=loopback; Max-Age=31557600; Domain=.yahoo.com; Path=/; Secure"
            return self._spoilt("cookie", Answer(404, b"", {"Set-Cookie": cookie}))
        if url.path == "/v1/test/getcrumb":
            return self._spoilt("crumb", Answer(200, b"loop.back"))
        if not url.path.startswith(CHART):
            return Answer(404, b"<html>not here</html>")
        ticker = unquote(url.path).removeprefix(CHART)
        return self._spoilt(ticker, self._chart(ticker, query))

    def _chart(self, ticker: str, query: dict[str, str]) -> Answer:
        listing = self.listings.get(ticker)
        if listing is None:
            told = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return Answer.of({"chart": {"result": None, "error": told}}, 404)
        stamps = listing.stamps()
        if "period1" in query:
            result = listing.chart(int(query["period1"]), int(query["period2"]))
        else:
            result = listing.chart(int(stamps[-1]), int(stamps[-1]) + 1)
        return Answer.of({"chart": {"result": [result], "error": None}})

    def _spoilt(self, name: str, answer: Answer) -> Answer:
        with self._lock:
            due = []
            for fault, left in self._faults.get(name, []):
                if left[0] > 0:
                    left[0] -= 1
                    due.append(fault)
        for fault in due:
            answer = fault(answer)
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        pass  # a client that gave up waiting


def _handler(yahoo: Yahoo) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            yahoo.requests.append(self.path)
            answer = yahoo.answer(self.path)
            if answer.silent:
                self.connection.recv(1)
            if answer.body is None:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: int(len(answer.body) * answer.part)])
            self.close_connection = answer.part < 1

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class LoopbackSession(YahooSession):
    """The program's session, pointed at the loopback for every address of Yahoo's.

    `sent` holds every address that was asked, whether or not the question arrived.
    """

    def __init__(self, address: str, **options: Any) -> None:
        self._address = address
        self.sent: list[str] = []
        super().__init__(**options)

    def alike(self, **options: Any) -> Self:
        return type(self)(self._address, **options)

    def send(self, method: str, url: str, **options: Any) -> Any:
        self.sent.append(url)
        target = urlsplit(url)
        if target.hostname and target.hostname.endswith(".yahoo.com"):
            url = self._address + (target.path or "/")
        return super().send(method, url, **options)

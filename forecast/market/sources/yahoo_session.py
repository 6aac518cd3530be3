"""The HTTP session that yfinance is given: bounded, counted, and witness of the raw answer.

It rests on curl_cffi's session, so the proxy and CA variables hold as yfinance's users know them,
and certificates are always checked.
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from curl_cffi import CurlOpt
from curl_cffi.requests import Session
from curl_cffi.requests.exceptions import (
    CertificateVerifyError,
    ConnectionError,  # noqa: A004
    DNSError,
    ProxyError,
    RequestException,
    SSLError,
    Timeout,
)

from forecast.errors import SourceUnavailable
from forecast.market.sources.throttle import TokenBucket
from forecast.market.sources.yahoo_chart import Fault, check_meta, check_rows, read_chart

CHARTS = "https://query2.finance.yahoo.com"
_CHART_PATH = "/v8/finance/chart/"
# Cookie and crumb: the chart is served without them, so they get little time.
_EXTRA_TIMEOUT = 1.5
_EXTRA_PAUSE = 300.0


@dataclass
class Call:
    """One try to get one ticker's chart.

    Attributes:
        bucket: Where each chart request takes its token.
        connect: Longest time [s] to connect, TLS included.
        answer: Longest time [s] to wait for the rest of an answer.
        ends: When the ticker is given up [s, `time.monotonic`].
        stop: Set when all are given up.
        chart: The last chart with rows, once there is one.
        refused: Whether Yahoo refused the crumb before.
    """

    bucket: TokenBucket
    connect: float
    answer: float
    ends: float
    stop: threading.Event
    chart: dict[str, Any] = field(default_factory=dict)
    refused: bool = False

    def left(self) -> float:
        """Time [s] until the ticker is given up.

        Raises:
            Fault: if there is none.
            KeyboardInterrupt: if all are given up.
        """
        if self.stop.is_set():
            raise KeyboardInterrupt
        left = self.ends - time.monotonic()
        if left < 0.01:  # a time-out of 0 would mean none
            raise Fault(SourceUnavailable, "no whole answer in time", again=False)
        return left


CALL: ContextVar[Call] = ContextVar("CALL")


class YahooSession(Session[Any]):  # type: ignore[misc]
    """Session for yfinance; what it needs to know of the ticker is in `CALL`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"impersonate": "chrome", **options})
        self._no_extras_until = 0.0

    def reach(self, *, within: float) -> None:
        """Connect to Yahoo, through the proxy and TLS, and ask for nothing.

        Raises:
            Fault: if that fails; another try is not worth its time.
        """
        # QUICK_EXIT: closing must not wait for a name server that does not answer.
        only_connect = {CurlOpt.CONNECT_ONLY: 1, CurlOpt.QUICK_EXIT: 1}
        with self.alike(curl_options=only_connect) as probe:
            try:
                probe.send("GET", CHARTS, timeout=within)
            except RequestException as error:
                raise Fault(SourceUnavailable, explain(error), again=False) from error

    def alike(self, **options: Any) -> Self:
        """A session to the same place with other options."""
        return type(self)(**options)

    def send(self, method: str, url: str, **options: Any) -> Any:
        """One request over the wire; the place where a test points it elsewhere."""
        return super().request(method, url, **options)

    def request(self, method: str, url: str, **options: Any) -> Any:
        """As curl_cffi's, within the limits of the current call.

        Raises:
            Fault: if a chart request fails or answers with anything but a chart.
        """
        call = CALL.get(None)
        if call is None:  # yfinance keeps the session, and its user may ask it other things
            return self.send(method, url, **options)
        if urlsplit(url).path.startswith(_CHART_PATH):
            return self._request_chart(call, method, url, options)
        return self._request_extra(call, method, url, options)

    def _request_chart(self, call: Call, method: str, url: str, options: dict[str, Any]) -> Any:
        call.stop.wait(min(call.bucket.reserve(), call.left()))
        left = call.left()
        connect = min(call.connect, left)
        options["timeout"] = (connect, min(call.answer, left - connect))
        try:
            response = self.send(method, url, **options)
        except RequestException as error:
            again = not isinstance(error, CertificateVerifyError)
            raise Fault(SourceUnavailable, explain(error), again=again) from error
        if not urlsplit(response.url).path.startswith(_CHART_PATH):
            return response  # a consent page, which yfinance answers
        if response.status_code in (401, 403) and not call.refused:
            call.refused = True
            return response  # a stale crumb, which yfinance renews
        chart = read_chart(
            response.status_code, response.content, retry_after=response.headers.get("Retry-After")
        )
        check_meta(chart)
        if "period1" in (options.get("params") or {}):
            check_rows(chart)
            call.chart = chart
        return response

    def _request_extra(self, call: Call, method: str, url: str, options: dict[str, Any]) -> Any:
        if time.monotonic() < self._no_extras_until:
            raise Timeout("cookie and crumb failed a moment ago")
        left = call.left()
        options["timeout"] = (
            min(_EXTRA_TIMEOUT, call.connect, left),
            min(_EXTRA_TIMEOUT, call.answer, left),
        )
        try:
            response = self.send(method, url, **options)
            if url.endswith("/getcrumb") and response.status_code >= 400:
                # yfinance would keep the text of the refusal and send it as its crumb.
                raise RequestException(f"no crumb (status {response.status_code})")
        except RequestException:
            self._no_extras_until = time.monotonic() + _EXTRA_PAUSE
            raise
        return response


def explain(error: RequestException) -> str:
    """What a person can do something about, in a few words."""
    told = str(error).removeprefix("Failed to perform, ").split(". See https://", maxsplit=1)[0]
    if "CONNECT tunnel failed" in told:  # curl counts it among the failed connections
        return f"the proxy refused ({told})"
    for kind, what in (
        (CertificateVerifyError, "its certificate could not be verified"),
        (ProxyError, "no proxy"),
        (DNSError, "its name could not be resolved"),
        (SSLError, "no secure connection"),
        (Timeout, "no answer in time"),
        (ConnectionError, "no connection"),
    ):
        if isinstance(error, kind):
            return f"{what} ({told})"
    return f"the connection broke ({told})"

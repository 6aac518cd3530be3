"""Alerts by webhook: a short text, posted as the JSON that chat systems take.

A webhook that does not answer must not break the night: the failure is an answer, not an error.
"""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from typing import IO, Any

from forecast.config import webhook_refusal

TRIES = 3
TIMEOUT = 10.0
_PAUSE = 2.0
_LONGEST = 3000
"""Characters of a text: Slack cuts after 4,000."""


class _TryAgain(Exception):  # noqa: N818
    """The webhook is down or asks to wait; its text says why."""


def send_alert(
    url: str,
    text: str,
    document: Mapping[str, Any] | None = None,
    *,
    timeout: float = TIMEOUT,
    pause: float = _PAUSE,
) -> str | None:
    """Post an alert; up to three times where the webhook is down or busy (429).

    Posts `{"text": text, …document}`: Slack and Mattermost show `text`, Discord does at its
    address with `/slack` appended, others may read the rest. The environment's proxy counts.

    Args:
        url: `https://…`, or `http://…` on this machine. No message holds it: it is a secret.
        text: What happened; cut after 3,000 characters.
        document: More members of the posted object, as JSON knows them.
        timeout: Longest wait [s] for each step of each try.
        pause: Wait [s] before the second try, twice that before the third.

    Returns:
        None when the webhook took it, else why not, in words that hold no part of the address.
    """
    from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_attempt
    from tenacity.wait import wait_exponential

    if refusal := webhook_refusal(url):
        return refusal
    body = json.dumps({"text": text[:_LONGEST], **(document or {})}, ensure_ascii=False).encode()
    retrying = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_exponential(multiplier=pause),
        retry=retry_if_exception_type(_TryAgain),
    )
    try:
        return retrying(_post, url, body, timeout)
    except RetryError as error:
        return f"{error.last_attempt.exception()} ({TRIES} tries)"


def _post(url: str, body: bytes, timeout: float) -> str | None:
    """One try; None or why it will not do.

    Raises:
        _TryAgain: if it may do later.
    """
    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "forecast"}
    try:
        request = urllib.request.Request(url, body, headers, method="POST")
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout):
            return None
    except urllib.error.HTTPError as error:
        with error:
            told = f"the webhook answered {error.code}"
        if error.code == 429 or error.code >= 500:
            raise _TryAgain(told) from None
        return told
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            return "the webhook's certificate could not be verified"
        raise _TryAgain(f"the webhook cannot be reached ({_kind(error.reason)})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _TryAgain(f"the webhook cannot be reached ({_kind(error)})") from None
    except ValueError:
        return "the webhook's address cannot be read"


def _kind(reason: object) -> str:
    """Why, without the text of the error, which may hold the address."""
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return (isinstance(reason, OSError) and reason.strerror) or type(reason).__name__


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead the secret and the text anywhere; urllib then raises its status."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        return None

"""JSON documents that prove themselves: they carry a digest of all that they say."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def sign(document: dict[str, Any]) -> bytes:
    """The document with its digest, as it is written."""
    signed = {**document, "digest": _digest(document)}
    return (json.dumps(signed, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def verify(content: bytes) -> dict[str, Any] | None:
    """What `sign` was given; None where the digest does not hold."""
    try:
        document: dict[str, Any] = json.loads(content)
        return document if document.pop("digest") == _digest(document) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _digest(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()

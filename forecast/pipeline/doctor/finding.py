"""One thing that the doctor looked at."""

from __future__ import annotations

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is, and what to do.

    Attributes:
        what: One or two words, such as `disk`.
        state: `ok`; `warn` for what a night survives; `fail` for what would stop it.
        detail: One sentence.
        hint: The next command; None where there is nothing to do.
    """

    what: str
    state: str
    detail: str
    hint: str | None = None

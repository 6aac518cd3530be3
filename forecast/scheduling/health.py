"""Is anything wrong with the nights, by their heartbeat: a container is asked every few minutes.

    python -m forecast.scheduling.health HOME

Imports nothing heavy: it is asked often.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

SILENT = timedelta(hours=26)
"""A night shows itself each day, also when it has nothing to do."""
STUCK = timedelta(minutes=30)
"""A night at work shows itself every quarter of a minute, and after each ticker it fetches."""
_OVER = ("ended", "stopped")


@dataclass(frozen=True)
class Health:
    """How the last night is.

    Attributes:
        told: When it last showed itself, and where it was; or that there was none.
        wrong: What is wrong, or None.
        failed: Tickers that could not be done: no fault of what starts the nights.
    """

    told: str
    wrong: str | None = None
    failed: int = 0


def health(home: Path, *, now: datetime) -> Health:
    """How the last night of a home is.

    Args:
        home: The home folder.
        now: tz-aware.
    """
    path = home / "data" / "nightly" / "heartbeat.json"
    try:
        beat = json.loads(path.read_bytes())
        at, stage = datetime.fromisoformat(beat["at"]), str(beat["stage"])
        ago, failed = now - at, int(beat.get("failed", 0))
    except FileNotFoundError:
        return Health("none yet", "there was none yet")
    except (OSError, ValueError, KeyError, TypeError):
        return Health("unknown", f"{path} cannot be read")
    hours = ago.total_seconds() / 3600
    told = f"{stage}, {abs(hours):.1f} hours {'ago' if hours >= 0 else 'ahead of the clock'}"
    if failed:
        told += f"; {failed} ticker{'s'[: failed > 1]} failed"
    if ago < -STUCK:
        return Health(told, f"it lies in the future, so that nothing can be told by it: {told}")
    if ago > SILENT:
        return Health(told, f"none for {SILENT.total_seconds() / 3600:.0f} hours: {told}")
    if stage not in _OVER and ago > STUCK:
        return Health(told, f"it stands still or was killed: {told}")
    return Health(told, failed=failed)


if __name__ == "__main__":
    found = health(Path(sys.argv[1]), now=datetime.now(UTC))
    print(found.wrong or found.told)
    sys.exit(found.wrong is not None)

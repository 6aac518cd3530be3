"""Settings: `forecast.toml`, then `FORECAST_*` variables, then flags; the last one wins."""

from __future__ import annotations

from forecast.config.loading import PREFIX, changed, load_settings, webhook_of
from forecast.config.settings import (
    Nightly,
    Quality,
    Settings,
    Space,
    Tune,
    webhook_refusal,
)

__all__ = [
    "PREFIX",
    "Nightly",
    "Quality",
    "Settings",
    "Space",
    "Tune",
    "changed",
    "load_settings",
    "webhook_of",
    "webhook_refusal",
]

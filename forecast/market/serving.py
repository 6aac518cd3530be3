"""Which snapshot is served, and what is told with it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from forecast.errors import ArtifactError
from forecast.market.findings import Finding
from forecast.market.snapshots import Manifest
from forecast.market.store import Store


@dataclass(frozen=True)
class Served:
    """A verified snapshot, and how it came to be the one served."""

    manifest: Manifest
    content: bytes
    status: str = "current"
    change: str | None = None
    notice: str | None = None


def readable(store: Store, ticker: str, source: str) -> tuple[Served | None, str | None]:
    """The newest snapshot that is whole, and the message about a newer file that is not."""
    newest = store.newest(ticker, source)
    if newest is None:
        return None, store.lost(ticker)
    try:
        return Served(newest.manifest, store.payload(newest.manifest)), newest.damage
    except ArtifactError as error:
        damage = newest.damage or error.message
    for manifest in store.manifests(ticker, source):
        try:
            return Served(manifest, store.payload(manifest)), damage
        except ArtifactError:
            continue
    return None, damage


def telling(served: Served, findings: list[Finding]) -> Served:
    """The same snapshot with these findings: told, and not stored."""
    found = [finding.as_document() for finding in findings]
    return replace(served, manifest=replace(served.manifest, findings=found))

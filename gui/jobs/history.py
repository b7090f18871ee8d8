"""The events of a job in bounded memory, for whoever comes later."""

from __future__ import annotations

from typing import Any

__all__ = ["History"]

Event = dict[str, Any]

CAPACITY = 10_000
LATEST = {"progress": 1, "rdf": 1, "msd": 1, "frame": 500}
"""Kinds of which only the newest are of use."""


class History:
    """Events by kind. Where a kind has grown too long every second of its events is dropped: an overview stays."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[tuple[int, Event]]] = {}
        self._counter = 0

    def add(self, event: Event) -> None:
        """Keep an event."""
        kind = str(event.get("ev"))
        self._counter += 1
        kept = self._kinds.setdefault(kind, [])
        kept.append((self._counter, event))
        latest = LATEST.get(kind)
        if latest is not None:
            if len(kept) >= 2 * latest:
                del kept[:-latest]
        elif len(kept) > CAPACITY:
            del kept[1:-1:2]

    def events(self, kind: str | None = None) -> list[Event]:
        """Return what is kept of one kind, or of all in the order in which it came."""
        if kind is not None:
            return [event for _, event in self._kinds.get(kind, ())]
        return [
            event
            for _, event in sorted((p for k in self._kinds.values() for p in k), key=lambda p: p[0])
        ]

"""An ear on what servers push."""

from __future__ import annotations

from typing import Any


class Ear:
    """Remembers everything that it is told.

    Attributes:
        heard: Every event, in order: its name, the source, and what came with it.
        open: The sources that push now.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, Any]] = []
        self.open: set[str] = set()

    def connected(self, source: str) -> None:
        """See `PushListener.connected`."""
        self.heard.append(("connected", source, None))
        self.open.add(source)

    def pushed(self, source: str, push: list[Any]) -> None:
        """See `PushListener.pushed`."""
        self.heard.append(("pushed", source, push))

    def disconnected(self, source: str, reason: str) -> None:
        """See `PushListener.disconnected`."""
        self.heard.append(("disconnected", source, reason))
        self.open.discard(source)

    def refused(self, source: str, error: Exception) -> None:
        """See `PushListener.refused`."""
        self.heard.append(("refused", source, error))

    @property
    def events(self) -> list[str]:
        """The names of the events."""
        return [name for name, _, _ in self.heard]

    @property
    def keys(self) -> list[bytes]:
        """The keys that were pushed as invalidated, in order."""
        return [key for name, _, push in self.heard if name == "pushed" for key in push[1] or []]

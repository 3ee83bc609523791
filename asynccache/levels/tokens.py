"""The tokens of tags that this process knows, so that most reads need not ask for them.

A token is kept like a value: it counts for as long as the bus proves that no invalidation has been
missed, and an invalidation drops it. A token that is out of date can only make a record invalid
that this process stores, or let it serve for ``max_staleness`` what others no longer do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

MOST_TOKENS: Final = 10_000
"""Some 2 MB; the oldest go first."""

LONGEST_KEPT: Final = 86_400.0
"""Seconds: asked for once a day at least, a tag's lifetime in Redis is extended in time."""


class Tokens:
    """The known tokens.

    Args:
        is_recent: Tells whether what was current at an instant may be relied on now.
        now: The present moment.

    Attributes:
        changes: Goes up whenever one is dropped: what was asked for before may not be kept then.
    """

    __slots__ = ("_is_recent", "_kept", "_now", "changes")

    def __init__(self, is_recent: Callable[[float], bool], now: Callable[[], float]) -> None:
        self._is_recent = is_recent
        self._now = now
        self._kept: dict[str, tuple[bytes, float]] = {}
        self.changes = 0

    def known(self, tag: str) -> bytes | None:
        """Return a tag's token; None: it has to be asked for."""
        kept = self._kept.get(tag)
        if kept is None:
            return None
        token, asof = kept
        if self._is_recent(asof) and self._now() < asof + LONGEST_KEPT:
            return token
        del self._kept[tag]
        return None

    def known_since(self, tag: str, instant: float) -> bytes | None:
        """Return a tag's token if it was known at an earlier instant already."""
        token = self.known(tag)
        return token if token is not None and self._kept[tag][1] <= instant else None

    def keep(self, found: Mapping[str, bytes], asof: float, changes: int) -> None:
        """Keep tokens.

        Args:
            found: The tokens.
            asof: An instant before they were asked for.
            changes: What `changes` was at that instant.
        """
        if changes != self.changes:
            return
        for tag, token in found.items():
            if len(self._kept) >= MOST_TOKENS and tag not in self._kept:
                del self._kept[next(iter(self._kept))]
            self._kept[tag] = (token, asof)

    def forget(self, tags: Collection[str]) -> None:
        """Drop the tokens of tags that have been invalidated."""
        self.changes += 1
        for tag in tags:
            self._kept.pop(tag, None)

    def forget_all(self) -> None:
        """Drop every token."""
        self.changes += 1
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)

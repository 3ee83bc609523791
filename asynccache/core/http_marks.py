"""What is known not to be cacheable, for a while, and which variants of a page there are."""

from __future__ import annotations

from collections import OrderedDict

MOST_MARKS = 4_096
MOST_PAGES = 4_096
"""Bounds of what one process remembers; the oldest go first."""


class Marks:
    """Pages whose last response could not be stored: for some seconds nobody waits for another.

    Args:
        seconds: For how long.
    """

    __slots__ = ("_seconds", "_until")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: OrderedDict[str, float] = OrderedDict()

    def add(self, key: str, now: float) -> None:
        """Mark a page.

        Args:
            key: The page's.
            now: The present moment of a monotonic clock.
        """
        self._until[key] = now + self._seconds
        self._until.move_to_end(key)
        if len(self._until) > MOST_MARKS:
            self._until.popitem(last=False)

    def holds(self, key: str, now: float) -> bool:
        """Tell whether a page is marked."""
        until = self._until.get(key)
        if until is None:
            return False
        if now < until:
            return True
        del self._until[key]
        return False

    def __len__(self) -> int:
        return len(self._until)


class Variants:
    """The variants of each page that this process has stored or served, the last used last."""

    __slots__ = ("_pages",)

    def __init__(self) -> None:
        self._pages: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def add(self, page: str, variant: str, most: int) -> list[str]:
        """Note a variant that is stored; return those that have to go for it.

        Args:
            page: The page's key.
            variant: The variant's.
            most: How many there may be.
        """
        variants = self._pages.setdefault(page, OrderedDict())
        self._pages.move_to_end(page)
        variants[variant] = None
        variants.move_to_end(variant)
        gone = [variants.popitem(last=False)[0] for _ in range(len(variants) - most)]
        if len(self._pages) > MOST_PAGES:
            _, forgotten = self._pages.popitem(last=False)
            gone += forgotten
        return gone

    def touch(self, page: str, variant: str) -> None:
        """Note that a variant was used."""
        variants = self._pages.get(page)
        if variants is not None and variant in variants:
            variants.move_to_end(variant)
            self._pages.move_to_end(page)

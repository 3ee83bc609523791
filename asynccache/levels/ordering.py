"""The order of a process's own changes of a key: an invalidation comes after the values before it.

A value that is on its way to Redis while the same process invalidates the key would else be stored
after the invalidation, and be found by reads that begin when both have returned (G1). Between
processes only versions, or deletes alone, have an order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager


class Ordering:
    """Which values are on their way."""

    __slots__ = ("_under_way",)

    def __init__(self) -> None:
        self._under_way: dict[asyncio.Future[None], frozenset[str]] = {}

    @contextmanager
    def storing(self, *keys: str) -> Iterator[None]:
        """While a value of some keys is on its way."""
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._under_way[over] = frozenset(keys)
        try:
            yield
        finally:
            del self._under_way[over]
            over.set_result(None)

    async def before(self, keys: Collection[str] | None) -> None:
        """Wait for the values that are on their way now.

        Args:
            keys: Of which keys; None: of all.
        """
        others = [
            over
            for over, stored in self._under_way.items()
            if keys is None or not stored.isdisjoint(keys)
        ]
        if others:
            await asyncio.wait(others)

    def __repr__(self) -> str:
        return f"<Ordering {len(self._under_way)} under way>"

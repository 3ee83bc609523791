"""A bound on the loads that run at once: without Redis every miss of every process is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asynccache.flight import is_nested


class Bulkhead:
    """Lets so many loads run at once; the others wait, under their own ``load_timeout``.

    Args:
        most: How many; None: without limit.
    """

    __slots__ = ("_permits",)

    def __init__(self, most: int | None) -> None:
        self._permits = None if most is None else asyncio.Semaphore(most)

    @asynccontextmanager
    async def permit(self) -> AsyncIterator[None]:
        """Wait for a permit and hold it for the length of a block."""
        # A loader that loads another key has a permit already: if all of them waited for a second
        # one, none would ever end.
        if self._permits is None or is_nested():
            yield
            return
        async with self._permits:
            yield

"""Which server of a cluster has which slots: asked for, corrected by redirections, asked again.

The map is only a guess about servers that may change at any moment; every server knows better
about itself and says so (MOVED, ASK). What the map has to be is good enough soon: it is asked for
at the start, when a server redirects or cannot be asked, and now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Final

from asynccache.core.addresses import Address
from asynccache.core.slots import SlotMap
from asynccache.errors import Unavailable

_log = logging.getLogger("asynccache")

SHORTEST_PAUSE: Final = 0.1
"""Seconds between two questions: a failover redirects a thousand callers at once."""

URGENT_PAUSE: Final = 0.25
"""Seconds between questions while a server is missing: an election takes a second or two."""


class Topology:
    """The slot map of one cluster, kept current by a background task.

    Args:
        nodes: Returns the addresses to ask, the best ones first.
        ask: Asks one server for the map; raises `Unavailable`.
        on_change: Is told of each map that differs from the one before.
        is_urgent: Tells whether a server is missing, so that the map may change any moment.
        interval: Seconds between questions when all is well.

    Attributes:
        map: The newest one; None: nobody has answered yet.
        generation: Changes with the map.
    """

    def __init__(
        self,
        nodes: Callable[[], Sequence[Address]],
        ask: Callable[[Address], Awaitable[SlotMap]],
        *,
        on_change: Callable[[SlotMap], None],
        is_urgent: Callable[[], bool],
        interval: float,
    ) -> None:
        self.map: SlotMap | None = None
        self.generation = 0
        self._trouble: str | None = None  # why the last question was answered by nobody
        self._nodes = nodes
        self._ask = ask
        self._on_change = on_change
        self._is_urgent = is_urgent
        self._interval = interval
        self._wanted = asyncio.Event()
        self._refreshing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Keep the map current until cancelled."""
        while True:
            try:
                await self.refresh()
            except Unavailable as error:
                _log.debug("no server of the cluster tells its slots: %s", error)
            except Exception:  # noqa: BLE001
                # A dead task would leave the map as it is for ever.
                _log.exception("asking for a cluster's slots failed in an unexpected way")
            await asyncio.sleep(SHORTEST_PAUSE)
            pause = URGENT_PAUSE if self.map is None or self._is_urgent() else self._interval
            try:
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()

    def refresh_soon(self) -> None:
        """Ask for the map in the background."""
        self._wanted.set()

    def moved(self, slot: int, address: Address) -> None:
        """Note what a redirection says, until the whole map is asked for."""
        if self.map is not None and self.map.owner(slot) != address:
            self.generation += 1
            if self.map.move(slot, address):
                self._on_change(self.map)
        self.refresh_soon()

    async def known(self) -> SlotMap:
        """Return the map, asking for it if nobody has yet.

        Once that was in vain nobody waits for it any more: the background task asks on.

        Raises:
            Unavailable: Nobody tells it.
        """
        if self.map is None:
            if self._trouble is not None:
                raise Unavailable(self._trouble)
            await self.refresh()
        if self.map is None:
            raise Unavailable("no server of the cluster tells its slots")
        return self.map

    async def refresh(self) -> None:
        """Ask for the map now; those who ask at once share one question.

        Raises:
            Unavailable: Nobody tells it.
        """
        if self._refreshing is None:
            self._refreshing = asyncio.get_running_loop().create_task(
                self._refresh(), name="asynccache cluster slots", context=Context()
            )
            self._refreshing.add_done_callback(self._refreshed)
        try:
            # Whoever is cancelled leaves the others their answer.
            await asyncio.shield(self._refreshing)
        except Unavailable as error:
            raise Unavailable(str(error)) from None  # one object would gather all their tracebacks

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled():
            task.exception()  # counts as retrieved: all who asked may have left

    async def _refresh(self) -> None:
        reasons: list[str] = []
        for address in self._nodes():
            try:
                found = await self._ask(address)
            except Unavailable as error:
                reasons.append(str(error))
                continue
            self._trouble = None
            self._take(found)
            return
        self._trouble = "; ".join(reasons) or "the cluster has no server"
        raise Unavailable(self._trouble)

    def _take(self, found: SlotMap) -> None:
        is_new = found != self.map
        self.map = found
        if is_new:
            self.generation += 1
            self._on_change(found)

    async def close(self) -> None:
        """End a question that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait((self._refreshing,))

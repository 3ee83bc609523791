"""Leases: one loader for each key in the whole fleet, while Redis can be asked.

A lease is permission to fill, not a lock: losing it costs a second load, never a wrong value.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from typing import Final

from asynccache.errors import Unavailable
from asynccache.levels.store import Raw, Store
from asynccache.tasks import OwnedTasks

LEASE_SECONDS: Final = 3.0
"""How long a dead loader holds up the others; a live one renews it."""

LEASE_MS: Final = round(LEASE_SECONDS * 1000)

RENEWALS: Final = 3
"""Times a lease is renewed within its own length: two may be lost."""

FIRST_POLL: Final = 0.005
LAST_POLL: Final = 0.1
"""Seconds between looks at another's lease where its end is not heard of: many loads take
milliseconds, few take seconds."""

LAST_LOOK: Final = 1.0
"""Seconds between looks where it is."""


class Leases:
    """Keeps, gives back and waits for leases.

    Args:
        store: Where leases are.
        tasks: Where renewals run.
        random: Returns a number from 0 to below 1, for jitter.
        is_heard: Tells whether the bus is well: then `wake` is called when a load has ended.
    """

    def __init__(
        self,
        store: Store,
        tasks: OwnedTasks,
        random: Callable[[], float],
        is_heard: Callable[[], bool] = lambda: False,
    ) -> None:
        self._is_heard = is_heard
        self._waiting: dict[str, asyncio.Event] = {}
        self._store = store
        self._tasks = tasks
        self._random = random

    @asynccontextmanager
    async def kept(self, keys: Collection[str], token: bytes) -> AsyncIterator[None]:
        """Renew leases for the length of a block, and give them back if it fails."""
        if not keys:
            yield
            return
        loop = asyncio.get_running_loop()
        renewal: asyncio.Task[None] | None = None

        def start_renewing() -> None:
            nonlocal renewal
            renewal = self._tasks.spawn(self._renew(keys, token), name="asynccache renew lease")

        # Most loads are over before the first renewal: a timer costs less than a task.
        timer = loop.call_later(LEASE_SECONDS / RENEWALS, start_renewing)
        try:
            yield
        except BaseException:
            self.release_soon(keys, token)
            raise
        finally:
            timer.cancel()
            if renewal is not None:
                renewal.cancel()

    async def wait_for_fill(self, key: str, patience: float) -> Raw | None:
        """Wait until somebody else's load has filled a key or is over.

        Args:
            key: The key.
            patience: Seconds to wait at most.

        Returns:
            What the key holds; None: the lease is gone without a fill, or the patience is.

        Raises:
            Unavailable: Redis can no longer be asked.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + patience
        pause = FIRST_POLL
        while loop.time() < give_up:
            woken = self._waiting.get(key)
            if woken is None:
                woken = self._waiting[key] = asyncio.Event()
            try:
                raw, left = await self._store.lease_left(key)
                if isinstance(raw.value, bytes) and left <= 0:
                    return raw
                if left <= 0:
                    return None
                # Whoever fills says so; as long as that is heard, looking is a precaution.
                limit = LAST_LOOK if self._is_heard() else pause * (0.5 + self._random())
                await self._sleep(woken, min(limit, give_up - loop.time()))
            finally:
                if self._waiting.get(key) is woken:
                    del self._waiting[key]
            pause = min(pause * 1.5, LAST_POLL)
        return None

    async def _sleep(self, woken: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await woken.wait()

    def wake(self, keys: Collection[str]) -> None:
        """Let those look again who wait for some keys: they were filled, or given up."""
        for key in keys:
            woken = self._waiting.pop(key, None)
            if woken is not None:
                woken.set()

    def wake_all(self) -> None:
        """Let everybody look again: something may not have been heard."""
        self.wake(list(self._waiting))

    async def release(self, keys: Collection[str], token: bytes) -> None:
        """Give leases back; if that cannot be said to Redis they expire by themselves."""
        if not keys:
            return
        with suppress(Unavailable):
            await self._store.release(keys, token)

    def release_soon(self, keys: Collection[str], token: bytes) -> None:
        """Give leases back in the background: their holder has failed, or is being cancelled."""
        self._tasks.spawn(self.release(keys, token), name="asynccache release lease")

    async def _renew(self, keys: Collection[str], token: bytes) -> None:
        while True:
            with suppress(Unavailable):
                await self._store.renew(keys, token, LEASE_MS)
            await asyncio.sleep(LEASE_SECONDS / RENEWALS)

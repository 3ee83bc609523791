"""Replaying the journal: a task that lives only while there is something to replay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from asynccache.core.backoff import capped_jitter
from asynccache.errors import Unavailable
from asynccache.levels.journal import Batch, Journal
from asynccache.levels.store import Store
from asynccache.tasks import OwnedTasks

logger = logging.getLogger("asynccache")

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.3
"""Seconds. While Redis is down a try costs nothing (its breaker is open), and the promise is to be
back within a second of its return."""


class Replay:
    """Deletes in Redis what the journal holds, as soon as that can be done.

    Args:
        journal: What to delete.
        store: Where.
        tasks: Where the task runs.
        random: Returns a number from 0 to below 1, for jitter.
        forget: Drops keys (None: all) from the first level. What an unacknowledged ``set`` left
            there is in no other process: once Redis is back, all of them shall agree again.
        forget_tags: Likewise, what has one of some tags.
    """

    def __init__(
        self,
        journal: Journal,
        store: Store,
        tasks: OwnedTasks,
        random: Callable[[], float],
        *,
        forget: Callable[[Sequence[str] | None], object],
        forget_tags: Callable[[Collection[str]], object],
    ) -> None:
        self._journal = journal
        self._store = store
        self._forget = forget
        self._forget_tags = forget_tags
        self._tasks = tasks
        self._random = random
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._one_at_a_time = asyncio.Lock()

    def kick(self) -> None:
        """Make sure that the journal will be replayed."""
        if not self._closed and (self._task is None or self._task.done()):
            self._task = self._tasks.spawn(self._run(), name="asynccache replay")

    async def drain(self) -> None:
        """Replay all of the journal now.

        Raises:
            Unavailable: Redis cannot be asked; what is left stays in the journal.
        """
        while len(self._journal):
            async with self._one_at_a_time:
                await self._replay(self._journal.next_batch())

    async def settle(self, keys: Collection[str]) -> None:
        """Replay what the journal holds of some keys: they are about to be written anew.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        while any(map(self._journal.holds, keys)):
            # Under the lock: a delete that is on its way must not arrive after what is written.
            async with self._one_at_a_time:
                await self._replay(self._journal.batch_of(keys))

    async def _replay(self, batch: Batch | None) -> None:
        if batch is None:
            return
        # A set that has failed must not be carried out after the delete that is to undo it.
        await asyncio.sleep(self._store.settled_at - asyncio.get_running_loop().time())
        if batch.keys is None:
            await self._store.renew_era()
            self._forget(None)
        elif batch.tags:
            await self._store.invalidate_tags(list(batch.tags))
            self._forget_tags(batch.tags)
        else:
            await self._store.forget(batch.keys)
            self._forget(batch.keys)
        self._journal.done(batch)

    async def flush(self, patience: float) -> int:
        """Try for a while to empty the journal, at the end; return how many keys are left in it.

        Args:
            patience: Seconds.
        """
        self._closed = True
        if self._task is not None:
            self._task.cancel()
        with suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(patience):
                await self.drain()
        return len(self._journal)

    async def _run(self) -> None:
        attempt = 0
        while len(self._journal):
            await asyncio.sleep(
                capped_jitter(attempt, self._random(), base=FIRST_PAUSE, cap=LONGEST_PAUSE)
            )
            attempt += 1
            try:
                await self.drain()
            except Unavailable as error:
                logger.debug("the journal has to wait: %s", error)
            except Exception:
                # If it died silently here, other processes would keep stale values for ever.
                logger.exception("replaying the journal failed in an unexpected way; again")

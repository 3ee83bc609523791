"""What Redis pushes about records: who has changed them does not say, and need not be a cache.

A push drops the key and poisons its fences, as a message of another process does. Only one that may
be the echo of our own write is looked into first, in the background: while Redis holds what was
written, the value in L1 is current. Until that is known nothing is proved about the time of the
push, so that L1 answers for no longer than it is allowed to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice
from typing import Final

from asynccache.clock import Clock
from asynccache.core.echoes import Echoes, Written
from asynccache.core.keys import HASHED_MARK, LONGEST_PLAIN_BYTES, KeySpace, unescape
from asynccache.errors import Unavailable
from asynccache.levels.first import FirstLevel
from asynccache.levels.store import Store
from asynccache.tasks import OwnedTasks

logger = logging.getLogger("asynccache")

BATCH: Final = 64
"""Records that are asked for at once: they may be large."""


class Pushes:
    """Applies pushes to the first level.

    Args:
        first: The first level.
        store: Where to look.
        keys: The namespace's Redis keys.
        clock: The cache's clock.
        tasks: Where looking runs.

    Attributes:
        received: Keys that were pushed.
    """

    def __init__(
        self, first: FirstLevel, store: Store, keys: KeySpace, clock: Clock, tasks: OwnedTasks
    ) -> None:
        self._first = first
        self._store = store
        self._keys = keys
        self._clock = clock
        self._tasks = tasks
        self._echoes = Echoes(keys.record)
        first.echoes = self._echoes
        self._due: dict[str, Written] = {}
        self._is_looking = False
        self._asked = 0  # how often something has become due, and how much of that is done
        self._answered = 0
        self._progress = asyncio.Event()
        self.received = 0

    def pushed(self, names: Sequence[bytes]) -> None:
        """Apply what was pushed.

        Args:
            names: Redis keys.
        """
        self.received += len(names)
        changed: list[str] = []
        hashed: set[str] = set()
        for each in names:
            inner = self._keys.name_of(each)
            if inner is None:
                continue  # nobody's record
            name = each.decode()
            written = self._echoes.find(name)
            if written is not None and self._may_be_echo(written):
                self._look_soon(name, written)
            elif written is not None:
                changed.append(written.key)
            elif inner.startswith(HASHED_MARK):
                hashed.add(name)
            else:
                changed.append(unescape(inner))
        self._first.forget(changed)
        if hashed:
            # A hash leads back to no key; only what is here matters.
            self._first.forget_matching(
                lambda key: len(key) * 4 > LONGEST_PLAIN_BYTES and self._keys.record(key) in hashed
            )

    async def settled(self) -> None:
        """Wait until all is applied that was pushed so far."""
        goal = self._asked
        while self._answered < goal:
            await self._progress.wait()

    def proved(self, instant: float) -> None:
        """Take note that the echoes of what was written before an instant have come."""
        self._echoes.forget_before(instant)

    def _may_be_echo(self, written: Written) -> bool:
        """Tell whether all that L1 has, or will have, for a key is what was written."""
        if self._first.fences.is_open(written.fence, written.key):
            return True
        return written.is_kept and self._first.engine.get(written.key) is not None

    def _look_soon(self, name: str, written: Written) -> None:
        key = written.key
        # Nothing else may be kept for the key, whatever is found.
        if not written.is_kept:
            self._first.engine.delete(key)
        self._first.loads.detach(key)
        self._first.reads.detach(key)
        self._first.fences.poison([key], spare=written.fence)
        self._due[name] = written
        self._asked += 1
        if not self._is_looking:
            self._is_looking = True
            self._tasks.spawn(self._look(), name="asynccache look at echoes")

    async def _look(self) -> None:
        try:
            while self._due:
                asked = self._asked
                due, self._due = iter(list(self._due.values())), {}
                while batch := list(islice(due, BATCH)):
                    await self._compare(batch)
                self._answered = asked
                self._progress.set()
                self._progress = asyncio.Event()
        finally:
            self._is_looking = False

    async def _compare(self, batch: Sequence[Written]) -> None:
        stands: set[str] = set()
        try:
            raws = await self._store.read([written.key for written in batch])
            now = self._clock.monotonic()
            stands = {
                written.key
                for written, raw in zip(batch, raws, strict=True)
                if written.stands(raw.value, raw.pttl, now)
            }
        except Unavailable:
            pass  # nobody knows
        except Exception:
            # If nothing were proved any more because of this, L1 would never open again.
            logger.exception("looking at echoes failed in an unexpected way; they are dropped")
        self._first.forget([each.key for each in batch if each.key not in stands])

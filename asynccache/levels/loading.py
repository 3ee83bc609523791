"""One run of a loader, from looking into Redis to storing what it returned.

Design.md's read, step by step: look into L2; on a miss ask for the lease; granted, load and fill;
refused, wait for the fill of whoever holds it; without Redis, load and keep the value only as long
as it needs no proof. One key or many: the same steps.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Collection, Sequence
from typing import TypeVar

from asynccache.context import LoadContext, enter
from asynccache.core.fence import Fence
from asynccache.core.freshness import Found, Fresh, Reading, Stale
from asynccache.core.policy import Policy
from asynccache.errors import Unavailable
from asynccache.events import StaleServed
from asynccache.flights import Deliver
from asynccache.levels.calling import BulkLoader, call_loader
from asynccache.levels.claims import Claims
from asynccache.levels.first import Held
from asynccache.levels.keeping import Keeping
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Raw
from asynccache.types import MISSING, Missing

logger = logging.getLogger("asynccache")

T = TypeVar("T")


class LoadRun:
    """One run for some keys.

    Args:
        levels: Where to look and to store.
        keys: The keys, none twice.
        loader: Returns the values of the keys that it is given, or of some of them.
        policy: How the values are kept.
        tags: What the values are tagged with, besides what their loader says.
    """

    __slots__ = (
        "_claims",
        "_context",
        "_deliver",
        "_fence",
        "_keeping",
        "_keys",
        "_levels",
        "_loader",
        "_looked_at",
        "_open",
        "_policy",
        "_present",
        "_stale",
        "_tags",
    )

    def __init__(
        self,
        levels: Levels,
        keys: Sequence[str],
        loader: BulkLoader,
        policy: Policy,
        tags: tuple[str, ...] = (),
    ) -> None:
        self._levels = levels
        self._keys = keys
        self._loader = loader
        self._policy = policy
        self._claims = Claims()
        # Set by whichever of the two entrances is taken.
        self._deliver: Deliver[Held | Missing]
        self._fence: Fence
        self._keeping: Keeping
        self._open = set(keys)  # those without a value so far
        self._tags = tags
        self._stale: dict[str, tuple[Stale, float]] = {}  # and until when they may be used
        self._looked_at: dict[str, object] = {}
        self._context: LoadContext
        self._present: Held | None = None  # what is there, for a refresh

    async def get_or_load(
        self, deliver: Deliver[Held | Missing], overtaken: Collection[str]
    ) -> None:
        """Deliver each key's value, from Redis or from the loader; MISSING: the loader had none.

        Args:
            deliver: Takes the values.
            overtaken: Keys whose values are not to be kept in L1.

        Raises:
            Exception: Whatever the loader raised, unless stale values may stand in.
        """
        with self._levels.first.fences.over(*self._keys) as fence:
            self._begin(deliver, fence)
            for key in overtaken:
                self._fence.poison(key)
            second = self._levels.second
            if second is None:
                await self._load(self._keys, leased=())
                return
            usable = [key for key in self._keys if not second.journal.holds(key)]
            try:
                self._claims.tokens = await _asked(self._levels.learn(self._tags))
                if not self._levels.expectation.is_miss:
                    await self._look(usable)
                await self._load_in_turn([key for key in usable if key in self._open], second)
            except _SecondLevelLost as lost:
                logger.debug("loading without Redis: %s", lost)
            rest = [key for key in self._keys if key in self._open]
            if rest:
                # Newer than anything Redis may hold for them: those records must not come back.
                second.note(rest, is_write=False)
                await self._load(rest, leased=())
                # Said meanwhile, and somebody may have filled what is older since.
                said = [key for key in rest if not second.journal.holds(key)]
                if said:
                    second.note(said, is_write=False)

    async def refresh(self, deliver: Deliver[Held | Missing], overtaken: Collection[str]) -> None:
        """Load whatever is there, and replace it in every process. See `get_or_load`."""
        with self._levels.first.fences.over(*self._keys) as fence:
            self._begin(deliver, fence)
            for key in overtaken:
                self._fence.poison(key)
            # What began earlier may end later, and would bring the older value back.
            self._levels.first.fences.poison(self._keys, spare=self._fence)
            leased = await self._steal(self._levels.second)
            await self._load(self._keys, leased=leased, announce=True)

    async def refresh_eagerly(
        self, deliver: Deliver[Held | Missing], overtaken: Collection[str]
    ) -> None:
        """Load one key's value before it expires, unless another process has or does.

        Nobody waits for it. Who comes while it runs, and is not served by it, loads for himself.
        """
        (key,) = self._keys
        with self._levels.first.fences.over(key) as fence:
            self._begin(deliver, fence)
            if key in overtaken:
                return deliver(key, MISSING)
            try:
                await self._refresh_in_turn(key, self._levels.second)
            except _SecondLevelLost as lost:
                logger.debug("no eager refresh without Redis: %s", lost)
            except Exception as error:  # noqa: BLE001  # nobody waits for it
                logger.warning("the eager refresh of %r failed: %r", key, error)
        if key in self._open:
            self._settle(key, MISSING)
        return None

    def _begin(self, deliver: Deliver[Held | Missing], fence: Fence) -> None:
        self._deliver, self._fence = deliver, fence
        self._keeping = Keeping(
            self._levels,
            self._policy,
            tags=self._tags,
            claims=self._claims,
            fence=fence,
        )

    async def _refresh_in_turn(self, key: str, second: SecondLevel | None) -> None:
        first = self._levels.first
        if second is None:
            entry = first.current(key)
            self._present = None if entry is None else first.held_of(entry)
            await self._load([key], leased=())
            return
        if second.journal.holds(key):
            return
        self._claims.tokens = await _asked(self._levels.learn(self._tags))
        asof = self._levels.clock.monotonic()
        ((raw, reading),) = await _asked(self._levels.read([key], self._claims.tokens))
        self._looked_at[key] = raw.value
        if isinstance(reading, Found):
            self._present = held = first.hold_reading(reading, self._policy, self._fence.epoch)
            left = reading.left
            due = first.eager_at(held, left=left, policy=self._policy, since=asof)
            if isinstance(reading, Fresh) and due > asof:
                self._accept(key, reading, asof)  # somebody else was earlier
                return
        granted, _ = await self._claim([key], second)
        if granted:
            await self._load([key], leased=granted, announce=True)

    async def _steal(self, second: SecondLevel | None) -> list[str]:
        if second is None:
            return []
        try:
            leases = await self._claims.ask(self._keys, second, steal=True)
            self._claims.tokens = await self._levels.learn(self._tags)
        except Unavailable:
            second.note(self._keys)
            return []
        denied = [key for key, lease in zip(self._keys, leases, strict=True) if lease.denied]
        if denied:
            # What cannot be replaced has to go: the value that is loaded now is newer.
            second.note(denied)
        return [
            key
            for key, lease in zip(self._keys, leases, strict=True)
            if lease.granted and not lease.is_written
        ]

    def _settle(self, key: str, held: Held | Missing) -> None:
        self._open.discard(key)
        self._deliver(key, held)

    async def _look(self, keys: Sequence[str]) -> None:
        asof = self._levels.clock.monotonic()
        found = await _asked(self._levels.read(keys, self._claims.tokens))
        for key, (raw, reading) in zip(keys, found, strict=True):
            self._looked_at[key] = raw.value
            self._levels.expectation.note(missed=raw.value is None)
            self._accept(key, reading, asof)

    async def _accept_raw(self, key: str, raw: Raw, asof: float) -> None:
        answer = self._levels.interpret_all({key: raw}, self._claims.tokens)
        ((_, reading),) = await _asked(answer)
        self._accept(key, reading, asof)

    def _accept(self, key: str, reading: Reading, asof: float) -> None:
        if isinstance(reading, Fresh):
            self._levels.counters.l2_hits += 1
            held = self._levels.first.hold_reading(reading, self._policy, self._fence.epoch)
            self._keeping.install(key, held, reading.left, asof=asof, since=asof)
            self._settle(key, held)
        elif isinstance(reading, Stale):
            self._stale[key] = (reading, asof + reading.left.grace)

    def in_grace(self, key: str) -> Held | None:
        """Return a value past its lifetime that may be given instead of a load's, if there is one.

        What was read from Redis may have been invalidated since; L1 has dropped what was.
        """
        first = self._levels.first
        held = None
        if key in self._stale and self._fence.intact(key):
            reading, until = self._stale[key]
            is_current = first.generations.newest(reading.record.tags) <= self._fence.epoch
            if is_current and self._levels.clock.monotonic() < until:
                held = first.hold_reading(reading, self._policy, self._fence.epoch)
        if held is None:
            held = first.in_grace(key)
        if held is not None:
            held.stale = True
        return held

    async def _load_in_turn(self, pending: list[str], second: SecondLevel) -> None:
        """Load the keys whose lease is granted; wait for the others' loads, up to a limit."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._policy.lease_wait
        while pending:
            granted, denied = await self._claim(pending, second)
            to_load = granted | denied
            refused = [key for key in pending if key in self._open and key not in to_load]
            patient = loop.time() < give_up
            chosen = [*to_load, *([] if patient else refused)]
            if chosen:
                await self._load(chosen, leased=granted)
            pending = []
            for key in refused if patient else []:
                asof = self._levels.clock.monotonic()
                filled = second.leases.wait_for_fill(key, give_up - loop.time())
                raw = await _asked(filled)
                if raw is not None:
                    await self._accept_raw(key, raw, asof)
                if key in self._open:
                    pending.append(key)

    async def _claim(
        self, keys: Sequence[str], second: SecondLevel
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Ask for leases; return the keys to load with one, and those to load without one.

        Some may have been filled since we looked.
        """
        asof = self._levels.clock.monotonic()
        leases = await _asked(self._claims.ask(keys, second))
        for key, lease in zip(keys, leases, strict=True):
            value = lease.raw.value
            if key not in self._looked_at:
                self._levels.expectation.note(missed=value is None)
            if isinstance(value, bytes) and value != self._looked_at.get(key):
                await self._accept_raw(key, lease.raw, asof)
            self._looked_at[key] = value
        granted, denied, in_vain = self._claims.sorted_out(keys, leases, self._open)
        if in_vain:
            second.leases.release_soon(in_vain, self._claims.token)
        return granted, denied

    async def _load(
        self, keys: Sequence[str], *, leased: Collection[str], announce: bool = False
    ) -> None:
        """Run the loader and store what it returns: in L2 under a lease, in L1 under the fence."""
        second = self._levels.second
        if second is None or not leased:
            await self._load_and_keep(keys, None, frozenset(), announce=announce)
            return
        async with second.leases.kept(leased, self._claims.token):
            await self._load_and_keep(keys, second, leased, announce=announce)

    async def _load_and_keep(
        self,
        keys: Sequence[str],
        second: SecondLevel | None,
        leased: Collection[str],
        *,
        announce: bool,
    ) -> None:
        levels = self._levels
        asof = levels.clock.monotonic()
        try:
            self._introduce(keys)
            values = await call_loader(levels, self._loader, keys, self._policy)
        except Exception as error:
            # Who asks for a refresh wants to know that there was none.
            if announce or not self._stand_in(keys):
                raise
            logger.warning("serving stale values: the loader failed: %r", error)
            levels.events.emit(StaleServed(tuple(keys), error))
            if second is not None:
                await second.leases.release(leased, self._claims.token)
            return
        await self._keeping.take_in(
            *(values, keys, self._context, self._settle),
            second=second,
            leased=leased,
            announce=announce,
            asof=asof,
        )

    def _introduce(self, keys: Sequence[str]) -> None:
        """Let the loader know what is there already."""
        present = self._present
        if present is None and len(keys) == 1:
            present = self.in_grace(keys[0])
        if present is None:
            self._context = LoadContext(keys)
        else:
            etag = None if present.extra is None else present.extra.etag
            self._context = LoadContext(keys, present.value, etag, present.age)
        enter(self._context)

    def _stand_in(self, keys: Sequence[str]) -> bool:
        """Answer a failed load with stale values, if there is one for every key."""
        stale: dict[str, Held] = {}
        for key in keys:
            held = self.in_grace(key)
            if held is None:
                return False
            stale[key] = held
        for key, held in stale.items():
            self._settle(key, held)
        self._levels.counters.stale_served += len(stale)
        return True


class _SecondLevelLost(Exception):
    """Redis stopped answering. A loader's own `Unavailable` must not be taken for it."""


async def _asked(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except Unavailable as error:
        raise _SecondLevelLost(str(error)) from error

"""One run of a loader, from looking into Redis to storing what it returned.

Design.md's read, step by step: look into L2; on a miss ask for the lease; granted, load and fill;
refused, wait for the fill of whoever holds it; without Redis, load and keep the value only as long
as it needs no proof. One key or many: the same steps.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from asynccache.core.arguments import wrong_type
from asynccache.core.fence import Fence
from asynccache.core.freshness import Fresh, Stale
from asynccache.core.policy import Lifetime, Policy
from asynccache.errors import LoadTimeout, Unavailable
from asynccache.flights import Deliver
from asynccache.levels.first import Held
from asynccache.levels.leases import LEASE_MS, LEASE_WAIT
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Item, Raw
from asynccache.types import MISSING, Missing

logger = logging.getLogger("asynccache")

T = TypeVar("T")

BulkLoader: TypeAlias = Callable[[list[str]], Awaitable[Mapping[str, Any]]]


class LoadRun:
    """One run for some keys.

    Args:
        levels: Where to look and to store.
        keys: The keys, none twice.
        loader: Returns the values of the keys that it is given, or of some of them.
        policy: How the values are kept.
    """

    __slots__ = (
        "_deliver",
        "_fence",
        "_keys",
        "_levels",
        "_loader",
        "_looked_at",
        "_open",
        "_policy",
        "_stale",
        "_token",
    )

    def __init__(
        self, levels: Levels, keys: Sequence[str], loader: BulkLoader, policy: Policy
    ) -> None:
        self._levels = levels
        self._keys = keys
        self._loader = loader
        self._policy = policy
        self._token = b""  # most runs find the value, and need none
        # Set by whichever of the two entrances is taken.
        self._deliver: Deliver[Held | Missing]
        self._fence: Fence
        self._open = set(keys)  # those without a value so far
        self._stale: dict[str, tuple[Any, float]] = {}  # values, and until when they may be used
        self._looked_at: dict[str, object] = {}

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
        self._deliver = deliver
        with self._levels.first.fences.over(*self._keys) as self._fence:
            for key in overtaken:
                self._fence.poison(key)
            second = self._levels.second
            if second is None:
                await self._load(self._keys, leased=())
                return
            usable = [key for key in self._keys if not second.journal.holds(key)]
            try:
                await self._look(usable, second)
                await self._load_in_turn([key for key in usable if key in self._open], second)
            except _SecondLevelLost as lost:
                logger.debug("loading without Redis: %s", lost)
            rest = [key for key in self._keys if key in self._open]
            if rest:
                # Newer than anything Redis may hold for them: those records must not come back.
                second.note(rest)
                await self._load(rest, leased=())

    async def refresh(self, deliver: Deliver[Held | Missing], overtaken: Collection[str]) -> None:
        """Load whatever is there, and replace it in every process. See `get_or_load`."""
        self._deliver = deliver
        with self._levels.first.fences.over(*self._keys) as self._fence:
            for key in overtaken:
                self._fence.poison(key)
            # What began earlier may end later, and would bring the older value back.
            self._levels.first.fences.poison(self._keys, spare=self._fence)
            leased = await self._steal(self._levels.second)
            await self._load(self._keys, leased=leased, announce=True)

    async def _steal(self, second: SecondLevel | None) -> list[str]:
        if second is None:
            return []
        try:
            token = self._token = secrets.token_bytes(16)
            leases = await second.store.acquire(self._keys, token, LEASE_MS, steal=True)
        except Unavailable:
            second.note(self._keys)
            return []
        granted = [key for key, lease in zip(self._keys, leases, strict=True) if lease.granted]
        if len(granted) < len(self._keys):
            # What cannot be replaced has to go: the value that is loaded now is newer.
            second.note(set(self._keys).difference(granted))
        return granted

    def _settle(self, key: str, held: Held | Missing) -> None:
        self._open.discard(key)
        self._deliver(key, held)

    async def _look(self, keys: Sequence[str], second: SecondLevel) -> None:
        if not keys:
            return
        asof = self._levels.clock.monotonic()
        for key, raw in zip(keys, await _asked(second.store.read(keys)), strict=True):
            self._looked_at[key] = raw.value
            self._accept(key, raw, asof)

    def _accept(self, key: str, raw: Raw, asof: float) -> None:
        reading = self._levels.interpret(key, raw)
        if isinstance(reading, Fresh):
            self._levels.counters.l2_hits += 1
            held = self._levels.first.hold(reading.value, self._policy, reading.payload)
            self._install(key, held, reading.left, asof=asof, since=asof)
            self._settle(key, held)
        elif isinstance(reading, Stale):
            self._stale[key] = (reading.value, asof + reading.left.grace)

    async def _load_in_turn(self, pending: list[str], second: SecondLevel) -> None:
        """Load the keys whose lease is granted; wait for the others' loads, up to a limit."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + LEASE_WAIT
        while pending:
            granted, denied = await self._claim(pending, second)
            to_load = granted | denied
            refused = [key for key in pending if key in self._open and key not in to_load]
            patient = loop.time() < give_up
            if to_load or not patient:
                await self._load([*to_load, *([] if patient else refused)], leased=granted)
            pending = []
            for key in refused if patient else []:
                asof = self._levels.clock.monotonic()
                filled = second.leases.wait_for_fill(key, give_up - loop.time())
                raw = await _asked(filled)
                if raw is not None:
                    self._accept(key, raw, asof)
                if key in self._open:
                    pending.append(key)

    async def _claim(
        self, keys: Sequence[str], second: SecondLevel
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Ask for leases; return the keys to load with one, and those to load without one.

        Some may have been filled since we looked.
        """
        asof = self._levels.clock.monotonic()
        try:
            self._token = self._token or secrets.token_bytes(16)
            leases = await _asked(second.store.acquire(keys, self._token, LEASE_MS))
        except asyncio.CancelledError:
            # They may be granted all the same, and would keep others waiting for nobody.
            second.leases.release_soon(keys, self._token)
            raise
        for key, lease in zip(keys, leases, strict=True):
            value = lease.raw.value
            if isinstance(value, bytes) and value != self._looked_at.get(key):
                self._accept(key, lease.raw, asof)
        granted = {key for key, lease in zip(keys, leases, strict=True) if lease.granted}
        denied = {key for key, lease in zip(keys, leases, strict=True) if lease.denied}
        await second.leases.release(granted - self._open, self._token)
        return frozenset(granted & self._open), frozenset(denied & self._open)

    async def _load(
        self, keys: Sequence[str], *, leased: Collection[str], announce: bool = False
    ) -> None:
        """Run the loader and store what it returns: in L2 under a lease, in L1 under the fence."""
        second = self._levels.second
        if second is None or not leased:
            await self._load_and_keep(keys, None, frozenset(), announce=announce)
            return
        async with second.leases.kept(leased, self._token):
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
            values = await self._run_loader(keys)
        except Exception as error:
            # Who asks for a refresh wants to know that there was none.
            if announce or not self._stand_in(keys):
                raise
            logger.warning("serving stale values: the loader failed: %r", error)
            if second is not None:
                await second.leases.release(leased, self._token)
            return
        since = levels.clock.monotonic()
        lifetimes = {key: self._policy.lifetime(levels.random()) for key in keys}
        held: dict[str, Held] = {}
        items: dict[str, Item] = {}
        for key in keys:
            if key not in values:
                self._settle(key, MISSING)
                continue
            held[key] = levels.first.hold(values[key], self._policy)
            if key in leased:
                payload = held[key].payload
                payload = levels.codec.encode(values[key]) if payload is None else payload
                load_ms = round((since - asof) * 1000)
                items[key] = levels.item(key, payload, lifetimes[key], load_ms)
        refused = await self._fill(items, second, announce=announce)
        if second is not None:
            await second.leases.release([key for key in leased if key not in held], self._token)
        for key, value in held.items():
            if key not in refused:
                self._install(key, value, lifetimes[key], asof=asof, since=since)
            self._settle(key, value)

    async def _fill(
        self, items: Mapping[str, Item], second: SecondLevel | None, *, announce: bool
    ) -> set[str]:
        """Store records in L2; return the keys whose lease was lost to something newer."""
        if second is None or not items:
            return set()
        try:
            stored = await second.store.fill(items, self._token, announce=announce)
        except Unavailable as error:
            logger.debug("a fill did not reach Redis: %s", error)
            stored = set(items)
            if announce:
                second.note(items)  # the older value is still there
        if announce:
            # Reads that began meanwhile may hold what has been replaced.
            self._levels.first.fences.poison(items, spare=self._fence)
        refused = set(items) - stored
        self._levels.counters.fills_refused += len(refused)
        return refused

    async def _run_loader(self, keys: Sequence[str]) -> Mapping[str, Any]:
        counters, limit = self._levels.counters, self._policy.load_timeout
        counters.loads += len(keys)
        counters.misses += len(keys)
        try:
            async with asyncio.timeout(limit) as timeout:
                values = await self._loader(list(keys))
        except TimeoutError as error:
            counters.load_failures += len(keys)
            if timeout.expired() and limit is not None:
                raise LoadTimeout(keys[0], limit) from error
            raise
        except Exception:
            counters.load_failures += len(keys)
            raise
        if not isinstance(values, Mapping):
            raise wrong_type("load_missing", values, "a function that returns a mapping")
        return values

    def _stand_in(self, keys: Sequence[str]) -> bool:
        """Answer a failed load with stale values, if there is one for every key."""
        now = self._levels.clock.monotonic()
        stale: dict[str, Any] = {}
        for key in keys:
            value, until = self._stale.get(key, (MISSING, 0.0))
            # What was read from L2 may have been invalidated since; L1 has dropped what was.
            if now >= until or not self._fence.intact(key):
                value = self._levels.first.stale(key)
            if value is MISSING:
                return False
            stale[key] = value
        for key, value in stale.items():
            self._settle(key, self._levels.first.hold(value, self._policy))
        self._levels.counters.stale_served += len(stale)
        return True

    def _install(self, key: str, held: Held, left: Lifetime, *, asof: float, since: float) -> None:
        if self._fence.intact(key):
            self._levels.first.install(
                key, held, left=left, policy=self._policy, asof=asof, since=since
            )


class _SecondLevelLost(Exception):
    """Redis stopped answering. A loader's own `Unavailable` must not be taken for it."""


async def _asked(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except Unavailable as error:
        raise _SecondLevelLost(str(error)) from error

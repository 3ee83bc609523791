"""One run of a loader, from looking into Redis to storing what it returned.

Design.md's read, step by step: look into L2; on a miss ask for the lease; granted, load and fill;
refused, wait for the fill of whoever holds it; without Redis, load and keep the value only as long
as it needs no proof. One key or many: the same steps.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Any, TypeVar

from asynccache.context import LoadContext, enter
from asynccache.core.fence import Fence
from asynccache.core.freshness import Found, Fresh, Reading, Stale
from asynccache.core.policy import Lifetime, Policy
from asynccache.errors import Unavailable
from asynccache.events import StaleServed
from asynccache.flights import Deliver
from asynccache.levels.calling import BulkLoader, call_loader
from asynccache.levels.first import Held
from asynccache.levels.late_tags import tokens_of
from asynccache.levels.leases import LEASE_MS
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Item, Lease, Raw
from asynccache.memory.entry import Extra
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
        "_clock",
        "_context",
        "_deliver",
        "_fence",
        "_keys",
        "_levels",
        "_loader",
        "_looked_at",
        "_open",
        "_policy",
        "_present",
        "_settling",
        "_stale",
        "_stamps",
        "_tags",
        "_token",
        "_tokens",
        "_unkept",
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
        self._token = b""  # most runs find the value, and need none
        # Set by whichever of the two entrances is taken.
        self._deliver: Deliver[Held | Missing]
        self._fence: Fence
        self._open = set(keys)  # those without a value so far
        self._tags = tags
        self._tokens: Mapping[str, bytes] = {}  # from before the load
        self._clock: int | None = None  # likewise
        self._stale: dict[str, tuple[Stale, float]] = {}  # and until when they may be used
        # In which life of its server a key's lease was granted: a later one may have got the lease
        # back with an old snapshot, and not the delete that took it away (race 15).
        self._stamps: dict[str, bytes] = {}
        self._looked_at: dict[str, object] = {}
        self._unkept: set[str] = set()  # their source is about to be changed
        self._settling: dict[str, float] = {}  # their source may be old, for so many seconds
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
                self._tokens = await _asked(self._levels.learn(self._tags))
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
        self._deliver = deliver
        with self._levels.first.fences.over(*self._keys) as self._fence:
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
        self._deliver = deliver
        (key,) = self._keys
        with self._levels.first.fences.over(key) as self._fence:
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

    async def _refresh_in_turn(self, key: str, second: SecondLevel | None) -> None:
        first = self._levels.first
        if second is None:
            entry = first.current(key)
            self._present = None if entry is None else first.held_of(entry)
            await self._load([key], leased=())
            return
        if second.journal.holds(key):
            return
        self._tokens = await _asked(self._levels.learn(self._tags))
        asof = self._levels.clock.monotonic()
        ((raw, reading),) = await _asked(self._levels.read([key], self._tokens))
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
            token = self._token = secrets.token_bytes(16)
            leases = await second.store.acquire(self._keys, token, LEASE_MS, steal=True)
            self._stamps = {key: second.store.stamp(key) for key in self._keys}
            self._tokens = await self._levels.learn(self._tags)
        except Unavailable:
            second.note(self._keys)
            return []
        self._note(self._keys, leases)
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
        found = await _asked(self._levels.read(keys, self._tokens))
        for key, (raw, reading) in zip(keys, found, strict=True):
            self._looked_at[key] = raw.value
            self._levels.expectation.note(missed=raw.value is None)
            self._accept(key, reading, asof)

    async def _accept_raw(self, key: str, raw: Raw, asof: float) -> None:
        answer = self._levels.interpret_all({key: raw}, self._tokens)
        ((_, reading),) = await _asked(answer)
        self._accept(key, reading, asof)

    def _accept(self, key: str, reading: Reading, asof: float) -> None:
        if isinstance(reading, Fresh):
            self._levels.counters.l2_hits += 1
            held = self._levels.first.hold_reading(reading, self._policy, self._fence.epoch)
            self._install(key, held, reading.left, asof=asof, since=asof)
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
            if to_load or not patient:
                await self._load([*to_load, *([] if patient else refused)], leased=granted)
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
        try:
            self._token = self._token or secrets.token_bytes(16)
            leases = await _asked(second.store.acquire(keys, self._token, LEASE_MS))
            self._stamps |= {key: second.store.stamp(key) for key in keys}
        except asyncio.CancelledError:
            # They may be granted all the same, and would keep others waiting for nobody.
            second.leases.release_soon(keys, self._token)
            raise
        for key, lease in zip(keys, leases, strict=True):
            value = lease.raw.value
            if key not in self._looked_at:
                self._levels.expectation.note(missed=value is None)
            if isinstance(value, bytes) and value != self._looked_at.get(key):
                await self._accept_raw(key, lease.raw, asof)
            self._looked_at[key] = value
        self._note(keys, leases)
        granted = {key for key, lease in zip(keys, leases, strict=True) if lease.granted}
        # Under an intent everybody loads for himself, and keeps nothing.
        denied = {
            key
            for key, lease in zip(keys, leases, strict=True)
            if lease.denied or (lease.is_written and key in self._open)
        }
        in_vain = (granted - self._open) | (granted & denied)
        if in_vain:
            second.leases.release_soon(in_vain, self._token)
        granted -= denied
        return frozenset(granted & self._open), frozenset(denied & self._open)

    def _note(self, keys: Sequence[str], leases: Sequence[Lease]) -> None:
        """Note what came with the leases about the state of the source."""
        for key, lease in zip(keys, leases, strict=True):
            self._clock = lease.clock
            if lease.is_written:
                self._unkept.add(key)
            if lease.settling_ms:
                self._settling[key] = lease.settling_ms / 1000

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
            self._introduce(keys)
            values = await call_loader(levels, self._loader, keys, self._policy)
        except Exception as error:
            # Who asks for a refresh wants to know that there was none.
            if announce or not self._stand_in(keys):
                raise
            logger.warning("serving stale values: the loader failed: %r", error)
            levels.events.emit(StaleServed(tuple(keys), error))
            if second is not None:
                await second.leases.release(leased, self._token)
            return
        await self._take_in(values, keys, second, leased, announce=announce, asof=asof)

    async def _take_in(
        self,
        values: Mapping[str, Any],
        keys: Sequence[str],
        second: SecondLevel | None,
        leased: Collection[str],
        *,
        announce: bool,
        asof: float,
    ) -> None:
        """Store what was loaded, in Redis first, and give it to those who wait."""
        levels, context = self._levels, self._context
        since = levels.clock.monotonic()
        tags = tuple(dict.fromkeys((*self._tags, *context.tags)))
        extra = Extra(tags, context.etag, context.version)
        is_plain = not (tags or context.etag is not None or context.version)
        lifetimes: dict[str, Lifetime] = {}
        held: dict[str, Held] = {}
        for key in keys:
            if key not in values:
                self._settle(key, MISSING)
                continue
            held[key] = levels.first.hold(values[key], self._policy)
            held[key].extra, held[key].epoch = None if is_plain else extra, self._fence.epoch
            lifetimes[key] = self._lifetime(key, values[key])
        storable = {key: held[key] for key in held if key in leased and context.is_kept}
        items = await self._items(storable, lifetimes, extra, asof=asof, since=since)
        refused = await self._fill(items, second, announce=announce)
        if second is not None:
            await second.leases.release([key for key in leased if key not in items], self._token)
        for key, value in held.items():
            if key not in refused and key not in self._unkept and context.is_kept:
                value.load_time = since - asof
                by = self._fence if key in items else None
                self._install(key, value, lifetimes[key], asof=asof, since=since, written_by=by)
            else:
                self._levels.first.outdo(key, by=self._fence)
            self._settle(key, value)

    async def _items(
        self,
        helds: Mapping[str, Held],
        lifetimes: Mapping[str, Lifetime],
        extra: Extra,
        *,
        asof: float,
        since: float,
    ) -> dict[str, Item]:
        """Return the records of loaded values; none, if they may be older than their tags."""
        levels = self._levels
        tokens = None
        if helds:
            tokens = await tokens_of(
                levels, extra.tags, known=self._tokens, before=asof, clock=self._clock
            )
        if tokens is None:
            return {}
        items: dict[str, Item] = {}
        for key, held in helds.items():
            payload = levels.codec.encode(held.value) if held.payload is None else held.payload
            items[key] = levels.item(
                *(key, payload, lifetimes[key], tokens),
                tags=extra.tags,
                etag=extra.etag,
                version=extra.version,
                load_ms=round((since - asof) * 1000),
                stamp=self._stamps.get(key),
            )
        return items

    def _lifetime(self, key: str, value: Any) -> Lifetime:
        """Return how long a loaded value may be kept."""
        policy, context = self._policy, self._context
        if context.grace is not None:
            policy = policy.replace(grace=context.grace)
        if context.ttl is not None:
            policy = policy.replace(ttl=context.ttl)
        elif value is None and policy.negative_ttl is not None:
            ttl = self._levels.negatives.ttl(key, policy.negative_ttl, policy.ttl)
            policy = policy.replace(ttl=ttl)
        if value is not None or policy.negative_ttl is None:
            self._levels.negatives.exists(key)
        lifetime = policy.lifetime(self._levels.random())
        settling = self._settling.get(key)
        if settling is None:
            return lifetime
        return Lifetime(min(settling, lifetime.fresh or settling), 0.0)

    async def _fill(
        self, items: Mapping[str, Item], second: SecondLevel | None, *, announce: bool
    ) -> set[str]:
        """Store records in L2; return the keys whose lease was lost to something newer."""
        if second is None or not items:
            return set()
        self._levels.first.expect(items, self._fence)
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
        # Something newer has happened, of which this process may not have heard yet: what it holds
        # is older than what whoever asked is about to see.
        self._levels.first.forget(list(refused), spare=self._fence)
        self._levels.counters.fills_refused += len(refused)
        return refused

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

    def _install(
        self,
        key: str,
        held: Held,
        left: Lifetime,
        *,
        asof: float,
        since: float,
        written_by: Fence | None = None,
    ) -> None:
        first = self._levels.first
        times = {"asof": asof, "since": since}
        if not self._fence.intact(key) or not first.install(
            key, held, left=left, policy=self._policy, written_by=written_by, **times
        ):
            first.outdo(key, by=self._fence)


class _SecondLevelLost(Exception):
    """Redis stopped answering. A loader's own `Unavailable` must not be taken for it."""


async def _asked(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except Unavailable as error:
        raise _SecondLevelLost(str(error)) from error

"""Writing to two levels: forget here, change Redis, forget here again, and only then keep.

Forgetting twice closes races 6 and 8: a read that began before the change may end after the first,
one that began between the two may have read the old value. Each write runs as a task of the cache,
so that a caller that is cancelled does not leave it half done (race 32).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from asynccache.core.fence import Fence
from asynccache.core.freshness import Fresh
from asynccache.core.pattern import Pattern
from asynccache.core.policy import Lifetime, Policy
from asynccache.core.record import counter_prefix
from asynccache.core.tags import NAMESPACE
from asynccache.errors import InvalidArgument, Unavailable
from asynccache.levels.first import Held
from asynccache.levels.ordering import Ordering
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Item, Outcome, Raw
from asynccache.memory.entry import Extra
from asynccache.results import WriteResult

T = TypeVar("T")

MOST_EXCHANGES = 16
"""Tries to turn a stored number into a counter while others write the key."""


class Writer(Protocol):
    """What a cache can do to its keys. ``Cache`` documents each."""

    async def put(
        self, values: Mapping[str, Any], policy: Policy, tags: tuple[str, ...], version: int
    ) -> WriteResult: ...
    async def add(self, key: str, value: Any, policy: Policy, tags: tuple[str, ...]) -> bool: ...
    async def increment(self, key: str, amount: int, policy: Policy) -> int: ...
    async def touch(self, key: str, policy: Policy) -> WriteResult: ...
    async def forget(self, keys: Sequence[str], settle: float) -> WriteResult: ...
    async def expire(self, keys: Sequence[str]) -> WriteResult: ...
    async def forget_matching(self, pattern: Pattern) -> WriteResult: ...
    async def forget_tags(self, tags: Sequence[str]) -> WriteResult: ...
    async def forget_all(self) -> WriteResult: ...
    async def mark(self, key: str, nonce: bytes, ttl: float) -> None: ...
    async def unmark(self, key: str, nonce: bytes) -> WriteResult: ...


class Prepared(NamedTuple):
    """A value that can be stored."""

    held: Held
    lifetime: Lifetime
    payload: bytes


class TwoLevelWriter:
    """Writes to the process and to Redis.

    Args:
        levels: Where values are.
        second: Redis.
    """

    def __init__(self, levels: Levels, second: SecondLevel) -> None:
        self._levels = levels
        self._first = levels.first
        self._second = second
        self._ordering = Ordering()

    async def put(
        self, values: Mapping[str, Any], policy: Policy, tags: tuple[str, ...], version: int
    ) -> WriteResult:
        """Store values."""
        prepared = {key: self._prepare(value, policy) for key, value in values.items()}
        return await self._owned(self._put(prepared, policy, tags, version))

    async def _put(
        self,
        prepared: Mapping[str, Prepared],
        policy: Policy,
        tags: tuple[str, ...],
        version: int,
    ) -> WriteResult:
        keys = list(prepared)
        with self._ordering.storing(*keys), self._first.fences.over(*keys) as fence:
            self._first.forget(keys, spare=fence)
            asof = self._levels.clock.monotonic()
            outcomes = [Outcome.STORED for _ in keys]
            acknowledged = True
            try:
                outcomes = await self._replace(prepared, tags, version, fence)
            except Unavailable:
                self._second.note(keys)
                acknowledged = False
            self._first.forget(keys, spare=fence)
            for (key, each), outcome in zip(prepared.items(), outcomes, strict=True):
                if outcome is Outcome.STORED and fence.intact(key):
                    extra = Extra(tags, None, version)
                    self._install(key, each, policy, extra=extra, fence=fence, asof=asof)
        stored = sum(outcome is not Outcome.OLDER for outcome in outcomes)
        return WriteResult(acknowledged=acknowledged, affected=stored)

    def _install(
        self,
        key: str,
        each: Prepared,
        policy: Policy,
        *,
        extra: Extra,
        fence: Fence,
        asof: float,
    ) -> None:
        if extra.tags or extra.version:
            each.held.extra, each.held.epoch = extra, fence.epoch
        self._first.install(
            *(key, each.held),
            left=each.lifetime,
            policy=policy,
            asof=asof,
            since=asof,
            written_by=fence,
        )

    async def _replace(
        self, prepared: Mapping[str, Prepared], tags: tuple[str, ...], version: int, fence: Fence
    ) -> list[Outcome]:
        # A delete that is still unsaid would remove what is acknowledged now.
        await self._second.replay.settle(prepared)
        tokens = await self._levels.learn(tags)
        await self._second.store.meet(list(prepared))
        items = {
            key: self._item(key, each, tokens, tags, version) for key, each in prepared.items()
        }
        self._first.expect(items, fence)
        return await self._second.store.put(items, version)

    def _item(
        self,
        key: str,
        each: Prepared,
        tokens: Mapping[str, bytes],
        tags: tuple[str, ...],
        version: int = 0,
    ) -> Item:
        return self._levels.item(
            key, each.payload, each.lifetime, tokens, tags=tags, version=version
        )

    async def add(self, key: str, value: Any, policy: Policy, tags: tuple[str, ...]) -> bool:
        """Store a value unless there is a fresh one."""
        prepared = self._prepare(value, policy)
        return await self._owned(self._add(key, prepared, policy, tags))

    async def _add(
        self, key: str, prepared: Prepared, policy: Policy, tags: tuple[str, ...]
    ) -> bool:
        with self._ordering.storing(key), self._first.fences.over(key) as fence:
            # If this fails nobody can tell what is there. To delete it, as other writes do, would
            # let a second caller succeed where another process's add has.
            await self._second.replay.settle([key])
            tokens = await self._levels.learn(tags)
            await self._second.store.meet([key])
            item = self._item(key, prepared, tokens, tags)
            asof = self._levels.clock.monotonic()
            self._first.expect({key: item}, fence)
            stored = await self._second.store.add(key, item)
            if not stored and await self._removed_damage(key):
                stored = await self._second.store.add(key, item)
            if stored:
                self._first.forget([key], spare=fence)
                if fence.intact(key):
                    extra = Extra(tags)
                    self._install(key, prepared, policy, extra=extra, fence=fence, asof=asof)
        return stored

    async def _removed_damage(self, key: str) -> bool:
        """Remove what stands in the way of a new value, if nobody could read it anyway."""
        tokens = await self._levels.learn(())
        ((raw, reading),) = await self._levels.read([key], tokens)
        if isinstance(reading, Fresh):
            return False
        # Only what was read: what is there by now may be what somebody else has added.
        if isinstance(raw.value, bytes):
            await self._second.store.exchange(key, raw.value, b"")
        return True

    async def increment(self, key: str, amount: int, policy: Policy) -> int:
        """Add to a counter."""
        return await self._owned(self._ordered_increment(key, amount, policy))

    async def _ordered_increment(self, key: str, amount: int, policy: Policy) -> int:
        with self._ordering.storing(key):
            return await self._increment(key, amount, policy)

    async def _increment(self, key: str, amount: int, policy: Policy) -> int:
        px = policy.lifetime(self._levels.random()).fresh_ms
        self._first.forget([key])
        try:
            await self._second.replay.settle([key])
            for _ in range(MOST_EXCHANGES):
                tokens = await self._levels.learn(())
                await self._second.store.meet([key])
                prefix = counter_prefix(self._second.store.stamp(key), tokens[NAMESPACE])
                count = await self._second.store.increment(key, amount, px, prefix)
                if isinstance(count, int):
                    return count
                await self._make_counter(key, count, tokens, prefix)
        except OverflowError:
            raise InvalidArgument("amount", "the count would leave the range of 64 bits") from None
        finally:
            # Also when nobody can tell whether it was counted. It is not deleted then, as after
            # other writes: the other counts are in it.
            self._first.forget([key])
        raise Unavailable(f"{key!r} changed {MOST_EXCHANGES} times while it was made a counter")

    async def _make_counter(
        self, key: str, raw: Raw, tokens: Mapping[str, bytes], prefix: bytes
    ) -> None:
        """Replace a stored number by a counter of its value, and damage by nothing."""
        if not isinstance(raw.value, bytes):
            return  # it has gone meanwhile
        ((_, reading),) = await self._levels.interpret_all({key: raw}, tokens)
        number = b""
        if isinstance(reading, Fresh):
            if not isinstance(reading.value, int) or isinstance(reading.value, bool):
                kind = type(reading.value).__qualname__
                raise InvalidArgument("key", f"{key!r} holds a value of type {kind}, not a number")
            if not -(2**63) <= reading.value < 2**63:
                raise OverflowError
            number = prefix + str(reading.value).encode()
        await self._second.store.exchange(key, raw.value, number)

    async def touch(self, key: str, policy: Policy) -> WriteResult:
        """Give a key a new lifetime."""
        fresh_ms = policy.lifetime(self._levels.random()).fresh_ms
        return await self._owned(self._forgetting([key], self._second.store.touch, key, fresh_ms))

    async def forget(self, keys: Sequence[str], settle: float) -> WriteResult:
        """Remove keys."""
        settle_ms = round(settle * 1000)
        return await self._owned(self._forgetting(keys, self._second.store.forget, keys, settle_ms))

    async def mark(self, key: str, nonce: bytes, ttl: float) -> None:
        """Announce that a key's source is about to be changed."""
        await self._owned(self._mark(key, nonce, round(ttl * 1000)))

    async def _mark(self, key: str, nonce: bytes, ms: int) -> None:
        self._first.forget([key])
        try:
            await self._second.store.mark(key, nonce, ms)
        finally:
            self._first.forget([key])

    async def unmark(self, key: str, nonce: bytes) -> WriteResult:
        """Take that back, and remove the key."""
        return await self._owned(self._forgetting([key], self._second.store.unmark, key, nonce))

    async def expire(self, keys: Sequence[str]) -> WriteResult:
        """End the freshness of keys."""
        return await self._owned(self._forgetting(keys, self._second.store.expire, keys))

    async def _forgetting(
        self, keys: Sequence[str], change: Callable[..., Coroutine[Any, Any, int]], *arguments: Any
    ) -> WriteResult:
        self._first.forget(keys)
        await self._ordering.before(keys)
        try:
            return await self._change(keys, change(*arguments))
        finally:
            self._first.forget(keys)

    async def forget_matching(self, pattern: Pattern) -> WriteResult:
        """Remove the keys that match."""
        return await self._owned(
            self._forgetting_many(
                lambda: self._first.forget_matching(pattern.matches),
                lambda: self._second.store.forget_matching(pattern),
                # Which keys match is not known without Redis: all of them go when it is back.
                self._second.note_all,
            )
        )

    async def forget_tags(self, tags: Sequence[str]) -> WriteResult:
        """Invalidate what has one of some tags."""
        return await self._owned(
            self._forgetting_many(
                lambda: self._first.forget_tags(tags),
                lambda: self._second.store.invalidate_tags(tags),
                lambda: self._second.note_tags(tags),
            )
        )

    async def forget_all(self) -> WriteResult:
        """Remove everything."""
        return await self._owned(
            self._forgetting_many(
                self._first.forget_all, self._second.store.renew_era, self._second.note_all
            )
        )

    async def _forgetting_many(
        self,
        forget: Callable[[], int | None],
        change: Callable[[], Coroutine[Any, Any, int | None]],
        note: Callable[[], None],
    ) -> WriteResult:
        held = forget() or 0
        await self._ordering.before(None)
        try:
            affected = await change()
        except Unavailable:
            note()
            return WriteResult(acknowledged=False, affected=held)
        finally:
            forget()
        return WriteResult(acknowledged=True, affected=held if affected is None else affected)

    async def _change(self, keys: Sequence[str], change: Awaitable[int]) -> WriteResult:
        try:
            counted = await change
        except Unavailable:
            self._second.note(keys)
            return WriteResult(acknowledged=False, affected=0)
        return WriteResult(acknowledged=True, affected=int(counted))

    def _prepare(self, value: Any, policy: Policy) -> Prepared:
        """Encode a value before anything is touched: what cannot be encoded changes nothing."""
        held = self._first.hold(value, policy)
        payload = self._levels.codec.encode(value) if held.payload is None else held.payload
        return Prepared(held, policy.lifetime(self._levels.random()), payload)

    async def _owned(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._levels.tasks.spawn(work, name="asynccache write"))

"""Writing to two levels: forget here, change Redis, forget here again, and only then keep.

Forgetting twice closes races 6 and 8: a read that began before the change may end after the first,
one that began between the two may have read the old value. Each write runs as a task of the cache,
so that a caller that is cancelled does not leave it half done (race 32).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from asynccache.core.freshness import Fresh
from asynccache.core.pattern import Pattern
from asynccache.core.policy import Lifetime, Policy
from asynccache.errors import InvalidArgument, Unavailable
from asynccache.levels.first import Held
from asynccache.levels.shared import Levels, SecondLevel
from asynccache.levels.store import Item, Raw
from asynccache.results import WriteResult

T = TypeVar("T")

MOST_EXCHANGES = 16
"""Tries to turn a stored number into a counter while others write the key."""


class Writer(Protocol):
    """What a cache can do to its keys. ``Cache`` documents each."""

    async def put(self, values: Mapping[str, Any], policy: Policy) -> WriteResult: ...
    async def add(self, key: str, value: Any, policy: Policy) -> bool: ...
    async def increment(self, key: str, amount: int, policy: Policy) -> int: ...
    async def touch(self, key: str, policy: Policy) -> WriteResult: ...
    async def forget(self, keys: Sequence[str]) -> WriteResult: ...
    async def expire(self, keys: Sequence[str]) -> WriteResult: ...
    async def forget_matching(self, pattern: Pattern) -> WriteResult: ...
    async def forget_all(self) -> WriteResult: ...


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

    async def put(self, values: Mapping[str, Any], policy: Policy) -> WriteResult:
        """Store values."""
        prepared = {key: self._prepare(key, value, policy) for key, value in values.items()}
        return await self._owned(self._put(prepared, policy))

    async def _put(
        self, prepared: Mapping[str, tuple[Held, Lifetime, Item]], policy: Policy
    ) -> WriteResult:
        keys = list(prepared)
        with self._first.fences.over(*keys) as fence:
            self._first.forget(keys, spare=fence)
            asof = self._levels.clock.monotonic()
            items = {key: item for key, (_, _, item) in prepared.items()}
            result = await self._change(keys, self._replace(items), affected=len(keys))
            self._first.forget(keys, spare=fence)
            for key, (held, lifetime, _) in prepared.items():
                if fence.intact(key):
                    self._first.install(
                        key, held, left=lifetime, policy=policy, asof=asof, since=asof
                    )
        return result

    async def _replace(self, items: Mapping[str, Item]) -> None:
        # A delete that is still unsaid would remove what is acknowledged now.
        await self._second.replay.settle(items)
        await self._second.store.put(items)

    async def add(self, key: str, value: Any, policy: Policy) -> bool:
        """Store a value unless there is a fresh one."""
        prepared = self._prepare(key, value, policy)
        return await self._owned(self._add(key, prepared, policy))

    async def _add(self, key: str, prepared: tuple[Held, Lifetime, Item], policy: Policy) -> bool:
        held, lifetime, item = prepared
        with self._first.fences.over(key) as fence:
            # If this fails nobody can tell what is there. To delete it, as other writes do, would
            # let a second caller succeed where another process's add has.
            await self._second.replay.settle([key])
            asof = self._levels.clock.monotonic()
            stored = await self._second.store.add(key, item)
            if not stored and await self._removed_damage(key):
                stored = await self._second.store.add(key, item)
            if stored:
                self._first.forget([key], spare=fence)
                if fence.intact(key):
                    self._first.install(
                        key, held, left=lifetime, policy=policy, asof=asof, since=asof
                    )
        return stored

    async def _removed_damage(self, key: str) -> bool:
        """Remove what stands in the way of a new value, if nobody could read it anyway."""
        (raw,) = await self._second.store.read([key])
        if isinstance(self._levels.interpret(key, raw), Fresh):
            return False
        # Only what was read: what is there by now may be what somebody else has added.
        if isinstance(raw.value, bytes):
            await self._second.store.exchange(key, raw.value, b"")
        return True

    async def increment(self, key: str, amount: int, policy: Policy) -> int:
        """Add to a counter."""
        return await self._owned(self._increment(key, amount, policy))

    async def _increment(self, key: str, amount: int, policy: Policy) -> int:
        px = policy.lifetime(self._levels.random()).fresh_ms
        self._first.forget([key])
        try:
            await self._second.replay.settle([key])
            for _ in range(MOST_EXCHANGES):
                count = await self._second.store.increment(key, amount, px)
                if isinstance(count, int):
                    return count
                await self._make_counter(key, count)
        except OverflowError:
            raise InvalidArgument("amount", "the count would leave the range of 64 bits") from None
        finally:
            # Also when nobody can tell whether it was counted. It is not deleted then, as after
            # other writes: the other counts are in it.
            self._first.forget([key])
        raise Unavailable(f"{key!r} changed {MOST_EXCHANGES} times while it was made a counter")

    async def _make_counter(self, key: str, raw: Raw) -> None:
        """Replace a stored number by a counter of its value, and damage by nothing."""
        if not isinstance(raw.value, bytes):
            return  # it has gone meanwhile
        reading = self._levels.interpret(key, raw)
        number = b""
        if isinstance(reading, Fresh):
            if not isinstance(reading.value, int) or isinstance(reading.value, bool):
                kind = type(reading.value).__qualname__
                raise InvalidArgument("key", f"{key!r} holds a value of type {kind}, not a number")
            if not -(2**63) <= reading.value < 2**63:
                raise OverflowError
            number = str(reading.value).encode()
        await self._second.store.exchange(key, raw.value, number)

    async def touch(self, key: str, policy: Policy) -> WriteResult:
        """Give a key a new lifetime."""
        fresh_ms = policy.lifetime(self._levels.random()).fresh_ms
        return await self._owned(self._forgetting([key], self._second.store.touch, key, fresh_ms))

    async def forget(self, keys: Sequence[str]) -> WriteResult:
        """Remove keys."""
        return await self._owned(self._forgetting(keys, self._second.store.forget, keys))

    async def expire(self, keys: Sequence[str]) -> WriteResult:
        """End the freshness of keys."""
        return await self._owned(self._forgetting(keys, self._second.store.expire, keys))

    async def _forgetting(
        self, keys: Sequence[str], change: Callable[..., Coroutine[Any, Any, int]], *arguments: Any
    ) -> WriteResult:
        self._first.forget(keys)
        try:
            return await self._change(keys, change(*arguments))
        finally:
            self._first.forget(keys)

    async def forget_matching(self, pattern: Pattern) -> WriteResult:
        """Remove the keys that match."""
        forget = lambda: self._first.forget_matching(pattern.matches)  # noqa: E731 - used twice
        return await self._owned(self._forgetting_many(forget, pattern))

    async def forget_all(self) -> WriteResult:
        """Remove everything."""
        return await self._owned(self._forgetting_many(self._first.forget_all, None))

    async def _forgetting_many(
        self, forget: Callable[[], int], pattern: Pattern | None
    ) -> WriteResult:
        forget()
        try:
            affected = await self._second.store.forget_matching(pattern)
        except Unavailable:
            # Which keys match is not known without Redis: all of them go when it is back.
            self._second.note_all()
            return WriteResult(acknowledged=False, affected=0)
        finally:
            forget()
        return WriteResult(acknowledged=True, affected=affected)

    async def _change(
        self, keys: Sequence[str], change: Awaitable[int | None], *, affected: int | None = None
    ) -> WriteResult:
        try:
            counted = await change
        except Unavailable:
            self._second.note(keys)
            return WriteResult(acknowledged=False, affected=affected or 0)
        return WriteResult(acknowledged=True, affected=affected or int(counted or 0))

    def _prepare(self, key: str, value: Any, policy: Policy) -> tuple[Held, Lifetime, Item]:
        """Encode a value before anything is touched: what cannot be encoded changes nothing."""
        held = self._first.hold(value, policy)
        payload = self._levels.codec.encode(value) if held.payload is None else held.payload
        lifetime = policy.lifetime(self._levels.random())
        return held, lifetime, self._levels.item(key, payload, lifetime)

    async def _owned(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.shield(self._levels.tasks.spawn(work, name="asynccache write"))

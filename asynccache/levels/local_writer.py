"""Writing to a cache that has no Redis: its first level is all there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from asynccache.core.pattern import Pattern
from asynccache.core.policy import Policy
from asynccache.errors import InvalidArgument
from asynccache.levels.shared import Levels
from asynccache.memory.entry import FOREVER, Entry, Extra
from asynccache.results import WriteResult
from asynccache.types import MISSING

_LEAST, _MOST = -(2**63), 2**63 - 1


class OneLevelWriter:
    """Writes to the process alone, at once; the same contract as with Redis.

    Args:
        levels: Where values are.
    """

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._first = levels.first

    async def put(
        self,
        values: Mapping[str, Any],
        policy: Policy,
        tags: tuple[str, ...] = (),
        version: int = 0,
    ) -> WriteResult:
        """Store values."""
        held = {key: self._first.hold(value, policy) for key, value in values.items()}
        now = self._levels.clock.monotonic()
        stored = 0
        for key, each in held.items():
            if version and self._version(key) > version:
                continue
            stored += 1
            self._overtake(key)
            if tags or version:
                each.extra, each.epoch = Extra(tags, None, version), self._first.engine.epoch
            lifetime = policy.lifetime(self._levels.random())
            self._first.install(key, each, left=lifetime, policy=policy, asof=now, since=now)
        return WriteResult(acknowledged=True, affected=stored)

    def _version(self, key: str) -> int:
        entry = self._fresh(key)
        return 0 if entry is None or entry.extra is None else entry.extra.version

    async def add(self, key: str, value: Any, policy: Policy, tags: tuple[str, ...] = ()) -> bool:
        """Store a value unless there is a fresh one."""
        self._first.hold(value, policy)  # what cannot be encoded is an error either way
        if self._fresh(key) is not None:
            return False
        await self.put({key: value}, policy, tags)
        return True

    async def increment(self, key: str, amount: int, policy: Policy) -> int:
        """Add to a counter."""
        entry = self._fresh(key)
        value = MISSING if entry is None else self._first.value_of(entry)
        if entry is None or value is MISSING:
            await self.put({key: amount}, policy)
            return amount
        if entry.encoded or not isinstance(value, int) or isinstance(value, bool):
            kind = type(value).__qualname__
            raise InvalidArgument("key", f"{key!r} holds a value of type {kind}, not a number")
        if not _LEAST <= value + amount <= _MOST:
            raise InvalidArgument("amount", "the count would leave the range of 64 bits")
        self._overtake(key)
        entry.value = value + amount
        return int(entry.value)

    async def touch(self, key: str, policy: Policy) -> WriteResult:
        """Give a key a new lifetime."""
        entry = self._fresh(key)
        if entry is None:
            return WriteResult(acknowledged=True, affected=0)
        now = self._levels.clock.monotonic()
        left = policy.lifetime(self._levels.random())
        entry.soft = entry.expiry = FOREVER if left.fresh is None else now + left.fresh
        entry.hard = entry.expiry + entry.grace
        self._first.engine.renew(entry)
        return WriteResult(acknowledged=True, affected=1)

    async def forget(
        self,
        keys: Sequence[str],
        settle: float = 0.0,  # noqa: ARG002  # see below
    ) -> WriteResult:
        """Remove keys.

        A source that settles is one with replicas: who has those has Redis too, and here what is
        loaded meanwhile is kept for as long as ever.
        """
        held = sum(self._fresh(key) is not None for key in keys)
        self._first.forget(keys)
        return WriteResult(acknowledged=True, affected=held)

    async def expire(self, keys: Sequence[str]) -> WriteResult:
        """End the freshness of keys."""
        now = self._levels.clock.monotonic()
        fresh = [entry for key in keys if (entry := self._fresh(key)) is not None]
        for key in keys:
            self._overtake(key)
        for entry in fresh:
            entry.soft = entry.expiry = now
            entry.hard = now + entry.grace
            self._first.engine.renew(entry)
        return WriteResult(acknowledged=True, affected=len(fresh))

    async def forget_matching(self, pattern: Pattern) -> WriteResult:
        """Remove the keys that match."""
        affected = self._first.forget_matching(pattern.matches)
        return WriteResult(acknowledged=True, affected=affected)

    async def forget_tags(self, tags: Sequence[str]) -> WriteResult:
        """Invalidate what has one of some tags."""
        self._first.forget_tags(tags)
        return WriteResult(acknowledged=True, affected=0)

    async def mark(self, key: str, nonce: bytes, ttl: float) -> None:  # noqa: ARG002  # see below
        """Announce that a key's source is about to be changed.

        If this process dies meanwhile, what it keeps is gone too: `unmark` is all that is needed.
        """
        self._first.forget([key])

    async def unmark(self, key: str, nonce: bytes) -> WriteResult:  # noqa: ARG002
        """Take that back, and remove the key."""
        return await self.forget([key])

    async def forget_all(self) -> WriteResult:
        """Remove everything."""
        return WriteResult(acknowledged=True, affected=self._first.forget_all())

    def _fresh(self, key: str) -> Entry | None:
        entry = self._first.current(key)
        if entry is None or self._levels.clock.monotonic() >= entry.soft:
            return None
        return entry

    def _overtake(self, key: str) -> None:
        """Let no load that began earlier store over a change that does not drop the entry."""
        self._first.loads.detach(key)
        self._first.fences.poison([key])

"""What a cache can store, on the caller's word."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

from asynccache.core.arguments import (
    checked_key,
    checked_tags,
    checked_version,
    seconds,
    wrong_type,
)
from asynccache.core.policy import Policy
from asynccache.errors import InvalidArgument, Unavailable
from asynccache.invalidating import Invalidating, checked_result
from asynccache.results import WriteResult
from asynccache.types import Duration

DEFAULT_INTENT = 30.0
"""Seconds: longer than a transaction takes, short enough to do without the cache after a crash."""


class Writing(Invalidating):
    """The part of `Cache` that stores values."""

    async def set(
        self,
        key: str,
        value: Any,
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
        version: int | None = None,
        strict: bool = False,
    ) -> WriteResult:
        """Store a value; a load that began earlier never overwrites it.

        Of two processes that set one key at once, the one that Redis hears last wins, unless both
        give a version: then the higher one does. Where the value has a source, `delete` after
        changing the source is the safer form.

        Args:
            key: The key.
            value: The value.
            ttl: How long it is fresh, instead of the policy's.
            policy: How it is kept, instead of the cache's.
            tags: What `invalidate_tags` reaches it by.
            version: A whole number from 1 that grows with each change of the source, such as a
                row's version or a commit's time in microseconds.
            strict: Raise when Redis could not be told.

        Returns:
            ``affected`` is 0 when a value with a higher version is there.

        Raises:
            EncodeError: The value has a type that the codec does not know; nothing was stored.
            NotAcknowledged: Redis could not be told, and ``strict`` was given.
        """
        result = await self._running().writer.put(
            {checked_key(key): value},
            self.resolve_policy(policy, ttl),
            checked_tags(tags),
            0 if version is None else checked_version(version),
        )
        return checked_result(result, strict=strict)

    async def set_many(
        self,
        values: Mapping[str, Any],
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
        strict: bool = False,
    ) -> WriteResult:
        """Store several values in one round trip. See `set`."""
        if not isinstance(values, Mapping):
            raise wrong_type("values", values, "a mapping of keys to values")
        for key in values:
            checked_key(key, "values")
        result = await self._running().writer.put(
            values, self.resolve_policy(policy, ttl), checked_tags(tags), 0
        )
        return checked_result(result, strict=strict)

    async def add(
        self,
        key: str,
        value: Any,
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
    ) -> bool:
        """Store a value unless the key has one; tell whether it was stored.

        Of any number of callers in the fleet, one is told True.

        Args:
            key: The key.
            value: The value.
            ttl: How long it is fresh, instead of the policy's.
            policy: How it is kept, instead of the cache's.
            tags: What `invalidate_tags` reaches it by.

        Raises:
            EncodeError: The value has a type that the codec does not know.
            Unavailable: Redis could not be asked: nobody can tell.
        """
        return await self._running().writer.add(
            checked_key(key), value, self.resolve_policy(policy, ttl), checked_tags(tags)
        )

    async def incr(
        self,
        key: str,
        amount: int = 1,
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
    ) -> int:
        """Add to a number, atomically in the fleet, and return the new one.

        Args:
            key: The key; without a value it counts from 0.
            amount: What to add; negative to count down.
            ttl: How long a counter that this call makes lives, instead of the policy's; a counter
                that is there keeps its lifetime.
            policy: How a new counter is kept, instead of the cache's.

        Raises:
            InvalidArgument: The key holds something else, or the count would leave 64 bits.
            Unavailable: Redis could not be asked; the amount may have been added all the same.
        """
        if isinstance(amount, bool) or not isinstance(amount, int):
            raise wrong_type("amount", amount, "a whole number")
        if not -(2**63) <= amount < 2**63:
            raise InvalidArgument("amount", "must fit into 64 bits")
        return await self._running().writer.increment(
            checked_key(key), amount, self.resolve_policy(policy, ttl)
        )

    async def touch(
        self, key: str, *, ttl: Duration | None = None, policy: Policy | None = None
    ) -> WriteResult:
        """Give a fresh value a new lifetime from now.

        Args:
            key: The key.
            ttl: The new lifetime, instead of the policy's.
            policy: Gives the new lifetime, instead of the cache's.

        Returns:
            ``affected`` is 0 when there was no fresh value.
        """
        return await self._running().writer.touch(
            checked_key(key), self.resolve_policy(policy, ttl)
        )

    @asynccontextmanager
    async def writing(
        self,
        key: str,
        *,
        ttl: Duration = DEFAULT_INTENT,
        on_outage: Literal["refuse", "proceed"] = "refuse",
    ) -> AsyncIterator[None]:
        """Announce a change of a key's source, and delete the key when it is done.

        ::

            async with cache.writing(f"product:{id}"):
                await database.commit()

        Between a commit and its ``delete`` a process may die, and the old value would stay for its
        ttl. Here everybody knows of the change beforehand: until the block ends, or ``ttl`` after
        its process has died, readers load for themselves and keep nothing. Two round trips.

        Args:
            key: The key.
            ttl: For how long at most, from the announcement; longer than the block takes.
            on_outage: What to do when Redis cannot be told beforehand: "refuse" the change, or
                "proceed" with what `delete` afterwards can promise.

        Raises:
            Unavailable: Redis could not be told, and ``on_outage`` is "refuse"; nothing was begun.
        """
        checked_key(key)
        limit = seconds(ttl, "ttl")
        if on_outage not in ("refuse", "proceed"):
            raise InvalidArgument("on_outage", f"must be 'refuse' or 'proceed', got {on_outage!r}")
        nonce = secrets.token_bytes(8)
        writer = self._running().writer
        try:
            await writer.mark(key, nonce, limit)
        except Unavailable:
            # It may have been heard all the same.
            if on_outage == "refuse":
                await writer.unmark(key, nonce)
                raise
        try:
            yield
        finally:
            # Also when the block has failed: whether the source has changed nobody can tell.
            await writer.unmark(key, nonce)

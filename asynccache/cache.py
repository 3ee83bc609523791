"""The cache: what an application holds and calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from asynccache.core.arguments import (
    LONGEST_SECONDS,
    checked_callable,
    checked_key,
    seconds,
    wrong_type,
)
from asynccache.core.pattern import Pattern
from asynccache.core.policy import Policy
from asynccache.errors import DecodeError, InvalidArgument
from asynccache.lifecycle import Lifecycle
from asynccache.region import Region
from asynccache.results import WriteResult
from asynccache.statistics import Statistics
from asynccache.types import MISSING, Duration, Missing

T = TypeVar("T")
D = TypeVar("D")
K = TypeVar("K")


class Cache(Lifecycle):
    """A two-level cache: in the process, and in Redis, shared by every process.

    One cache belongs to one event loop and one process, and runs from ``async with cache`` (or
    ``lifespan=cache.lifespan``) to its end; after that it may be started again.

    Args:
        url: ``"redis://…"``, ``"rediss://…"``, ``"unix://…"``, or `RedisSettings`; ``"memory://"``
            for a cache without Redis.
        redis: Instead of a URL, a client whose address and credentials to use. The cache makes
            connections of its own, with its own timeouts and without the client's retries.
        namespace: The prefix of everything in Redis. Caches that share it share their values.
        name: How a request finds this cache when its application has several.
        policy: How values live and are loaded, unless a call says otherwise.
        codec: Encodes values; None: MessagePack.
        max_entries: The most values to keep in the process.
        max_bytes: The most weight to keep in the process, by ``weigher``; None: no such bound.
        weigher: Gives the weight of a key and what is kept for it: encoded bytes, or an object.
        on_removal: Is told the key, kept value and cause when an entry leaves the process.
        max_staleness: How long at most this process may serve a value after another process has
            invalidated it, whatever happens to the network between them; at least 0.1 s.
        shutdown_timeout: How long ``close`` waits for loads, and again for what is unsaid to Redis.
        secret: Authenticates the records in Redis: without it nobody can write one that is
            believed. At least 16 bytes; the same in every process.
        clock: Where the time comes from; for tests.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """

    # Reading.

    async def get_or_load(  # noqa: C901  # a hit is one coroutine, without a call that it can avoid
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        ttl: Duration | None = None,
        policy: Policy | None = None,
    ) -> T:
        """Return a key's value, from this process, from Redis, or from its loader.

        However many callers ask for one key at once, the loader runs once in this process, and
        once in the fleet while Redis can be asked. It runs in a task of the cache's own, which
        does not see the caller's context variables. No failure of Redis is raised.
        A value that this process holds is returned without a look at ``loader`` and ``policy``.

        Args:
            key: The key: 1 to 8,192 characters.
            loader: Returns the value; called without arguments, and only when it is needed.
            ttl: How long the value is fresh, instead of the policy's. Give it by name: that it need
                not be is for speed.
            policy: How the value is kept and loaded, instead of the cache's.

        Raises:
            ArgumentTypeError: An argument has the wrong type.
            InvalidArgument: An argument is out of range.
            EncodeError: The loaded value has a type that the codec does not know.
            LoadTimeout: The loader ran longer than the policy allows.
            RecursiveLoad: A loader waits for its own key.
            Exception: Whatever the loader raised.
        """
        if ttl is not None and (ttl.__class__ is not int or not 0 < ttl <= LONGEST_SECONDS):
            seconds(ttl, "ttl")
        try:
            entry = self._entries[key]
        except KeyError:
            pass
        except TypeError:  # it cannot be hashed
            checked_key(key)
            raise
        else:
            if self._now() < entry.soft:
                epoch = entry.epoch
                if epoch == self._epoch:
                    entry.hits += 1
                    return entry.value  # type: ignore[no-any-return]
                if epoch == self._epoch + 1:  # its value is encoded
                    try:
                        decoded: T = self._decode(entry.value)
                    except DecodeError:
                        pass  # `_held` deals with it
                    else:
                        entry.hits += 1
                        return decoded
            value: T | Missing = self._held(key)
            if not isinstance(value, Missing):
                return value
        loaded: T = await self._load(key, loader, self.resolve_policy(policy, ttl))
        return loaded

    @overload
    async def get(self, key: str, *, policy: Policy | None = None) -> Any | Missing: ...
    @overload
    async def get(self, key: str, default: D, *, policy: Policy | None = None) -> Any | D: ...
    async def get(self, key: str, default: Any = MISSING, *, policy: Policy | None = None) -> Any:
        """Return a key's value, or a default, without loading.

        Args:
            key: The key.
            default: What to return when there is no fresh value. ``None`` is a value like any
                other, so that the default default is ``MISSING``, which is false.
            policy: How a value found in Redis is kept in this process, instead of the cache's.

        Raises:
            ArgumentTypeError: The key is not a str.
            InvalidArgument: The key is empty or too long.
        """
        try:
            entry = self._entries[key]
        except KeyError:
            pass
        except TypeError:  # it cannot be hashed
            checked_key(key)
            raise
        else:
            if self._now() < entry.soft and entry.epoch == self._epoch:
                entry.hits += 1
                return entry.value
        resolved = self.resolve_policy(policy, None)
        found = await self._running().reader.get([checked_key(key)], resolved)
        return found.get(key, default)

    @overload
    def peek(self, key: str) -> Any | Missing: ...
    @overload
    def peek(self, key: str, default: D) -> Any | D: ...
    def peek(self, key: str, default: Any = MISSING) -> Any:
        """Return a key's value if this process has it, or a default, without awaiting anything.

        For hot loops, and where nothing can be awaited: neither Redis nor a loader is asked.

        Args:
            key: The key.
            default: What to return when this process has no fresh value.

        Raises:
            ArgumentTypeError: The key is not a str.
            InvalidArgument: The key is empty or too long.
        """
        try:
            entry = self._entries[key]
        except KeyError:
            checked_key(key)
            return default
        except TypeError:  # it cannot be hashed
            checked_key(key)
            raise
        if self._now() < entry.soft and entry.epoch == self._epoch:
            entry.hits += 1
            return entry.value
        value = self._held(key)
        return default if value is MISSING else value

    async def get_many(
        self, keys: Iterable[str], *, policy: Policy | None = None
    ) -> dict[str, Any]:
        """Return the values of those keys that have one, in one round trip.

        Args:
            keys: The keys; repeated ones count once.
            policy: How values found in Redis are kept in this process, instead of the cache's.
        """
        resolved = self.resolve_policy(policy, None)
        return await self._running().reader.get(_checked_keys(keys), resolved)

    async def get_or_load_many(
        self,
        keys: Iterable[str],
        load_missing: Callable[[list[str]], Awaitable[Mapping[str, T]]],
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
    ) -> dict[str, T]:
        """Return the values of some keys, loading all that are missing with one call.

        Args:
            keys: The keys; repeated ones count once.
            load_missing: Returns the values of the keys that it is given. A key that it leaves
                out is left out of the result, and nothing is stored for it; others are ignored.
            ttl: How long loaded values are fresh, instead of the policy's.
            policy: How values are kept and loaded, instead of the cache's.

        Raises:
            Exception: See `get_or_load`.
        """
        checked_callable(load_missing, "load_missing", "a function of a list of keys")
        resolved = self.resolve_policy(policy, ttl)
        return await self._running().reader.load_many(
            _checked_keys(keys), load_missing, resolved, registered=False
        )

    async def refresh(
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
    ) -> T:
        """Load a key's value anew and replace it in every process; readers keep the old one so far.

        Args:
            key: The key.
            loader: See `get_or_load`.
            ttl: See `get_or_load`.
            policy: See `get_or_load`.

        Raises:
            Exception: See `get_or_load`.
        """
        refreshed: T = await self._load(key, loader, self.resolve_policy(policy, ttl), refresh=True)
        return refreshed

    # Writing.

    async def set(
        self, key: str, value: Any, *, ttl: Duration | None = None, policy: Policy | None = None
    ) -> WriteResult:
        """Store a value; a load that began earlier never overwrites it.

        Of two processes that set one key at once, the one that Redis hears last wins. Where the
        value has a source, `delete` after changing the source is the safer form.

        Args:
            key: The key.
            value: The value.
            ttl: How long it is fresh, instead of the policy's.
            policy: How it is kept, instead of the cache's.

        Raises:
            EncodeError: The value has a type that the codec does not know; nothing was stored.
        """
        return await self._running().writer.put(
            {checked_key(key): value}, self.resolve_policy(policy, ttl)
        )

    async def set_many(
        self,
        values: Mapping[str, Any],
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
    ) -> WriteResult:
        """Store several values in one round trip. See `set`."""
        if not isinstance(values, Mapping):
            raise wrong_type("values", values, "a mapping of keys to values")
        for key in values:
            checked_key(key, "values")
        return await self._running().writer.put(values, self.resolve_policy(policy, ttl))

    async def add(
        self, key: str, value: Any, *, ttl: Duration | None = None, policy: Policy | None = None
    ) -> bool:
        """Store a value unless the key has one; tell whether it was stored.

        Of any number of callers in the fleet, one is told True.

        Args:
            key: The key.
            value: The value.
            ttl: How long it is fresh, instead of the policy's.
            policy: How it is kept, instead of the cache's.

        Raises:
            EncodeError: The value has a type that the codec does not know.
            Unavailable: Redis could not be asked: nobody can tell.
        """
        return await self._running().writer.add(
            checked_key(key), value, self.resolve_policy(policy, ttl)
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

    # Invalidating.

    async def delete(self, key: str) -> WriteResult:
        """Remove a value everywhere; loads that are running will not bring it back.

        Whatever the result says, no read that begins later in this process returns the old value.
        """
        return await self._running().writer.forget([checked_key(key)])

    async def delete_many(self, keys: Iterable[str]) -> WriteResult:
        """Remove several values in one round trip. See `delete`."""
        checked = _checked_keys(keys)
        if not checked:
            return WriteResult(acknowledged=True, affected=0)
        return await self._running().writer.forget(checked)

    async def expire(self, key: str) -> WriteResult:
        """End a value's freshness everywhere, but let it stand in for a failing loader.

        The value may do so for what its policy's ``grace`` was when it was stored. Without grace
        this is `delete`.
        """
        return await self._running().writer.expire([checked_key(key)])

    async def invalidate_pattern(self, pattern: str) -> WriteResult:
        """Remove the values of all keys that match a Redis glob, such as ``user:list:*``.

        It visits every key of the Redis database with SCAN, some milliseconds of the server's time
        for each ten thousand, four times over.

        Args:
            pattern: ``*``, ``?``, ``[abc]``, ``[^a]``, ``[a-z]``, and ``\\`` before a character
                that is meant literally.

        Raises:
            ArgumentTypeError: It is not a str.
            InvalidArgument: It is empty, too long, or ends inside a character class.
        """
        return await self._running().writer.forget_matching(Pattern(pattern))

    async def clear(self) -> WriteResult:
        """Remove every value of the namespace, everywhere."""
        return await self._running().writer.forget_all()

    # Everything else.

    def region(
        self,
        prefix: str,
        type_: type[T],
        *,
        loader: Callable[[K], Awaitable[T]] | None = None,
        ttl: Duration | None = None,
        policy: Policy | None = None,
    ) -> Region[K, T]:
        """Return a typed view of the keys that begin with a prefix.

        Args:
            prefix: The beginning of every key; the id follows after a colon.
            type_: The type of the values. Dataclasses, NamedTuples, enums, pydantic models and
                msgspec structs, also inside it, are made known to the codec.
            loader: Loads the value of an id; it is registered: its loads outlive their callers.
            ttl: How long values are fresh, instead of the policy's.
            policy: How values are kept and loaded, instead of the cache's.
        """
        return Region(self, prefix, type_, loader=loader, policy=self.resolve_policy(policy, ttl))

    def statistics(self) -> Statistics:
        """Return what the cache has done since it was last started.

        Raises:
            NotStarted: It never was.
        """
        if self._runtime is None:
            raise self._not_started()
        return self._runtime.statistics()

    # For regions and decorators, whose loaders are registered. Not part of the public API.

    async def load_registered(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        refresh: bool = False,
    ) -> Any:
        """Return the value of a key, loading it with a loader that outlives the call."""
        value = MISSING if refresh else self._held(key)
        if value is not MISSING:
            return value
        return await self._load(key, loader, policy, registered=True, refresh=refresh)

    async def _load(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        registered: bool = False,
        refresh: bool = False,
    ) -> Any:
        checked_key(key)
        if not callable(loader):
            raise _not_a_loader(loader)
        return await self._running().reader.load(
            key, loader, policy, registered=registered, refresh=refresh
        )


def _checked_keys(keys: Iterable[str]) -> list[str]:
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise wrong_type("keys", keys, "several str, in a list or another iterable")
    return list(dict.fromkeys(checked_key(key, "keys") for key in keys))


def _not_a_loader(loader: object) -> Exception:
    close = getattr(loader, "close", None)
    if isinstance(loader, Awaitable) and callable(close):
        close()  # it will never be awaited, and would say so later
    return wrong_type(
        "loader", loader, "a function that is called when needed, such as lambda: load(id)"
    )

"""The cache: what an application holds and calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from asynccache.core.arguments import (
    LONGEST_SECONDS,
    checked_callable,
    checked_key,
    checked_keys,
    checked_tags,
    fraction,
    seconds,
    wrong_type,
)
from asynccache.core.policy import Policy
from asynccache.errors import DecodeError
from asynccache.health import Health, diagnose
from asynccache.levels.first import Held
from asynccache.levels.verification import Verification
from asynccache.region import Region
from asynccache.results import LoadResult
from asynccache.statistics import Statistics
from asynccache.types import MISSING, Duration, Missing
from asynccache.writing import Writing

T = TypeVar("T")
D = TypeVar("D")
K = TypeVar("K")


class Cache(Writing):
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
        max_concurrent_loads: How many loads may run at once in this process; the others wait.
            Without Redis every process loads for itself, and the source has to bear that. None: no
            limit.
        outage: What is done while Redis is down, once ``max_staleness`` is over: "load" from the
            source, or go on serving what this process has ("stale"), for ``outage_staleness`` more.
        outage_staleness: How much older than ``max_staleness`` a value may then be.
        observer: Is told of rare events; see `asynccache.events`.
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
        tags: Iterable[str] = (),
    ) -> T:
        """Return a key's value, from this process, from Redis, or from its loader.

        However many callers ask for one key at once, the loader runs once in this process, and
        once in the fleet while Redis can be asked. It runs in a task of the cache's own, which
        does not see the caller's context variables. No failure of Redis is raised.
        A value that this process holds is returned without a look at the arguments after it.
        What a loader can learn and say about its own load: see `load_context`.

        Args:
            key: The key: 1 to 8,192 characters.
            loader: Returns the value; called without arguments, and only when it is needed.
            ttl: How long the value is fresh, instead of the policy's. Give it by name: that it need
                not be is for speed.
            policy: How the value is kept and loaded, instead of the cache's.
            tags: What `invalidate_tags` reaches the value by, once it is loaded: up to 32 str.

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
                if entry.eager <= self._now():
                    resolved = self.resolve_policy(policy, ttl)
                    self._refresh_soon(key, loader, resolved, registered=False, tags=tags)
                return value
        held = await self._load(key, loader, self.resolve_policy(policy, ttl), tags=tags)
        loaded: T = held.take(self._decode)
        return loaded

    async def get_or_load_result(
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
    ) -> LoadResult[T]:
        """Return a key's value and where it came from, how old it is, and whether it is stale.

        See `get_or_load` for the arguments and what is raised.
        """
        resolved = self.resolve_policy(policy, ttl)
        first = None if self._runtime is None else self._runtime.first
        entry = None if first is None else first.servable(checked_key(key))
        held = None if first is None or entry is None else first.held_of(entry)
        if entry is None or held is None:
            held = await self._load(key, loader, resolved, tags=tags)
        else:
            entry.hits += 1
            if entry.eager <= self._now():
                self._refresh_soon(key, loader, resolved, registered=False, tags=tags)
        value: T = held.take(self._decode)
        return LoadResult(value, held.level, held.stale, held.age)

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

    def glance(self, key: str) -> tuple[Any, float] | None:
        """Return the value that this process may serve now, unless that is kept encoded, and since
        when it has it. Not part of the public API.
        """
        try:
            entry = self._entries[key]
        except KeyError:
            return None
        if self._now() < entry.soft and entry.epoch == self._epoch:
            entry.hits += 1
            return entry.value, entry.born
        servable = None if self._runtime is None else self._runtime.first.servable(key)
        return None if servable is None or servable.encoded else (servable.value, servable.born)

    def drop_here(self, keys: Iterable[str]) -> None:
        """Let this process keep some keys no longer; Redis does. Not part of the public API."""
        if self._runtime is not None:
            for key in keys:
                self._runtime.first.engine.delete(key)

    def peek_result(self, key: str, *, stale: bool = False) -> LoadResult[Any] | None:
        """Return what `peek` does with what is known of it, or None.

        Args:
            key: The key.
            stale: Return a value past its ttl as well, within its grace.

        Raises:
            ArgumentTypeError: The key is not a str.
            InvalidArgument: The key is empty or too long.
        """
        first = None if self._runtime is None else self._runtime.first
        held = None if first is None else first.look(checked_key(key), stale=stale)
        if held is None:
            return None
        return LoadResult(held.take(self._decode), held.level, held.stale, held.age)

    async def get_many(
        self, keys: Iterable[str], *, policy: Policy | None = None
    ) -> dict[str, Any]:
        """Return the values of those keys that have one, in one round trip.

        Args:
            keys: The keys; repeated ones count once.
            policy: How values found in Redis are kept in this process, instead of the cache's.
        """
        resolved = self.resolve_policy(policy, None)
        return await self._running().reader.get(checked_keys(keys), resolved)

    async def get_or_load_many(
        self,
        keys: Iterable[str],
        load_missing: Callable[[list[str]], Awaitable[Mapping[str, T]]],
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
    ) -> dict[str, T]:
        """Return the values of some keys, loading all that are missing with one call.

        Args:
            keys: The keys; repeated ones count once.
            load_missing: Returns the values of the keys that it is given. A key that it leaves
                out is left out of the result, and nothing is stored for it; others are ignored.
            ttl: How long loaded values are fresh, instead of the policy's.
            policy: How values are kept and loaded, instead of the cache's.
            tags: What all of the loaded values are tagged with.

        Raises:
            Exception: See `get_or_load`.
        """
        checked_callable(load_missing, "load_missing", "a function of a list of keys")
        resolved = self.resolve_policy(policy, ttl)
        return await self._running().reader.load_many(
            checked_keys(keys),
            load_missing,
            resolved,
            registered=False,
            tags=checked_tags(tags),
        )

    async def refresh(
        self,
        key: str,
        loader: Callable[[], Awaitable[T]],
        *,
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
    ) -> T:
        """Load a key's value anew and replace it in every process; readers keep the old one so far.

        Args:
            key: The key.
            loader: See `get_or_load`.
            ttl: See `get_or_load`.
            policy: See `get_or_load`.
            tags: See `get_or_load`.

        Raises:
            Exception: See `get_or_load`.
        """
        resolved = self.resolve_policy(policy, ttl)
        held = await self._load(key, loader, resolved, refresh=True, tags=tags)
        refreshed: T = held.take(self._decode)
        return refreshed

    # Everything else.

    def region(
        self,
        prefix: str,
        type_: type[T],
        *,
        loader: Callable[[K], Awaitable[T]] | None = None,
        ttl: Duration | None = None,
        policy: Policy | None = None,
        tags: Iterable[str] | Callable[[K], Iterable[str]] = (),
    ) -> Region[K, T]:
        """Return a typed view of the keys that begin with a prefix.

        Args:
            prefix: The beginning of every key; the id follows after a colon.
            type_: The type of the values. Dataclasses, NamedTuples, enums, pydantic models and
                msgspec structs, also inside it, are made known to the codec.
            loader: Loads the value of an id; it is registered: its loads outlive their callers.
            ttl: How long values are fresh, instead of the policy's.
            policy: How values are kept and loaded, instead of the cache's.
            tags: What every value is tagged with, or a function that says so of an id.
        """
        return Region(
            *(self, prefix, type_),
            loader=loader,
            policy=self.resolve_policy(policy, ttl),
            tags=tags,
        )

    def statistics(self) -> Statistics:
        """Return what the cache has done since it was last started.

        Raises:
            NotStarted: It never was.
        """
        if self._runtime is None:
            raise self._not_started()
        return self._runtime.statistics()

    def health(self) -> Health:
        """Return whether both levels answer, and what is not well; it asks nobody."""
        if self._runtime is None or not self._started:
            return diagnose(
                is_running=False,
                redis="none",
                bus="none",
                tracking="none",
                lag=None,
                journal=0,
                last_error=None,
            )
        return self._runtime.health()

    def verify(self, *, sample: float | None = None) -> Verification:
        """Compare a sample of invalidated keys with their source, in the background, from now on.

        Some time after an invalidation (``max_staleness``, twice and four times that) the key's
        loader is called once more, and its value compared with what both levels answer. It finds
        programs that invalidate before their commit, that forget to, or that load from a replica
        that lags. Keys are checked whose loaders may run at any time: those of regions and
        ``@cached``, and with ``Policy(background=True)``.

        Args:
            sample: The share of invalidated keys to check, such as 1e-4; 0: no longer; None: only
                tell what was found so far.

        Returns:
            What was found so far.

        Raises:
            InvalidArgument: The share is not between 0 and 1.
        """
        if sample is not None and sample != 1:
            sample = fraction(sample, "sample")
        return self._running().verify(sample)

    # For regions and decorators, whose loaders are registered. Not part of the public API.

    async def load_registered(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        refresh: bool = False,
        tags: Callable[[], Iterable[str]],
    ) -> Any:
        """Return the value of a key, loading it with a loader that outlives the call.

        ``tags`` is a function because a hit has no use for them.
        """
        value = MISSING if refresh else self._held(key)
        if value is not MISSING:
            if policy.eager is not None:
                self._refresh_soon(key, loader, policy, registered=True, tags=tags())
            return value
        held = await self._load(key, loader, policy, registered=True, refresh=refresh, tags=tags())
        return held.take(self._decode)

    def _refresh_soon(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        registered: bool,
        tags: Iterable[str],
    ) -> None:
        runtime = self._running()
        entry = runtime.first.current(key)
        if entry is not None and entry.eager <= self._now():
            runtime.reader.refresh_soon(
                entry, loader, policy, registered=registered, tags=checked_tags(tags)
            )

    async def _load(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        registered: bool = False,
        refresh: bool = False,
        tags: Iterable[str] = (),
    ) -> Held:
        checked_key(key)
        if not callable(loader):
            raise _not_a_loader(loader)
        return await self._running().reader.load(
            key,
            loader,
            policy,
            registered=registered,
            refresh=refresh,
            tags=checked_tags(tags),
        )


def _not_a_loader(loader: object) -> Exception:
    close = getattr(loader, "close", None)
    if isinstance(loader, Awaitable) and callable(close):
        close()  # it will never be awaited, and would say so later
    return wrong_type(
        "loader", loader, "a function that is called when needed, such as lambda: load(id)"
    )

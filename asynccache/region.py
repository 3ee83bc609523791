"""A typed view of a cache: a prefix, the type of its values, a policy and a loader."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar, cast

from asynccache.codecs.base import Codec
from asynccache.core.arguments import checked_callable, checked_key, checked_tags, wrong_type
from asynccache.core.policy import Policy
from asynccache.core.template import key_part
from asynccache.errors import UsageError
from asynccache.results import WriteResult
from asynccache.types import MISSING

T = TypeVar("T")
K = TypeVar("K")


class RegionCache(Protocol):
    """What a region needs of its cache."""

    @property
    def codec(self) -> Codec: ...

    async def get(self, key: str, *, policy: Policy | None = None) -> Any: ...
    def peek(self, key: str, default: Any, /) -> Any: ...
    async def get_many(
        self, keys: Iterable[str], *, policy: Policy | None = None
    ) -> dict[str, Any]: ...
    async def set(
        self,
        key: str,
        value: Any,
        *,
        policy: Policy | None = None,
        tags: Iterable[str] = (),
        version: int | None = None,
    ) -> WriteResult: ...
    async def set_many(
        self, values: Mapping[str, Any], *, policy: Policy | None = None, tags: Iterable[str] = ()
    ) -> WriteResult: ...
    async def delete(self, key: str) -> WriteResult: ...
    async def delete_many(self, keys: Iterable[str]) -> WriteResult: ...
    async def expire(self, key: str) -> WriteResult: ...
    async def invalidate_pattern(self, pattern: str) -> WriteResult: ...
    async def load_registered(
        self,
        key: str,
        loader: Callable[[], Awaitable[Any]],
        policy: Policy,
        *,
        refresh: bool = False,
        tags: Callable[[], Iterable[str]],
    ) -> Any: ...


class Region(Generic[K, T]):
    """The values of one type, by their ids. Made by `Cache.region`.

    Ids are str, int, bool, UUID, date or Enum values, or tuples of those.

    Attributes:
        prefix: The beginning of every key.
        type: The type of the values.
    """

    def __init__(
        self,
        cache: RegionCache,
        prefix: str,
        type_: type[T],
        *,
        loader: Callable[[K], Awaitable[T]] | None,
        policy: Policy,
        tags: Iterable[str] | Callable[[K], Iterable[str]] = (),
    ) -> None:
        self.prefix: str = checked_key(prefix, "prefix")
        self.type = type_
        if loader is not None:
            checked_callable(loader, "loader", "a function of an id, or None")
        cache.codec.register_hint(type_)
        self._cache = cache
        self._loader = loader
        self._policy = policy
        self._tags = tags if callable(tags) else checked_tags(tags)

    def key(self, id_: K) -> str:
        """Return the cache's key of an id; different ids have different keys.

        Raises:
            ArgumentTypeError: The id has a type that has no stable text.
        """
        parts = id_ if isinstance(id_, tuple) else (id_,)
        return ":".join((self.prefix, *(key_part(part, "id_") for part in parts)))

    def tags(self, id_: K) -> tuple[str, ...]:
        """Return what the value of an id is tagged with."""
        return checked_tags(self._tags(id_)) if callable(self._tags) else self._tags

    async def get(self, id_: K) -> T:
        """Return the value of an id, loading it if need be.

        Raises:
            UsageError: The region has no loader; `find` needs none.
            Exception: Whatever the loader raised; see `Cache.get_or_load`.
        """
        return await self._load(id_, refresh=False)

    async def refresh(self, id_: K) -> T:
        """Load the value of an id anew and replace it in every process."""
        return await self._load(id_, refresh=True)

    async def find(self, id_: K) -> T | None:
        """Return the value of an id, or None, without loading."""
        value = await self._cache.get(self.key(id_), policy=self._policy)
        return None if value is MISSING else cast("T", value)

    def peek(self, id_: K) -> T | None:
        """Return the value of an id if this process has it, without awaiting anything."""
        value: T | None = self._cache.peek(self.key(id_), None)
        return value

    async def get_many(self, ids: Iterable[K]) -> dict[K, T]:
        """Return the values of those ids that have one, in one round trip, without loading."""
        keys = self._keys(ids)
        found = await self._cache.get_many(keys.values(), policy=self._policy)
        return {id_: found[key] for id_, key in keys.items() if key in found}

    async def set(self, id_: K, value: T, *, version: int | None = None) -> WriteResult:
        """Store the value of an id. See `Cache.set`."""
        return await self._cache.set(
            self.key(id_), value, policy=self._policy, tags=self.tags(id_), version=version
        )

    async def set_many(self, values: Mapping[K, T]) -> WriteResult:
        """Store several values in one round trip."""
        if not isinstance(values, Mapping):
            raise wrong_type("values", values, "a mapping of ids to values")
        by_key = {self.key(id_): value for id_, value in values.items()}
        if not callable(self._tags):
            return await self._cache.set_many(by_key, policy=self._policy, tags=self._tags)
        # Each has tags of its own.
        results = [await self.set(id_, value) for id_, value in values.items()]
        return WriteResult(
            acknowledged=all(result.acknowledged for result in results),
            affected=sum(result.affected for result in results),
        )

    async def delete(self, id_: K) -> WriteResult:
        """Remove the value of an id everywhere. See `Cache.delete`."""
        return await self._cache.delete(self.key(id_))

    async def delete_many(self, ids: Iterable[K]) -> WriteResult:
        """Remove several values in one round trip."""
        return await self._cache.delete_many(self._keys(ids).values())

    async def expire(self, id_: K) -> WriteResult:
        """Make the value of an id stale everywhere. See `Cache.expire`."""
        return await self._cache.expire(self.key(id_))

    async def clear(self) -> WriteResult:
        """Remove every value of the region everywhere. See `Cache.invalidate_pattern`."""
        literal = "".join(f"\\{char}" if char in "*?[]\\" else char for char in self.prefix)
        return await self._cache.invalidate_pattern(f"{literal}:*")

    async def _load(self, id_: K, *, refresh: bool) -> T:
        loader = self._loader
        if loader is None:
            raise UsageError(f"the region {self.prefix!r} has no loader; use find, or give it one")
        value: T = await self._cache.load_registered(
            *(self.key(id_), lambda: loader(id_), self._policy),
            refresh=refresh,
            tags=lambda: self.tags(id_),
        )
        return value

    def _keys(self, ids: Iterable[K]) -> dict[K, str]:
        if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
            raise wrong_type("ids", ids, "several ids, in a list or another iterable")
        return {id_: self.key(id_) for id_ in ids}

    def __repr__(self) -> str:
        return f"<Region {self.prefix!r} of {getattr(self.type, '__qualname__', self.type)}>"

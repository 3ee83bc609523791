"""Caches with exchangeable parts: to hold back answers, to cut one link only, to break a promise.

A race is forced, not waited for: a `GatedStore` holds a call before it is sent, or its answer
before the cache gets it. A part with one mechanism taken away shows that a test can fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Final, Literal, TypeVar
from unittest import mock

from asynccache import Cache
from asynccache.levels.first import FirstLevel
from asynccache.levels.journal import Journal
from asynccache.levels.store import Item, Lease, Outcome, Raw
from asynccache.levels.writer import TwoLevelWriter
from asynccache.redis import lua
from asynccache.redis.bus import Bus
from asynccache.redis.dialing import DirectDialer
from asynccache.redis.link import Link
from asynccache.redis.scripts import Script
from asynccache.redis.settings import RedisSettings
from asynccache.redis.store import RedisStore
from asynccache.runtime import Runtime
from tests.support.waiting import until

T = TypeVar("T")

SCRIPTS: Final = [each for each in vars(lua).values() if isinstance(each, Script)]

Moment = Literal["before", "after"]


class Hold:
    """Holds back one call of a store.

    Attributes:
        reached: Is set when the call has come.
    """

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let the call go on."""
        self._released.set()

    async def pass_through(self) -> None:
        """Wait until the call may go on."""
        self.reached.set()
        await self._released.wait()


class GatedStore(RedisStore):
    """A store whose next call of a method can be held back."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._holds: dict[tuple[str, Moment], Hold] = {}

    def hold(self, method: str, moment: Moment) -> Hold:
        """Hold the next call of a method before it is sent, or after Redis has answered it."""
        hold = self._holds[method, moment] = Hold()
        return hold

    async def read(self, keys: Sequence[str]) -> list[Raw]:
        """See `Store.read`."""
        return await self._gated("read", lambda: super(GatedStore, self).read(keys))

    async def acquire(
        self, keys: Sequence[str], token: bytes, lease_ms: int, *, steal: bool = False
    ) -> list[Lease]:
        """See `Store.acquire`."""
        ask = super().acquire
        return await self._gated("acquire", lambda: ask(keys, token, lease_ms, steal=steal))

    async def fill(
        self, items: Mapping[str, Item], token: bytes, *, announce: bool = False
    ) -> set[str]:
        """See `Store.fill`."""
        fill = super().fill
        return await self._gated("fill", lambda: fill(items, token, announce=announce))

    async def put(self, items: Mapping[str, Item], version: int = 0) -> list[Outcome]:
        """See `Store.put`."""
        return await self._gated("put", lambda: super(GatedStore, self).put(items, version))

    async def add(self, key: str, item: Item) -> bool:
        """See `Store.add`."""
        return await self._gated("add", lambda: super(GatedStore, self).add(key, item))

    async def release(self, keys: Collection[str], token: bytes) -> None:
        """See `Store.release`."""
        await self._gated("release", lambda: super(GatedStore, self).release(keys, token))

    async def forget(self, keys: Sequence[str], settle_ms: int = 0) -> int:
        """See `Store.forget`."""
        return await self._gated("forget", lambda: super(GatedStore, self).forget(keys, settle_ms))

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """See `Store.invalidate_tags`."""
        await self._gated("invalidate_tags", lambda: super(GatedStore, self).invalidate_tags(tags))

    async def pause(self, method: str, moment: Moment) -> None:
        """Wait here if somebody holds the call."""
        hold = self._holds.pop((method, moment), None)
        if hold is not None:
            await hold.pass_through()

    async def _gated(self, method: str, call: Callable[[], Awaitable[T]]) -> T:
        await self.pause(method, "before")
        answer = await call()
        await self.pause(method, "after")
        return answer


@dataclass(frozen=True)
class Parts:
    """What a cache is built of; a test puts a broken part in the place of a sound one."""

    store: type[RedisStore] = GatedStore
    first: type[FirstLevel] = FirstLevel
    writer: type[TwoLevelWriter] = TwoLevelWriter
    journal: type[Journal] = Journal
    bus: type[Bus] = Bus


SOUND = Parts()


def bus_through(url: str, bus: type[Bus] = Bus) -> type[Bus]:
    """Return a bus that listens at another address than the one where the cache asks."""
    dialer = DirectDialer(RedisSettings.from_url(url))

    class Elsewhere(bus):  # type: ignore[misc, valid-type]  # the base is given
        def __init__(self, **options: Any) -> None:
            options["dial"] = partial(dialer.dial, push=False)
            super().__init__(**options)

    return Elsewhere


class Caches:
    """Starts caches and closes them in the end; an async context manager."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()

    async def start(
        self,
        url: str | RedisSettings,
        *,
        parts: Parts = SOUND,
        bus_url: str | None = None,
        wait: bool = True,
        load_scripts: bool = True,
        **options: Any,
    ) -> Cache:
        """Start a cache.

        Args:
            url: Where its Redis is.
            parts: What it is built of.
            bus_url: Where its bus listens, if that is somewhere else.
            wait: Until its bus is open.
            load_scripts: Make the scripts known first; only where there is one server.
            **options: Of the cache.
        """
        cache = Cache(url, **options)
        bus = parts.bus if bus_url is None else bus_through(bus_url, parts.bus)
        with mock.patch.multiple(
            "asynccache.runtime",
            RedisStore=parts.store,
            FirstLevel=parts.first,
            TwoLevelWriter=parts.writer,
            Journal=parts.journal,
            Bus=bus,
        ):
            await self._stack.enter_async_context(cache)
        if wait:
            # A script that the server does not know is announced twice, once too early: harmless,
            # but not for a test that counts messages.
            if load_scripts:
                loads = [("SCRIPT", "LOAD", script.source) for script in SCRIPTS]
                await link_of(cache).call(*loads)
            await bus_open(cache)
        return cache

    async def __aenter__(self) -> Caches:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()


def runtime_of(cache: Cache) -> Runtime:
    """Return the running parts of a cache."""
    runtime = cache._runtime
    assert runtime is not None
    return runtime


def link_of(cache: Cache) -> Link:
    """Return the link of a cache, to speak to its Redis."""
    link = runtime_of(cache)._link
    assert isinstance(link, Link)
    return link


def store_of(cache: Cache) -> GatedStore:
    """Return the store of a cache, to hold its calls."""
    store = runtime_of(cache)._store
    assert isinstance(store, GatedStore)
    return store


def bus_of(cache: Cache) -> Bus:
    """Return the bus of a cache."""
    bus = runtime_of(cache)._bus
    assert bus is not None
    return bus


async def bus_open(cache: Cache) -> float:
    """Wait until a cache's first level may answer on the strength of its bus."""
    return await until(lambda: cache.statistics().bus == "open")


async def heard(cache: Cache, count: int) -> None:
    """Wait until a cache has received so many messages in all."""
    await until(lambda: cache.statistics().invalidations_received >= count)


class Source:
    """A source of truth whose loads can be stopped after they have read it.

    Attributes:
        value: What it holds now.
        loads: How many loads have begun.
    """

    def __init__(self, value: Any = "old") -> None:
        self.value = value
        self.loads = 0

    async def load(self) -> Any:
        """Return what it holds."""
        self.loads += 1
        return self.value

    def slow(self) -> SlowLoad:
        """Return a loader that reads at once and returns when it is told to."""
        return SlowLoad(self)


class SlowLoad:
    """A loader that has read its source, and waits.

    Attributes:
        has_read: Is set when it has read the source.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self.has_read = asyncio.Event()
        self._may_return = asyncio.Event()

    async def __call__(self) -> Any:
        """Load."""
        value = await self._source.load()
        self.has_read.set()
        await self._may_return.wait()
        return value

    def finish(self) -> None:
        """Let it return."""
        self._may_return.set()

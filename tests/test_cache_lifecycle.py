"""Beginning and end: what a cache does when it is not running, twice, elsewhere, or interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asynccache import (
    MISSING,
    Cache,
    CacheClosed,
    ManualClock,
    NotStarted,
    UsageError,
    WrongLoop,
)
from tests.support.loading import Counted, HeldLoader, turns

USES: dict[str, Callable[[Cache], Awaitable[object]]] = {
    "get_or_load": lambda cache: cache.get_or_load("key", Counted()),
    "get_or_load_many": lambda cache: cache.get_or_load_many(["key"], load_missing),
    "get": lambda cache: cache.get("key"),
    "get_many": lambda cache: cache.get_many(["key"]),
    "refresh": lambda cache: cache.refresh("key", Counted()),
    "set": lambda cache: cache.set("key", 1),
    "set_many": lambda cache: cache.set_many({"key": 1}),
    "add": lambda cache: cache.add("key", 1),
    "incr": lambda cache: cache.incr("key"),
    "touch": lambda cache: cache.touch("key"),
    "delete": lambda cache: cache.delete("key"),
    "delete_many": lambda cache: cache.delete_many(["key"]),
    "expire": lambda cache: cache.expire("key"),
    "invalidate_pattern": lambda cache: cache.invalidate_pattern("*"),
    "clear": lambda cache: cache.clear(),
    "region": lambda cache: cache.region("r", int, loader=load_id).get(1),
}

every_use = pytest.mark.parametrize("use", USES.values(), ids=USES.keys())


async def load_missing(keys: list[str]) -> dict[str, int]:
    """A bulk loader."""
    return dict.fromkeys(keys, 1)


async def load_id(id_: int) -> int:
    """A region's loader."""
    return id_


@every_use
async def test_a_cache_that_was_never_started(use: Callable[[Cache], Awaitable[object]]) -> None:
    """The error says how to start it."""
    with pytest.raises(NotStarted, match="'async with cache:' or FastAPI"):
        await use(Cache("memory://", name="shop"))


@every_use
async def test_a_closed_cache(use: Callable[[Cache], Awaitable[object]]) -> None:
    """What it held is not served any more, either."""
    cache = Cache("memory://", name="shop")
    async with cache:
        await cache.set("key", 1)
        await cache.set("r:1", 1)

    with pytest.raises(CacheClosed, match="the cache 'shop' is closed"):
        await use(cache)


async def test_statistics_need_a_start_and_outlive_the_end() -> None:
    """A cache that never ran has none; one that ran still tells what it did."""
    cache = Cache("memory://")
    with pytest.raises(NotStarted):
        cache.statistics()
    async with cache:
        await cache.get_or_load("key", Counted())

    assert cache.statistics().loads == 1
    assert cache.statistics().l1_entries == 0


async def test_a_running_cache_cannot_be_started_again() -> None:
    """Two starts would be two owners; the running one is not disturbed."""
    async with Cache("memory://", name="shop") as cache:
        await cache.set("key", 1)
        with pytest.raises(UsageError, match="the cache 'shop' is running already"):
            await cache.__aenter__()

        assert await cache.get("key") == 1


async def test_a_closed_cache_can_be_started_again() -> None:
    """It begins anew: empty, and with its counts at zero."""
    cache = Cache("memory://")
    for _ in range(3):
        async with cache:
            assert await cache.get("key") is MISSING
            await cache.set("key", 1)
            assert await cache.get("key") == 1
            assert cache.statistics().requests == 2


async def test_what_it_is_shows_its_state() -> None:
    """The repr tells a running cache from a stopped one."""
    cache = Cache("memory://", name="shop", namespace="s")
    assert repr(cache) == "<Cache 'shop' memory:// namespace='s' stopped>"
    async with cache:
        assert repr(cache) == "<Cache 'shop' memory:// namespace='s' running>"
    assert repr(cache) == "<Cache 'shop' memory:// namespace='s' stopped>"


async def test_closing_twice_and_before_the_start_does_nothing() -> None:
    """Whoever cleans up need not know what was cleaned up before."""
    cache = Cache("memory://")
    await cache.close()
    async with cache:
        await cache.close()
        await cache.close()
    await cache.close()


async def test_closing_from_two_places_at_once() -> None:
    """Both wait for the end, and the cache can be started again afterwards."""
    loader = HeldLoader()
    cache = await Cache("memory://").__aenter__()
    caller = asyncio.create_task(cache.get_or_load("key", loader))
    await loader.started()
    closing = [asyncio.create_task(cache.close()) for _ in range(2)]
    await turns()
    assert not any(task.done() for task in closing)
    loader.let_go()
    await asyncio.gather(*closing)

    assert await caller == "loaded"
    async with cache:
        await turns()
        assert await cache.get("key") is MISSING


async def test_a_close_that_ends_late_does_not_end_what_was_started_meanwhile() -> None:
    """Two close one run of the cache; the first of them starts the next one."""
    cache = await Cache("memory://").__aenter__()
    loader = HeldLoader()
    caller = asyncio.create_task(cache.get_or_load("key", loader))
    await loader.started()

    async def restart() -> None:
        await cache.close()
        await cache.__aenter__()

    ending = asyncio.gather(restart(), cache.close())
    await turns()
    loader.let_go()
    await asyncio.gather(ending, caller)

    assert repr(cache).endswith(" running>")
    await cache.close()
    assert repr(cache).endswith(" stopped>")


async def test_an_exception_inside_the_block_closes_the_cache_and_goes_on() -> None:
    """It is not swallowed, and nothing is left running."""
    cache = Cache("memory://")
    with pytest.raises(LookupError):
        async with cache:
            raise LookupError

    with pytest.raises(CacheClosed):
        await cache.get("key")


async def test_a_start_that_fails_leaves_nothing_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next try is a start like any other."""
    cache = Cache("memory://")

    async def failing(runtime: Any) -> None:
        raise OSError("no")

    with monkeypatch.context() as patch:
        patch.setattr("asynccache.runtime.Runtime.start", failing)
        with pytest.raises(OSError, match="no"):
            await cache.__aenter__()
    async with cache:
        assert await cache.get("key") is MISSING


def test_a_cache_started_in_another_loop() -> None:
    """Use and end are refused where it does not live, and it goes on where it does."""
    cache = Cache("memory://", name="shop")
    with asyncio.Runner() as home, asyncio.Runner() as abroad:
        home.run(cache.__aenter__())
        for use in (cache.get("key"), cache.set("key", 1), cache.close()):
            with pytest.raises(WrongLoop, match="the cache 'shop' was started in another"):
                abroad.run(use)

        assert home.run(cache.get_or_load("key", Counted())) == "loaded"
        home.run(cache.close())


def test_one_cache_for_two_runs_of_asyncio() -> None:
    """A module's cache is started in each; what the first one forgot to close is gone with it."""
    cache = Cache("memory://")

    async def start_only() -> None:
        await cache.__aenter__()
        await cache.set("key", 1)

    async def use() -> Any:
        async with cache:
            return await cache.get("key")

    asyncio.run(start_only())
    with pytest.raises(WrongLoop):
        asyncio.run(cache.delete("key"))
    assert asyncio.run(use()) is MISSING
    assert asyncio.run(use()) is MISSING


def test_closing_what_ended_with_its_loop() -> None:
    """There is nothing to wait for."""
    cache = Cache("memory://")

    async def start_only() -> None:
        await cache.__aenter__()
        await cache.set("key", 1)

    async def close_and_use() -> None:
        await cache.close()
        await cache.get("key")

    asyncio.run(start_only())
    with pytest.raises(CacheClosed):
        asyncio.run(close_and_use())


async def test_removals_are_told_after_the_call_and_at_the_end() -> None:
    """The listener hears of each entry that leaves, and may itself fail."""
    told: list[tuple[str, Any, str]] = []

    def listen(key: str, value: Any, cause: Any) -> None:
        told.append((key, value, cause.value))
        if key == "a":
            raise LookupError("a listener's bug")

    clock = ManualClock()
    async with Cache("memory://", max_entries=2, on_removal=listen, clock=clock) as cache:
        await cache.set("a", 1)
        await cache.set("a", 2)
        assert told == []
        await turns()
        assert told == [("a", 1, "replaced")]
        await cache.set_many({"b": 3, "c": 4})
        await cache.delete("b")
        await turns()
        assert told[1:] == [("a", 2, "size"), ("b", 3, "explicit")]
    await turns()
    assert told[3:] == [("c", 4, "explicit")]

"""A loader that waits for its own key, by whatever way, gets an error instead of a deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asynccache import Cache, RecursiveLoad
from tests.support.loading import Counted, turns

pytestmark = [pytest.mark.usefixtures("task_factory"), pytest.mark.timeout(10)]


def loading(cache: Cache, key: str, *needed: str) -> Callable[[], Awaitable[Any]]:
    """Return a loader of a key that waits for others first, each loaded likewise, in a cycle."""
    ring = [key, *needed]

    async def load() -> str:
        await asyncio.sleep(0)
        following = ring[1:] + ring[:1]
        return f"{key} {await cache.get_or_load(following[0], loading(cache, *following))}"

    return load


async def test_a_loader_that_asks_for_its_own_key(cache: Cache) -> None:
    """The error names the key, and nothing is stored."""
    with pytest.raises(RecursiveLoad, match="the loader of 'a' waits for 'a' itself") as caught:
        await cache.get_or_load("a", loading(cache, "a"))

    assert caught.value.key == "a"
    assert await cache.get("a", None) is None
    assert cache.statistics().flights == 0


@pytest.mark.parametrize("ring", ["ab", "abc", "abcdefgh"])
async def test_a_ring_of_loaders(cache: Cache, ring: str) -> None:
    """It does not matter how many others are between."""
    with pytest.raises(RecursiveLoad):
        await cache.get_or_load(ring[0], loading(cache, *ring))

    assert cache.statistics().flights == 0


@pytest.mark.parametrize("ring", ["ab", "abc"])
async def test_a_ring_that_different_callers_close(cache: Cache, ring: str) -> None:
    """Each caller starts another key; each load waits for one that somebody else has started."""
    starts = [ring[index:] + ring[:index] for index in range(len(ring))]
    outcomes = await asyncio.gather(
        *(cache.get_or_load(start[0], loading(cache, *start)) for start in starts),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes] == [RecursiveLoad] * len(ring)
    assert cache.statistics().flights == 0


async def test_a_loader_may_catch_the_error(cache: Cache) -> None:
    """The refused call leaves nothing behind: the load goes on and is kept."""

    async def load() -> str:
        with pytest.raises(RecursiveLoad):
            await cache.get_or_load("a", Counted())
        return "made without itself"

    assert await cache.get_or_load("a", load) == "made without itself"
    assert await cache.get("a") == "made without itself"


async def test_recursion_through_a_task_of_the_loader(cache: Cache) -> None:
    """A loader that spreads its work over tasks is followed into them."""

    async def load() -> Any:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(cache.get_or_load("a", Counted()))
        return task.result()

    with pytest.raises(ExceptionGroup) as caught:
        await cache.get_or_load("a", load)

    assert caught.group_contains(RecursiveLoad)


async def test_recursion_through_a_bulk_load(cache: Cache) -> None:
    """One of the keys of a bulk load is enough."""

    async def load() -> Any:
        return await cache.get_or_load_many(["b", "a"], load_missing)

    async def load_missing(keys: list[str]) -> dict[str, str]:
        return dict.fromkeys(keys, "loaded")

    with pytest.raises(RecursiveLoad):
        await cache.get_or_load("a", load)

    await turns()
    assert cache.statistics().flights == 0


async def test_a_loader_that_refreshes_its_own_key(cache: Cache) -> None:
    """It would start itself again and again, each run waiting for the next."""

    async def load() -> Any:
        return await cache.refresh("a", load)

    with pytest.raises(RecursiveLoad):
        await cache.get_or_load("a", load)


async def test_a_loader_that_deletes_its_own_key_and_asks_for_it(cache: Cache) -> None:
    """Deleting the key does not make its loader another one."""

    async def load() -> Any:
        await cache.delete("a")
        return await cache.get_or_load("a", load)

    with pytest.raises(RecursiveLoad):
        await cache.get_or_load("a", load)


async def test_recursion_over_two_caches() -> None:
    """Loads of different caches that wait for each other are a deadlock too."""
    async with Cache("memory://", name="one") as one, Cache("memory://", name="two") as two:

        async def load_one() -> Any:
            return await two.get_or_load("key", load_two)

        async def load_two() -> Any:
            return await one.get_or_load("key", load_one)

        with pytest.raises(RecursiveLoad):
            await one.get_or_load("key", load_one)


async def test_one_key_in_two_caches_is_two_keys() -> None:
    """A cache in front of another one may use the same keys."""
    async with Cache("memory://", name="one") as one, Cache("memory://", name="two") as two:

        async def load() -> Any:
            return await two.get_or_load("key", Counted("value"))

        assert await one.get_or_load("key", load) == "value"


async def test_a_loader_may_read_its_own_key(cache: Cache) -> None:
    """``get`` does not load, so it waits for nobody."""

    async def load() -> Any:
        return await cache.get("a", "nothing yet")

    assert await cache.get_or_load("a", load) == "nothing yet"


async def test_a_loader_may_fan_out(cache: Cache) -> None:
    """Other keys side by side, some of them twice, and some that share a third one."""
    base = Counted(1)

    async def part(key: str) -> int:
        return int(await cache.get_or_load("base", base)) + int(key)

    async def load() -> int:
        keys = ["1", "2", "3", "2", "1"]
        parts = (cache.get_or_load(key, lambda key=key: part(key)) for key in keys)  # type: ignore[misc]
        return sum(await asyncio.gather(*parts))

    assert await cache.get_or_load("sum", load) == 14
    assert base.runs == 1


async def test_two_loads_may_share_a_third(cache: Cache) -> None:
    """Waiting for the same key is no cycle."""
    shared = Counted("c")

    async def load() -> Any:
        await asyncio.sleep(0)
        return await cache.get_or_load("c", shared)

    assert await asyncio.gather(*(cache.get_or_load(key, load) for key in "ab")) == ["c", "c"]
    assert shared.runs == 1


async def test_a_loader_that_has_stopped_waiting_can_be_waited_for(cache: Cache) -> None:
    """Who gave up on another load is no longer part of a ring with it."""
    given_up = asyncio.Event()
    asked = asyncio.Event()

    async def impatient() -> str:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await cache.get_or_load("b", Counted("never"))
        given_up.set()
        await asked.wait()
        return "without b"

    async def needs_the_other() -> Any:
        await given_up.wait()
        asyncio.get_running_loop().call_soon(asked.set)
        return await cache.get_or_load("a", Counted("never"))

    waiting = asyncio.create_task(cache.get_or_load("b", needs_the_other))
    await turns()

    assert await cache.get_or_load("a", impatient) == "without b"
    assert await waiting == "without b"


async def test_a_task_that_outlives_the_loader_may_ask_for_its_key(cache: Cache) -> None:
    """Once the load is over, what it has started is an ordinary caller."""
    finished = asyncio.Event()
    tasks: list[asyncio.Task[Any]] = []

    async def afterwards() -> Any:
        await finished.wait()
        return await cache.refresh("a", Counted("second"))

    async def load() -> str:
        tasks.append(asyncio.create_task(afterwards()))
        return "first"

    assert await cache.get_or_load("a", load) == "first"
    finished.set()
    assert await tasks[0] == "second"

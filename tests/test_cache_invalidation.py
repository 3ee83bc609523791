"""No load that began before a change stores over it: races 5 to 8, 24, 25, 29, in one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache import MISSING, Cache, ManualClock
from tests.support.loading import Counted, HeldLoader, turns


@dataclass(frozen=True)
class Change:
    """A change of the key ``"user:7"``, and what a ``get`` finds after it."""

    name: str
    make: Callable[[Cache], Awaitable[object]]
    leaves: object = MISSING


CHANGES = [
    Change("delete", lambda cache: cache.delete("user:7")),
    Change("delete_many", lambda cache: cache.delete_many(["user:6", "user:7"])),
    Change("invalidate_pattern", lambda cache: cache.invalidate_pattern("user:*")),
    Change("clear", lambda cache: cache.clear()),
    Change("expire", lambda cache: cache.expire("user:7")),
    Change("set", lambda cache: cache.set("user:7", "newer"), "newer"),
    Change("set_many", lambda cache: cache.set_many({"user:7": "newer", "b": 1}), "newer"),
    Change("add", lambda cache: cache.add("user:7", "newer"), "newer"),
    Change("incr", lambda cache: cache.incr("user:7", 5), 5),
    Change("refresh", lambda cache: cache.refresh("user:7", Counted("newer")), "newer"),
]

every_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)


async def begin(cache: Cache, loader: HeldLoader) -> asyncio.Task[Any]:
    """Return a caller of the key whose load has begun."""
    task = asyncio.create_task(cache.get_or_load("user:7", loader))
    await loader.started()
    return task


@every_change
async def test_a_load_that_began_earlier_is_not_stored(cache: Cache, change: Change) -> None:
    """Races 5, 6 and 24: its value is older than the change."""
    old = HeldLoader("old")
    waiting = await begin(cache, old)
    await change.make(cache)
    old.let_go()
    await waiting

    assert await cache.get("user:7") == change.leaves


@every_change
async def test_a_load_whose_loader_was_not_yet_called_is_not_stored(
    cache: Cache, change: Change
) -> None:
    """The call counts, not the event loop's order: it was there before the change."""
    old = HeldLoader("old")
    waiting = asyncio.create_task(cache.get_or_load("user:7", old))
    await asyncio.sleep(0)
    assert (old.runs, cache.statistics().flights) == (0, 1)
    await change.make(cache)
    old.let_go()
    await waiting

    assert await cache.get("user:7") == change.leaves


@every_change
async def test_those_who_waited_get_the_value(cache: Cache, change: Change) -> None:
    """They asked before the change, or at the same time: the older value is an answer."""
    old = HeldLoader("old")
    waiting = await begin(cache, old)
    await change.make(cache)
    old.let_go()

    assert await waiting == "old"


@every_change
async def test_nobody_joins_a_load_that_was_overtaken(cache: Cache, change: Change) -> None:
    """Race 7: who asks after the change gets what is newer, while the older load still runs."""
    old = HeldLoader("old")
    waiting = await begin(cache, old)
    await change.make(cache)
    expected = "new" if change.leaves is MISSING else change.leaves

    assert await cache.get_or_load("user:7", Counted("new")) == expected

    old.let_go()
    await waiting
    assert await cache.get("user:7") == expected


@every_change
async def test_a_load_that_begins_after_the_change_is_stored(cache: Cache, change: Change) -> None:
    """A change overtakes what was before it, and nothing else."""
    old = HeldLoader("old")
    waiting = await begin(cache, old)
    await change.make(cache)
    await cache.delete("user:7")
    await cache.get_or_load("user:7", Counted("new"))
    old.let_go()
    await waiting

    assert await cache.get("user:7") == "new"


@every_change
async def test_an_overtaken_failure_changes_nothing(cache: Cache, change: Change) -> None:
    """Its callers are told, and what is newer stays."""
    old = HeldLoader(LookupError("old"))
    waiting = await begin(cache, old)
    await change.make(cache)
    old.let_go()
    with pytest.raises(LookupError):
        await waiting

    assert await cache.get("user:7") == change.leaves


@pytest.mark.parametrize("change", [each for each in CHANGES if each.name != "clear"])
async def test_other_keys_are_not_disturbed(cache: Cache, change: Change) -> None:
    """A load of a key that the change is not about is joined and kept."""
    loader = HeldLoader("other")
    first = asyncio.create_task(cache.get_or_load("other", loader))
    await loader.started()
    await change.make(cache)
    second = asyncio.create_task(cache.get_or_load("other", Counted("never")))
    await turns()
    loader.let_go()

    assert (await first, await second) == ("other", "other")
    assert await cache.get("other") == "other"


async def test_a_bulk_load_keeps_the_keys_that_were_not_changed(cache: Cache) -> None:
    """Race 24 for one of several keys."""
    loader = HeldLoader({"user:7": "old", "user:8": "old"})
    waiting = asyncio.create_task(
        cache.get_or_load_many(["user:7", "user:8"], lambda keys: loader())
    )
    await loader.started()
    await cache.delete("user:7")
    loader.let_go()

    assert await waiting == {"user:7": "old", "user:8": "old"}
    assert await cache.get_many(["user:7", "user:8"]) == {"user:8": "old"}


async def test_a_pattern_is_a_redis_glob(cache: Cache) -> None:
    """It removes what matches and says how much that was."""
    keys = ["user:1", "user:2", "user:list:1", "product:1"]
    await cache.set_many(dict.fromkeys(keys, 1))

    assert (await cache.invalidate_pattern("user:?")).affected == 2
    assert list(await cache.get_many(keys)) == ["user:list:1", "product:1"]


async def test_deleting_says_how_many_keys_there_were(cache: Cache, clock: ManualClock) -> None:
    """Missing and expired keys do not count."""
    await cache.set_many({"a": 1, "b": 2})
    await cache.set("c", 3, ttl=1)
    clock.advance(1)

    assert (await cache.delete("missing")).affected == 0
    assert (await cache.delete("c")).affected == 0
    result = await cache.delete_many(["a", "b", "a", "missing"])
    assert (result.acknowledged, result.affected) == (True, 2)


async def test_no_fence_is_left_open(cache: Cache) -> None:
    """However a load ends, nothing is remembered about it."""
    for outcome in ("value", LookupError()):
        loader = HeldLoader(outcome)
        task = await begin(cache, loader)
        await cache.delete("user:7")
        loader.let_go()
        await asyncio.wait([task])
        assert (task.exception() is None) == (outcome == "value")
    abandoned = await begin(cache, HeldLoader())
    abandoned.cancel()
    await turns()

    assert cache._runtime is not None
    assert len(cache._runtime.first.fences) == 0

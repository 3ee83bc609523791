"""What a cache counts: each figure moves when, and only when, what it stands for happens."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

import pytest

from asynccache import Cache, ManualClock, Policy
from tests.support.loading import Counted, HeldLoader, turns

STALE = Policy(ttl=1, grace=60)


async def load_both(keys: list[str]) -> dict[str, int]:
    """Return a value for every key."""
    return dict.fromkeys(keys, 1)


async def load_id(id_: int) -> int:
    """A region's loader."""
    return id_


async def together(*calls: Awaitable[Any]) -> None:
    """Let calls run at the same time, whatever they raise."""
    await asyncio.gather(*calls, return_exceptions=True)


async def stale_then_failing(cache: Cache, clock: ManualClock) -> None:
    """Serve a stale value for a loader that fails."""
    await cache.set("key", 1, policy=STALE)
    clock.advance(1)
    await cache.get_or_load("key", Counted(LookupError()), policy=STALE)


Steps = Callable[[Cache, ManualClock], Awaitable[object]]

CASES: dict[str, tuple[Steps, dict[str, int]]] = {
    "get of nothing": (lambda cache, clock: cache.get("key"), {"misses": 1}),
    "get of something": (lambda cache, clock: cache.get("held"), {"l1_hits": 1}),
    "get of something that is copied": (lambda cache, clock: cache.get("copied"), {"l1_hits": 1}),
    "get_many": (
        lambda cache, clock: cache.get_many(["held", "copied", "a", "b", "b"]),
        {"l1_hits": 2, "misses": 2},
    ),
    "get_or_load of something": (
        lambda cache, clock: cache.get_or_load("held", Counted()),
        {"l1_hits": 1},
    ),
    "get_or_load of something that is copied": (
        lambda cache, clock: cache.get_or_load("copied", Counted()),
        {"l1_hits": 1},
    ),
    "get_or_load of nothing": (
        lambda cache, clock: cache.get_or_load("key", Counted()),
        {"misses": 1, "loads": 1, "l1_entries": 1, "l1_weight": 1},
    ),
    "three at once": (
        lambda cache, clock: together(
            *(cache.get_or_load("key", Counted()) for _ in range(3)),
        ),
        {"misses": 1, "loads": 1, "coalesced": 2, "l1_entries": 1, "l1_weight": 1},
    ),
    "three at once that fail": (
        lambda cache, clock: together(
            *(cache.get_or_load("key", Counted(LookupError())) for _ in range(3)),
        ),
        {"misses": 1, "loads": 1, "load_failures": 1, "coalesced": 2},
    ),
    "get_or_load_many": (
        lambda cache, clock: cache.get_or_load_many(["held", "a", "b"], load_both),
        {"l1_hits": 1, "misses": 2, "loads": 2, "l1_entries": 2, "l1_weight": 2},
    ),
    "region": (
        lambda cache, clock: cache.region("r", int, loader=load_id).get(1),
        {"misses": 1, "loads": 1, "l1_entries": 1, "l1_weight": 1},
    ),
    "refresh": (
        lambda cache, clock: cache.refresh("held", Counted("newer")),
        {"misses": 1, "loads": 1},
    ),
    "a stale value": (
        stale_then_failing,
        dict.fromkeys(
            ["misses", "loads", "load_failures", "stale_served", "l1_entries", "l1_weight"], 1
        ),
    ),
    "writes": (
        lambda cache, clock: together(
            cache.set("a", 1), cache.add("b", 1), cache.incr("c"), cache.touch("held")
        ),
        {"l1_entries": 3, "l1_weight": 3},
    ),
    "incr of what is no number": (lambda cache, clock: together(cache.incr("held")), {}),
    "evictions": (
        lambda cache, clock: cache.set_many({f"key:{number}": 1 for number in range(9)}),
        {"l1_entries": 6, "l1_weight": 6, "evictions": 3},
    ),
    "delete": (lambda cache, clock: cache.delete("held"), {"l1_entries": -1, "l1_weight": -1}),
    "clear": (lambda cache, clock: cache.clear(), {"l1_entries": -2, "l1_weight": -2}),
}


@pytest.mark.parametrize(("steps", "moved"), CASES.values(), ids=CASES.keys())
async def test_each_figure(clock: ManualClock, steps: Steps, moved: dict[str, int]) -> None:
    """Exactly those figures move, and by so much."""
    async with Cache("memory://", clock=clock, max_entries=8) as cache:
        await cache.set_many({"held": "value", "copied": ["value"]})
        assert await cache.get("held") == "value"  # it has hits when it leaves
        before = asdict(cache.statistics())
        await steps(cache, clock)
        await turns()
        after = asdict(cache.statistics())

    names = ("breaker", "bus", "bus_lag", "tracking")
    difference = {name: after[name] - before[name] for name in after if name not in names}
    assert {name: change for name, change in difference.items() if change} == moved
    assert (after["breaker"], after["bus"]) == ("none", "none")


async def test_running_loads_are_counted_whether_or_not_they_can_be_joined(cache: Cache) -> None:
    """A load that was overtaken still runs."""
    old, new = HeldLoader(), HeldLoader()
    tasks = [asyncio.create_task(cache.get_or_load("key", old))]
    await old.started()
    await cache.delete("key")
    tasks.append(asyncio.create_task(cache.get_or_load("key", new)))
    await new.started()
    assert cache.statistics().flights == 2

    old.let_go()
    new.let_go()
    await asyncio.gather(*tasks)
    assert cache.statistics().flights == 0


async def test_a_load_ends_in_the_statistics_when_it_is_abandoned(cache: Cache) -> None:
    """Nobody waits for it any more."""
    loader = HeldLoader()
    task = asyncio.create_task(cache.get_or_load("key", loader))
    await loader.started()
    task.cancel()
    await asyncio.wait([task])

    assert cache.statistics().flights == 0


async def test_hits_survive_their_entries(cache: Cache) -> None:
    """A count never goes back, whatever becomes of what was counted."""
    await cache.set_many({"a": 1, "b": 2, "c": 3})
    for key in ("a", "b", "c", "c"):
        await cache.get(key)
    await cache.set("a", 4)
    await cache.delete("b")
    await cache.clear()

    assert cache.statistics().l1_hits == 4


async def test_weights_are_summed_by_the_weigher(clock: ManualClock) -> None:
    """Of what is kept: the value itself, or its encoded bytes."""
    cache = Cache("memory://", clock=clock, max_bytes=1_000, weigher=lambda key, value: len(value))
    async with cache:
        await cache.set("text", "x" * 100)
        await cache.set("list", ["x" * 100])
        packed = len(cache.codec.encode(["x" * 100]))
        assert cache.statistics().l1_weight == 100 + packed
        await cache.set("text", "x" * 10)
        assert cache.statistics().l1_weight == 10 + packed


CALLS: list[tuple[Callable[[list[str]], int], Callable[..., Awaitable[Any]]]] = [
    (lambda keys: 1, lambda cache, keys, one, many: cache.get(keys[0])),
    (lambda keys: len(set(keys)), lambda cache, keys, one, many: cache.get_many(keys)),
    (lambda keys: 1, lambda cache, keys, one, many: cache.get_or_load(keys[0], one, ttl=2)),
    (
        lambda keys: len(set(keys)),
        lambda cache, keys, one, many: cache.get_or_load_many(keys, many, ttl=2),
    ),
    (lambda keys: 0, lambda cache, keys, one, many: cache.delete(keys[0])),
    (lambda keys: 0, lambda cache, keys, one, many: cache.expire(keys[0])),
]
"""Calls, and how many keys each asks for."""


@pytest.mark.parametrize("seed", range(5))
async def test_requests_are_the_keys_that_were_asked_for(
    cache: Cache, clock: ManualClock, seed: int
) -> None:
    """Whatever happens to them, each is one hit, one miss, or one wait for somebody else's load."""
    chance = random.Random(seed)
    asked = 0
    pending: set[asyncio.Task[Any]] = set()

    async def load(keys: list[str]) -> dict[str, Any]:
        await asyncio.sleep(0)
        if chance.random() < 0.2:
            raise LookupError
        return {key: [key] for key in keys if chance.random() < 0.7}

    async def load_one() -> Any:
        await asyncio.sleep(0)
        return (await load([]), "value")[1]

    for _ in range(400):
        keys = [chance.choice("abcdef") for _ in range(chance.randint(1, 4))]
        counts, call = chance.choice(CALLS)
        asked += counts(keys)
        pending.add(asyncio.ensure_future(call(cache, keys, load_one, load)))
        if chance.random() < 0.3:
            await asyncio.sleep(0)
        if chance.random() < 0.1:
            clock.advance(1)
    await asyncio.gather(*pending, return_exceptions=True)

    statistics = cache.statistics()
    assert statistics.requests == asked
    assert statistics.loads <= statistics.misses
    assert statistics.flights == 0
    assert statistics.l1_hits > 0
    assert statistics.coalesced > 0

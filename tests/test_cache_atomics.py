"""``add`` and ``incr``: what only one caller is told, and numbers that lose no count."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynccache import MISSING, Cache, InvalidArgument, ManualClock, Policy
from tests.support.loading import Counted, HeldLoader

LEAST, MOST = -(2**63), 2**63 - 1


async def test_one_of_many_callers_adds(cache: Cache) -> None:
    """One is told True, and its value is the one that is kept."""
    told = await asyncio.gather(*(cache.add("key", number) for number in range(100)))

    assert told.count(True) == 1
    assert await cache.get("key") == told.index(True)


async def test_add_leaves_what_is_there(cache: Cache, clock: ManualClock) -> None:
    """Its value and its lifetime."""
    await cache.set("key", None, ttl=10)
    assert await cache.add("key", "new", ttl=1_000) is False
    assert await cache.get("key", "default") is None

    clock.advance(10)
    assert await cache.get("key") is MISSING


@pytest.mark.parametrize("grace", [0, 60])
async def test_add_takes_the_place_of_what_is_expired(
    cache: Cache, clock: ManualClock, grace: int
) -> None:
    """A stale value is no value, and gone afterwards."""
    await cache.set("key", "stale", policy=Policy(ttl=1, grace=grace))
    clock.advance(1)

    assert await cache.add("key", "new") is True
    assert await cache.get("key") == "new"


async def test_add_after_delete(cache: Cache) -> None:
    """A deleted key is free again."""
    await cache.add("key", 1)
    await cache.delete("key")

    assert await cache.add("key", 2) is True


async def test_incr_counts_from_nothing(cache: Cache) -> None:
    """Up, down, and by nothing; what it returns is what the key holds."""
    assert await cache.incr("key") == 1
    assert await cache.incr("key", 41) == 42
    assert await cache.incr("key", -50) == -8
    assert await cache.incr("key", 0) == -8
    assert await cache.get("key") == -8


async def test_no_count_is_lost(cache: Cache) -> None:
    """Each of many callers sees a number of its own."""
    counts = await asyncio.gather(*(cache.incr("key") for _ in range(100)))

    assert sorted(counts) == list(range(1, 101))


async def test_incr_goes_on_from_a_stored_number(cache: Cache) -> None:
    """However it came there."""
    await cache.set("set", 5)
    await cache.get_or_load("loaded", Counted(6))

    assert await cache.incr("set") == 6
    assert await cache.incr("loaded") == 7


async def test_a_counter_keeps_the_lifetime_that_it_was_made_with(
    cache: Cache, clock: ManualClock
) -> None:
    """Counting does not prolong it: that is what limits per minute are made of."""
    await cache.incr("key", ttl=60)
    clock.advance(59)
    assert await cache.incr("key", ttl=60) == 2

    clock.advance(1)
    assert await cache.incr("key", ttl=60) == 1


async def test_a_counter_counts_from_nothing_after_its_grace_began(
    cache: Cache, clock: ManualClock
) -> None:
    """A stale number is no number."""
    await cache.set("key", 41, policy=Policy(ttl=1, grace=60))
    clock.advance(1)

    assert await cache.incr("key") == 1


@pytest.mark.parametrize(
    "value", ["1", 1.0, True, None, [1], {"n": 1}, b"1"], ids=lambda value: type(value).__name__
)
async def test_incr_refuses_what_is_no_number(cache: Cache, value: Any) -> None:
    """The error names the key and the type; the value stays."""
    await cache.set("key", value)
    text = f"^key: 'key' holds a value of type {type(value).__qualname__}, not a number$"
    with pytest.raises(InvalidArgument, match=text):
        await cache.incr("key")

    assert await cache.get("key") == value


@pytest.mark.parametrize(
    ("start", "amount", "fits"),
    [
        (MOST - 1, 1, True),
        (MOST, 1, False),
        (1, MOST, False),
        (LEAST + 1, -1, True),
        (LEAST, -1, False),
        (-1, LEAST, False),
        (2**70, 0, False),
        (MOST, LEAST, True),
    ],
)
async def test_counts_stay_within_64_bits(
    cache: Cache, start: int, amount: int, fits: bool
) -> None:
    """As in Redis: a count that would leave them is refused, and changes nothing."""
    await cache.set("key", start)
    if fits:
        assert await cache.incr("key", amount) == start + amount
    else:
        with pytest.raises(
            InvalidArgument, match=r"^amount: the count would leave the range of 64"
        ):
            await cache.incr("key", amount)
        assert await cache.get("key") == start


async def test_refused_increments_do_not_overtake_a_load(cache: Cache) -> None:
    """What changes nothing is in nobody's way."""
    await cache.set("key", "text", ttl=1)
    loader = HeldLoader("refreshed")
    refreshing = asyncio.create_task(cache.refresh("key", loader))
    await loader.started()
    with pytest.raises(InvalidArgument):
        await cache.incr("key")
    assert await cache.add("key", "new") is False
    loader.let_go()
    await refreshing

    assert await cache.get("key") == "refreshed"

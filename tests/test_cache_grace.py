"""Stale values: they stand in for a loader that fails, as long as they may, and for no other."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asynccache import (
    MISSING,
    Cache,
    InvalidArgument,
    LoadTimeout,
    ManualClock,
    Policy,
    load_context,
)
from tests.support.loading import Counted, HeldLoader

GRACE = Policy(ttl=10, grace=60)


async def test_a_stale_value_stands_in_for_a_failing_loader(
    cache: Cache, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Within its grace, for each call anew, and the log says so."""
    await cache.set("key", ["stale"], policy=GRACE)
    clock.advance(10)
    failing = Counted(LookupError("down"))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert await cache.get_or_load("key", failing, policy=GRACE) == ["stale"]

    assert failing.runs == 2
    assert await cache.get("key") is MISSING
    statistics = cache.statistics()
    assert (statistics.stale_served, statistics.load_failures, statistics.misses) == (2, 2, 3)
    assert "serving stale values: the loader failed: LookupError('down')" in caplog.text


async def test_a_stale_value_is_not_served_while_the_loader_works(
    cache: Cache, clock: ManualClock
) -> None:
    """Grace is for failures only."""
    await cache.set("key", "stale", policy=GRACE)
    clock.advance(10)

    assert await cache.get_or_load("key", Counted("new"), policy=GRACE) == "new"


async def test_a_stale_value_stands_in_for_a_loader_that_takes_too_long(
    cache: Cache, clock: ManualClock
) -> None:
    """The limit of the load is a failure like any other."""
    policy = GRACE.replace(load_timeout=0.01)
    with pytest.raises(LoadTimeout):
        await cache.get_or_load("key", HeldLoader(), policy=policy)
    await cache.set("key", "stale", policy=GRACE)
    clock.advance(10)

    assert await cache.get_or_load("key", HeldLoader(), policy=policy) == "stale"


async def test_after_its_grace_a_value_is_gone(cache: Cache, clock: ManualClock) -> None:
    """The caller gets the loader's exception."""
    await cache.set("key", "stale", policy=GRACE)
    clock.advance(70)

    with pytest.raises(LookupError):
        await cache.get_or_load("key", Counted(LookupError()), policy=GRACE)


@pytest.mark.parametrize(
    ("change", "stands_in"),
    [
        (lambda cache: cache.expire("key"), True),
        (lambda cache: cache.delete("key"), False),
        (lambda cache: cache.delete_many(["key"]), False),
        (lambda cache: cache.invalidate_pattern("k*"), False),
        (lambda cache: cache.clear(), False),
    ],
)
async def test_an_expired_value_may_stand_in_and_a_deleted_one_never(
    cache: Cache, change: Callable[[Cache], Awaitable[Any]], stands_in: bool
) -> None:
    """That is the difference between the two."""
    await cache.set("key", "old", policy=GRACE)
    await change(cache)
    assert await cache.get("key") is MISSING

    if stands_in:
        assert await cache.get_or_load("key", Counted(LookupError())) == "old"
    else:
        with pytest.raises(LookupError):
            await cache.get_or_load("key", Counted(LookupError()))


async def test_the_grace_of_an_expired_value_counts_from_then(
    cache: Cache, clock: ManualClock
) -> None:
    """Expiring it again gives it no more."""
    await cache.set("key", "old", policy=GRACE)
    clock.advance(5)
    assert (await cache.expire("key")).affected == 1
    clock.advance(59)
    assert (await cache.expire("key")).affected == 0
    assert await cache.get_or_load("key", Counted(LookupError())) == "old"

    clock.advance(1)
    with pytest.raises(LookupError):
        await cache.get_or_load("key", Counted(LookupError()))


async def test_expire_without_grace_is_delete(cache: Cache) -> None:
    """Nothing is left that could stand in."""
    await cache.set("key", "old")
    assert (await cache.expire("key")).affected == 1

    with pytest.raises(LookupError):
        await cache.get_or_load("key", Counted(LookupError()))


async def test_a_load_that_fails_after_the_key_was_expired_is_covered(cache: Cache) -> None:
    """What may stand in for the next load may stand in for the one that runs already."""
    await cache.set("key", "old", policy=GRACE)
    await cache.expire("key")
    loader = HeldLoader(LookupError())
    loader.let_go()

    async def expire_and_fail() -> Any:
        await cache.expire("key")
        return await loader()

    assert await cache.get_or_load("key", expire_and_fail, policy=GRACE) == "old"


async def test_a_loader_says_for_how_long_its_value_may_stand_in(
    cache: Cache, clock: ManualClock
) -> None:
    """Instead of the policy; and it learns how old the present one is."""
    ages: list[float] = []

    async def loader() -> str:
        context = load_context()
        ages.append(context.age)
        if len(ages) > 1:
            raise LookupError("down")
        context.grace = 5
        return "value"

    await cache.get_or_load("key", loader, policy=GRACE)
    clock.advance(14)
    assert await cache.get_or_load("key", loader, policy=GRACE) == "value"
    clock.advance(2)
    with pytest.raises(LookupError):
        await cache.get_or_load("key", loader, policy=GRACE)
    assert ages == [0, 14, 0]


async def test_a_bad_grace_is_refused(cache: Cache) -> None:
    """In the loader, where the mistake is."""

    async def loader() -> None:
        load_context().grace = -1

    with pytest.raises(InvalidArgument, match="grace"):
        await cache.get_or_load("key", loader)

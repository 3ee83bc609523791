"""How long values live: ttl, jitter, and what touch changes about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from asynccache import MISSING, Cache, ManualClock, Policy
from asynccache.types import Duration
from tests.support.loading import Counted

Store = Callable[[Cache, Duration | None, Policy | None], Awaitable[object]]

STORES: dict[str, Store] = {
    "set": lambda cache, ttl, policy: cache.set("key", 1, ttl=ttl, policy=policy),
    "set_many": lambda cache, ttl, policy: cache.set_many({"key": 1}, ttl=ttl, policy=policy),
    "add": lambda cache, ttl, policy: cache.add("key", 1, ttl=ttl, policy=policy),
    "incr": lambda cache, ttl, policy: cache.incr("key", ttl=ttl, policy=policy),
    "get_or_load": lambda cache, ttl, policy: cache.get_or_load(
        "key", Counted(1), ttl=ttl, policy=policy
    ),
    "refresh": lambda cache, ttl, policy: cache.refresh("key", Counted(1), ttl=ttl, policy=policy),
    "get_or_load_many": lambda cache, ttl, policy: cache.get_or_load_many(
        ["key"], lambda keys: Counted({"key": 1})(), ttl=ttl, policy=policy
    ),
}

every_store = pytest.mark.parametrize("store", STORES.values(), ids=STORES.keys())

GRACE = Policy(ttl=10, grace=60)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((None, None), 300.0),
        ((10, None), 10.0),
        ((0.5, None), 0.5),
        ((timedelta(minutes=2), None), 120.0),
        ((None, Policy(ttl=20)), 20.0),
        ((10, Policy(ttl=20)), 10.0),
        ((None, Policy(ttl=timedelta(days=14))), 14 * 86_400.0),
    ],
)
@every_store
async def test_a_value_lives_for_its_ttl(
    cache: Cache,
    clock: ManualClock,
    store: Store,
    options: tuple[Duration | None, Policy | None],
    expected: float,
) -> None:
    """The call's ttl counts before its policy's, and that before the cache's."""
    await store(cache, *options)
    clock.advance(expected - 0.25)
    assert await cache.get("key") == 1

    clock.advance(0.25)
    assert await cache.get("key") is MISSING
    assert await cache.get_or_load("key", Counted("new")) == "new"


@every_store
async def test_a_ttl_of_none_in_a_policy_means_for_ever(
    cache: Cache, clock: ManualClock, store: Store
) -> None:
    """Until it is deleted."""
    await store(cache, None, Policy(ttl=None))
    clock.advance(10 * 365 * 86_400)

    assert await cache.get("key") == 1
    await cache.delete("key")
    assert await cache.get("key") is MISSING


async def test_the_policy_of_the_cache_is_the_default(clock: ManualClock) -> None:
    """It holds where a call says nothing."""
    async with Cache("memory://", clock=clock, policy=Policy(ttl=7)) as cache:
        await cache.set("key", 1)
        clock.advance(6.5)
        assert await cache.get("key") == 1
        clock.advance(0.5)
        assert await cache.get("key") is MISSING


async def test_the_lifetime_of_a_loaded_value_begins_when_it_was_loaded(
    cache: Cache, clock: ManualClock
) -> None:
    """A slow loader does not eat up its value's ttl."""

    async def slow() -> str:
        clock.advance(8)
        return "value"

    await cache.get_or_load("key", slow, ttl=10)
    clock.advance(9)

    assert await cache.get("key") == "value"


async def test_jitter_shortens_lifetimes_by_up_to_its_share(
    cache: Cache, clock: ManualClock
) -> None:
    """Keys stored together do not expire together, and none lives longer than its ttl."""
    keys = [f"key:{number}" for number in range(200)]
    await cache.set_many(dict.fromkeys(keys, 1), policy=Policy(ttl=100, jitter=0.25))

    clock.advance(75)
    assert len(await cache.get_many(keys)) == 200
    clock.advance(12.5)
    assert 0 < len(await cache.get_many(keys)) < 200
    clock.advance(12.5)
    assert await cache.get_many(keys) == {}


async def test_l1_ttl_has_no_meaning_without_redis(cache: Cache, clock: ManualClock) -> None:
    """There would be nothing to ask again: the value lives for its ttl."""
    await cache.set("key", 1, policy=Policy(ttl=100, l1_ttl=1))
    clock.advance(99)

    assert await cache.get("key") == 1


async def test_touch_gives_a_new_lifetime_from_now(cache: Cache, clock: ManualClock) -> None:
    """Longer or shorter than the old one."""
    await cache.set("key", 1, ttl=10)
    clock.advance(9)
    result = await cache.touch("key", ttl=20)
    assert (result.acknowledged, result.affected) == (True, 1)
    clock.advance(19)
    assert await cache.get("key") == 1

    await cache.touch("key", ttl=1)
    clock.advance(1)
    assert await cache.get("key") is MISSING


async def test_touch_takes_its_lifetime_from_a_policy(cache: Cache, clock: ManualClock) -> None:
    """Without a ttl it is the policy's, for ever included."""
    await cache.set("key", 1, ttl=10)
    await cache.touch("key", policy=Policy(ttl=None))
    clock.advance(1_000_000)

    assert await cache.get("key") == 1


async def test_touch_revives_nothing(cache: Cache, clock: ManualClock) -> None:
    """What is expired or missing stays so, grace or not."""
    await cache.set("key", 1, policy=GRACE)
    clock.advance(10)

    assert (await cache.touch("key")).affected == 0
    assert (await cache.touch("missing")).affected == 0
    assert await cache.get_many(["key", "missing"]) == {}


async def test_a_touched_value_keeps_its_grace(cache: Cache, clock: ManualClock) -> None:
    """It counts from the new end of its lifetime."""
    await cache.set("key", "stale", policy=GRACE)
    await cache.touch("key", ttl=100)
    clock.advance(159)
    assert await cache.get_or_load("key", Counted(LookupError())) == "stale"

    clock.advance(1)
    with pytest.raises(LookupError):
        await cache.get_or_load("key", Counted(LookupError()))

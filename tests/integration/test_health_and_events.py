"""What is told of a cache that is not well, and what it serves meanwhile if it may."""

from __future__ import annotations

import asyncio
import logging

import pytest

from asynccache import MISSING, Cache, InvalidArgument, Policy
from asynccache.events import (
    BusOpened,
    Damaged,
    Event,
    Gap,
    RedisBack,
    RedisLost,
    StaleServed,
    Unacknowledged,
)
from tests.support.caches import Caches, Source, bus_open, link_of
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"


async def test_an_outage_is_told_from_its_beginning_to_its_end(
    own_redis: RedisServer, caches: Caches
) -> None:
    """Events in order, and health says what is not well at each moment."""
    events: list[Event] = []
    cache = await caches.start(own_redis.url, observer=events.append, max_staleness=0.5)
    await cache.set(KEY, "value")
    health = cache.health()
    assert (health.status, health.redis, health.bus, health.reasons) == ("ok", "up", "open", ())
    assert health.is_ok
    assert health.lag is not None
    assert 0 <= health.lag < 0.5
    assert isinstance(cache.statistics().bus_lag, float)

    own_redis.kill()
    await cache.delete(KEY)
    await until(lambda: cache.health().bus == "closed")
    health = cache.health()
    assert (health.status, health.redis, health.journal) == ("degraded", "down", 1)
    assert len(health.reasons) == 3
    own_redis.start()
    await until(lambda: cache.health().is_ok)

    kinds = [type(event) for event in events]
    assert kinds.index(BusOpened) < kinds.index(RedisLost) < kinds.index(RedisBack)
    assert Unacknowledged(1) in events
    assert any(isinstance(event, Gap) and "another life" in event.reason for event in events)
    address = link_of(cache).settings.address
    assert RedisBack(address) in events
    assert kinds.count(RedisLost) == kinds.count(RedisBack) == 1


async def test_what_a_cache_that_does_not_run_says() -> None:
    """It is closed, before and after; without Redis all is well without it."""
    cache = Cache()
    assert cache.health().status == "closed"
    async with cache:
        health = cache.health()
        assert (health.status, health.redis, health.bus, health.lag) == ("ok", "none", "none", None)
    assert not cache.health().is_ok


async def test_an_observer_that_fails_disturbs_nobody(
    caches: Caches, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, with the event."""

    def failing(event: Event) -> None:
        raise LookupError(type(event).__name__)

    with caplog.at_level(logging.ERROR):
        cache = await caches.start(redis_url, observer=failing)
        await cache.set(KEY, "value")
    assert await cache.get(KEY) == "value"
    assert "the observer failed at BusOpened()" in caplog.text


async def test_damage_and_stale_values_are_told(caches: Caches, redis_url: str) -> None:
    """With what it was about."""
    events: list[Event] = []
    cache = await caches.start(redis_url, observer=events.append)
    policy = Policy(ttl=0.1, grace=60)
    await link_of(cache).call(("SET", "cache:r:{bad}", "garbage"))
    await cache.get("bad")
    await cache.set(KEY, "old", policy=policy)
    await asyncio.sleep(0.15)

    async def failing() -> str:
        raise LookupError

    result = await cache.get_or_load_result(KEY, failing, policy=policy)

    assert (result.value, result.stale) == ("old", True)
    assert Damaged("bad", "too short for a record") in events
    (stale,) = [event for event in events if isinstance(event, StaleServed)]
    assert stale.keys == (KEY,)
    assert isinstance(stale.error, LookupError)


@pytest.mark.parametrize("outage", ["load", "stale"])
async def test_an_outage_loads_or_serves_what_is_there(
    own_redis: RedisServer, caches: Caches, outage: str
) -> None:
    """Explicitly longer than max_staleness, and never what was deleted here meanwhile."""
    cache = await caches.start(
        own_redis.url, max_staleness=0.3, outage=outage, outage_staleness=1.2
    )
    source = Source("old")
    for key in (KEY, "deleted"):
        await cache.get_or_load(key, source.load)
    source.value = "new"
    own_redis.kill()
    await cache.delete("deleted")
    await asyncio.sleep(0.6)

    expected = "old" if outage == "stale" else "new"
    assert await cache.get_or_load(KEY, source.load) == expected
    assert await cache.get_or_load("deleted", source.load) == "new"
    assert (cache.statistics().unproven_served > 0) is (outage == "stale")
    await asyncio.sleep(1.2)
    assert await cache.get_or_load(KEY, source.load) == "new"
    own_redis.start()
    await bus_open(cache)
    assert await cache.get_or_load(KEY, source.load) == "new"
    assert cache.peek(KEY) is not MISSING


@pytest.mark.parametrize(
    ("name", "value"), [("outage", "hope"), ("outage_staleness", 0), ("observer", 7)]
)
def test_what_the_constructor_refuses(name: str, value: object) -> None:
    """The error names the argument."""
    with pytest.raises(InvalidArgument, match=name):
        Cache(**{name: value})  # type: ignore[arg-type]

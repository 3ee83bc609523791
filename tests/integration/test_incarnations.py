"""A server that comes back with older data: its records are of another life (races 14 and 15)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Literal

import pytest

from asynccache import MISSING, Cache, RedisSettings
from tests.support.caches import Caches, Source, bus_open, store_of
from tests.support.redis_sentinel import RedisSentinels
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"
Failover = Literal["miss", "trust"]
both = pytest.mark.parametrize("on_failover", ["miss", "trust"])


def settings(server: RedisServer, on_failover: Failover) -> RedisSettings:
    """Return the settings for a server; "trust" takes the mechanism away."""
    return replace(RedisSettings.from_url(server.url), on_failover=on_failover)


def restart_from_snapshot(server: RedisServer) -> None:
    """Kill a server and start it with what it had when it was told to save."""
    server.kill()
    server.start()


async def answers(cache: Cache) -> None:
    """Wait until a cache speaks to its Redis, and its bus is open."""
    await until(lambda: cache.statistics().breaker == "closed")
    await bus_open(cache)


@both
async def test_race_14_old_data_comes_back(
    own_redis: RedisServer, caches: Caches, on_failover: Failover
) -> None:
    """What was deleted stays deleted, though the snapshot still has it."""
    here, there = [await caches.start(settings(own_redis, on_failover)) for _ in range(2)]
    await here.set(KEY, "old")
    await here.incr("n", 7)
    own_redis.command("SAVE")
    assert (await here.delete_many([KEY, "n"])).acknowledged

    restart_from_snapshot(own_redis)
    await answers(here)
    await answers(there)

    holds = on_failover == "miss"
    newcomer = await caches.start(settings(own_redis, on_failover))
    for cache in (here, there, newcomer):
        assert (await cache.get(KEY) is MISSING) is holds
        assert (await cache.get("n") is MISSING) is holds
    assert await newcomer.incr("n") == (1 if holds else 8)


@both
async def test_race_15_fill_delayed_past_failover(
    own_redis: RedisServer, caches: Caches, on_failover: Failover
) -> None:
    """The old lease has come back too, and the late fill is stored: under the old life's stamp."""
    loading, changing = [await caches.start(settings(own_redis, on_failover)) for _ in range(2)]
    source = Source("old")
    hold = store_of(loading).hold("fill", "before")
    reader = asyncio.create_task(loading.get_or_load(KEY, source.load))
    await hold.reached.wait()
    own_redis.command("SAVE")
    source.value = "new"
    await changing.delete(KEY)

    restart_from_snapshot(own_redis)
    await answers(changing)
    hold.release()
    assert await reader == "old"

    newcomer = await caches.start(settings(own_redis, on_failover))
    value = await newcomer.get_or_load(KEY, source.load)
    assert (value == "new") is (on_failover == "miss")


@both
async def test_race_15_load_that_outlives_its_lease_s_life(
    own_redis: RedisServer, caches: Caches, on_failover: Failover
) -> None:
    """Its process knows of the new life when it stores the value; the lease is of the old one."""
    loading, changing = [await caches.start(settings(own_redis, on_failover)) for _ in range(2)]
    source = Source("old")
    slow = source.slow()
    reader = asyncio.create_task(loading.get_or_load(KEY, slow))
    await slow.has_read.wait()
    own_redis.command("SAVE")
    source.value = "new"
    await changing.delete(KEY)

    restart_from_snapshot(own_redis)
    await answers(changing)
    await answers(loading)
    await loading.get("another key")  # over a new connection
    slow.finish()
    assert await reader == "old"

    newcomer = await caches.start(settings(own_redis, on_failover))
    value = await newcomer.get_or_load(KEY, source.load)
    assert (value == "new") is (on_failover == "miss")


@both
async def test_race_14_lossy_failover(caches: Caches, on_failover: Failover) -> None:
    """A replica that has not heard of a delete becomes the master."""
    with RedisSentinels() as sentinels:
        trusting = replace(RedisSettings.from_url(sentinels.url), on_failover=on_failover)
        cache = await caches.start(trusting)
        await cache.set(KEY, "old")
        old, replica = sentinels.master(), sentinels.replica()
        record = f"cache:r:{{{KEY}}}"
        await until(lambda: replica.command("EXISTS", record).startswith(b":1"))
        replica.command("REPLICAOF", "127.0.0.1", "1")  # from now on it hears of nothing
        assert (await cache.delete(KEY)).acknowledged
        old.kill()
        await asyncio.to_thread(sentinels.wait_for_master_other_than, old)
        await answers(cache)

        assert (await cache.get(KEY) is MISSING) is (on_failover == "miss")

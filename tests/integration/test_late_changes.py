"""Changes that reach Redis after they were given up: they must not undo what came since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from asynccache import MISSING, Cache, Unavailable
from asynccache.redis.settings import RedisSettings
from tests.support import mutants
from tests.support.caches import Caches, Parts, bus_open, store_of
from tests.support.fault_proxy import FaultProxy
from tests.support.mutants import against
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"


async def add(cache: Cache) -> None:
    """Add an old value, in vain."""
    with pytest.raises(Unavailable):
        await cache.add(KEY, "old")


async def count(cache: Cache) -> None:
    """Count, in vain."""
    with pytest.raises(Unavailable):
        await cache.incr(KEY)


async def put(cache: Cache) -> None:
    """Set an old value, in vain."""
    assert not (await cache.set(KEY, "old")).acknowledged


@pytest.mark.parametrize("change", [put, add, count])
@against(store=mutants.PutsWheneverItComes)
async def test_a_change_that_was_given_up_is_not_carried_out_late(
    caches: Caches,
    own_redis: RedisServer,
    parts: Parts,
    change: Callable[[Cache], Awaitable[None]],
    *,
    holds: bool,
) -> None:
    """It lies in the network until after a newer, acknowledged delete."""
    async with FaultProxy(own_redis.port) as proxy:
        writing = await caches.start(proxy.url, parts=parts)
        await writing.set("another", 1)  # the first asks for the namespace's token as well
        proxy.strand()
        await change(writing)
        await until(lambda: writing.statistics().breaker == "closed")
        await until(lambda: writing.statistics().journal == 0)
        assert (await writing.delete(KEY)).acknowledged
        record = store_of(writing)._keys.record(KEY)

        await bus_open(writing)
        before = calls(own_redis)
        proxy.release()
        await until(lambda: calls(own_redis) > before)

        assert own_redis.command("EXISTS", record) == (b":0\r\n" if holds else b":1\r\n")
        if holds:
            assert await writing.get(KEY) is MISSING


async def test_a_server_whose_clock_was_set_costs_a_second_exchange(
    caches: Caches, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is taken for late because of it is sent again, by the time that was told."""
    cache = await caches.start(redis_url)
    store = store_of(cache)
    transport = store._transport
    told = transport.time(store._keys.record(KEY))
    assert told is not None
    monkeypatch.setattr(transport, "time", lambda _: told - 3_600)

    assert (await cache.set(KEY, "value")).acknowledged
    assert await cache.add("other", 1)
    assert await cache.incr("other") == 2

    assert await cache.get(KEY) == "value"


async def test_a_slow_server_does_not_make_a_change_late(
    caches: Caches, own_redis: RedisServer
) -> None:
    """A caller waits for longer than usual while answers come; so long may the change take."""
    async with FaultProxy(own_redis.port) as proxy:
        cache = await caches.start(RedisSettings(port=proxy.port, op_timeout=0.1))
        proxy.delay(0.06)  # there and back: more than the whole time
        results = await asyncio.gather(*(cache.set(f"k{n}", n) for n in range(5)))
        proxy.delay(0)
        await until(lambda: cache.statistics().journal == 0)

        for n, result in enumerate(results):
            assert await cache.get(f"k{n}") in ((n,) if result.acknowledged else (n, MISSING))


def calls(redis: RedisServer) -> int:
    """Return how many scripts a server has run."""
    text = redis.command("INFO", "commandstats")
    assert isinstance(text, bytes)
    lines = [line for line in text.split(b"\r\n") if line.startswith(b"cmdstat_evalsha:calls=")]
    return sum(int(line.split(b"=")[1].split(b",")[0]) for line in lines)

"""A cache on a cluster: the same promises, whichever server has the key, also through failovers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from redis.asyncio import RedisCluster as ClusterClient

from asynccache import MISSING, Cache, load_context
from tests.support.caches import Caches, Source, bus_open, heard
from tests.support.redis_cluster import RedisCluster
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

KEYS = [f"user:{number}" for number in range(60)]


@pytest.fixture
async def two(caches: Caches, cluster_url: str) -> tuple[Cache, Cache]:
    """Two processes' caches on one cluster."""
    writing, reading = [await caches.start(cluster_url, load_scripts=False) for _ in range(2)]
    return writing, reading


async def test_what_one_stores_the_other_reads(two: tuple[Cache, Cache]) -> None:
    """Single keys and many, over all servers."""
    writing, reading = two
    assert (await writing.set_many({key: key for key in KEYS})).acknowledged

    assert await reading.get_many(KEYS) == {key: key for key in KEYS}
    assert await reading.get(KEYS[7]) == KEYS[7]
    assert (await writing.delete_many(KEYS[:30])).affected == 30
    assert await writing.get_many(KEYS) == {key: key for key in KEYS[30:]}
    assert await writing.incr("views", 3) == 3
    assert await reading.add("once", 1) is True
    assert await writing.add("once", 2) is False


async def test_a_missing_key_is_loaded_once_in_the_fleet(two: tuple[Cache, Cache]) -> None:
    """Leases and fills are scripts on the server of the key."""
    source = Source("value")

    async def load() -> Any:
        await asyncio.sleep(0.02)
        return await source.load()

    answers = await asyncio.gather(
        *(cache.get_or_load(key, load) for key in KEYS for cache in (*two, *two))
    )

    assert answers == ["value"] * (4 * len(KEYS))
    assert source.loads == len(KEYS)


async def test_an_invalidation_reaches_the_other_process(two: tuple[Cache, Cache]) -> None:
    """The bus listens at the server that counts its messages; changes come first, on another."""
    writing, reading = two
    await writing.set_many(dict.fromkeys(KEYS, "old"))
    await heard(reading, 1)
    await reading.get_many(KEYS)
    for number, key in enumerate(KEYS):
        await writing.delete(key)
        await heard(reading, 2 + number)
        assert await reading.get(key) is MISSING
    assert reading.statistics().gaps == 1  # that of its start


async def test_patterns_and_clear_reach_every_server(two: tuple[Cache, Cache]) -> None:
    """Whatever server has the keys that match."""
    writing, reading = two
    await writing.set_many({key: key for key in [*KEYS, "other"]})
    await heard(reading, 1)
    assert (await writing.invalidate_pattern("user:*")).affected == len(KEYS)
    await heard(reading, 2)
    assert await reading.get_many([*KEYS, "other"]) == {"other": "other"}
    assert (await writing.clear()).affected == 1
    await heard(reading, 3)
    assert await reading.get("other") is MISSING


async def test_tags_and_counters_are_on_servers_of_their_own(two: tuple[Cache, Cache]) -> None:
    """Records, tokens and the era are in different slots; each is asked where it is."""
    here, there = two
    keys = [f"k{n}" for n in range(60)]
    await here.set_many(dict.fromkeys(keys, "old"), tags=["a", "b"])
    assert len(await there.get_many(keys)) == 60

    assert (await there.invalidate_tags("b")).acknowledged
    await until(lambda: here.peek("k1") is MISSING)
    assert await here.get_many(keys) == await there.get_many(keys) == {}
    assert [await cache.incr("n") for cache in (here, there)] == [1, 2]
    assert [await cache.add("one", 1) for cache in (here, there)] == [True, False]
    async with here.writing("k1"):
        assert await there.get_or_load("k1", Source("old").load) == "old"
    assert await there.get("k1") is MISSING


async def test_a_loaders_tag_is_known_from_its_second_value_on(two: tuple[Cache, Cache]) -> None:
    """Whether it was invalidated during the load cannot be told in a cluster, else."""
    here, there = two

    async def load() -> str:
        load_context().tags = ["a"]
        return "value"

    for number in range(3):
        assert await here.get_or_load(f"k{number}", load) == "value"
    assert await there.get_many(["k0", "k1", "k2"]) == {"k1": "value", "k2": "value"}


async def test_a_client_of_a_cluster_is_taken_over(redis_cluster: RedisCluster) -> None:
    """Its first servers and its credentials; the client itself is not used."""
    client = ClusterClient("127.0.0.1", redis_cluster.nodes[0].port)
    async with Cache(redis=client, namespace="taken") as cache:
        await bus_open(cache)
        assert (await cache.set_many({key: key for key in KEYS})).acknowledged
        assert await cache.get_many(KEYS) == {key: key for key in KEYS}
    await client.aclose()


async def test_no_reader_sees_a_failover(caches: Caches, own_cluster: RedisCluster) -> None:
    """A primary is killed under load: values come from somewhere, and in the end none is stale."""
    writing, reading = [
        await caches.start(own_cluster.url, load_scripts=False, max_staleness=1) for _ in range(2)
    ]
    truth = dict.fromkeys(KEYS, 0)
    stop = asyncio.Event()
    slowest = 0.0

    async def read() -> None:
        nonlocal slowest
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            for key in KEYS:
                began = loop.time()
                await reading.get_or_load(key, lambda key=key: load(key))  # type: ignore[misc]
                slowest = max(slowest, loop.time() - began)
            await asyncio.sleep(0.005)

    async def load(key: str) -> int:
        return truth[key]

    async def write() -> None:
        while not stop.is_set():
            for key in KEYS:
                truth[key] += 1
                await writing.delete(key)
            await asyncio.sleep(0.02)

    working = [asyncio.create_task(read()), asyncio.create_task(write())]
    await asyncio.sleep(0.5)
    own_cluster.owner_of(KEYS[0]).kill()
    await asyncio.sleep(1)
    await asyncio.to_thread(own_cluster.wait_until_ok)
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.gather(*working)

    assert slowest < 1.0
    for cache in (writing, reading):
        await bus_open(cache)
        await until(lambda cache=cache: cache.statistics().journal == 0)  # type: ignore[misc]
    await asyncio.sleep(1)
    for key in KEYS:
        assert await reading.get_or_load(key, lambda key=key: load(key)) == truth[key]  # type: ignore[misc]
        assert await writing.get_or_load(key, lambda key=key: load(key)) == truth[key]  # type: ignore[misc]

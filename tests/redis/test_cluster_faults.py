"""A cluster whose servers freeze, die and are replaced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from asynccache.errors import Unavailable
from asynccache.redis.cluster import ClusterLink
from asynccache.redis.listening import Listening, track
from asynccache.redis.settings import RedisSettings
from tests.redis.outages import DEADLINE, FIRST_CALL, HEALED
from tests.support.listener import Ear
from tests.support.redis_cluster import RedisCluster
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

KEYS = [f"r:{number}" for number in range(60)]


@pytest.fixture
async def ear() -> Ear:
    return Ear()


@pytest.fixture
async def link(own_cluster: RedisCluster, ear: Ear) -> AsyncIterator[ClusterLink]:
    """A link with the usual deadlines to a cluster of one's own."""
    settings = replace(RedisSettings.from_url(own_cluster.url), op_timeout=DEADLINE)
    link = ClusterLink(settings, listening=Listening([track("r:")], ear))
    await link.start()
    await until(lambda: len(ear.open) == 3)
    yield link
    await link.close()


async def timed(link: ClusterLink, *command: str) -> tuple[float, Any]:
    """Return how long a call took, and its reply, or the exception."""
    start = time.monotonic()
    try:
        (reply,) = await link.call(command)
    except Unavailable as error:
        reply = error
    return time.monotonic() - start, reply


async def writable(link: ClusterLink, key: str) -> float:
    """Wait until a key can be written and return the seconds that it took."""
    start = time.monotonic()
    async with asyncio.timeout(30):
        while True:
            _, reply = await timed(link, "SET", key, "new")
            if isinstance(reply, bytes):
                return time.monotonic() - start
            await asyncio.sleep(0.01)


async def test_a_frozen_server_costs_its_own_keys_one_deadline_once(
    own_cluster: RedisCluster, link: ClusterLink
) -> None:
    """Those of the others are read as before, meanwhile and afterwards."""
    await link.call(*(("SET", key, "v") for key in KEYS))
    frozen = own_cluster.owner_of(KEYS[0])
    elsewhere = next(key for key in KEYS if own_cluster.owner_of(key) is not frozen)
    frozen.pause()
    try:
        first, *others = await asyncio.gather(
            timed(link, "GET", KEYS[0]), *(timed(link, "GET", elsewhere) for _ in range(50))
        )
        again = await timed(link, "GET", KEYS[0])
    finally:
        frozen.resume()

    assert DEADLINE * 0.9 < first[0] < FIRST_CALL
    assert isinstance(first[1], Unavailable)
    assert [reply for _, reply in others] == [b"v"] * 50
    assert max(seconds for seconds, _ in others) < DEADLINE
    assert again[0] < DEADLINE / 2  # its breaker is open
    assert await until(lambda: link.state == "closed") < HEALED
    await own_cluster_settled(own_cluster)


async def own_cluster_settled(cluster: RedisCluster) -> None:
    """Wait until a cluster has got over what was done to it."""
    await asyncio.to_thread(cluster.wait_until_ok)


async def test_a_graceful_failover_is_followed(
    own_cluster: RedisCluster, link: ClusterLink, ear: Ear
) -> None:
    """The replica takes over: nothing is lost, writes go to it, and it is listened to."""
    await link.call(("SET", KEYS[0], "v"))
    old = own_cluster.owner_of(KEYS[0])
    await asyncio.to_thread(own_cluster.failover, old)
    assert await writable(link, KEYS[0]) < 5
    new = own_cluster.owner_of(KEYS[0])

    assert new is not old
    assert new.command("EXISTS", KEYS[0]) == b":1\r\n"
    await until(lambda: any(source.endswith(f":{new.port}") for source in ear.open))
    await until(lambda: not any(source.endswith(f":{old.port}") for source in ear.open))
    assert len(ear.open) == 3


async def test_a_killed_primary_is_replaced(
    own_cluster: RedisCluster, link: ClusterLink, ear: Ear
) -> None:
    """While the cluster elects another one its keys are unavailable, at no cost; then they are
    written again, without any caller having found out where."""
    await link.call(("SET", KEYS[0], "v"))
    old = own_cluster.owner_of(KEYS[0])
    old.kill()
    gap = await writable(link, KEYS[0])
    worst = max([(await timed(link, "GET", key))[0] for key in KEYS])

    assert gap < 15  # the cluster's own election takes 1.5 to 2.4 s, more on a busy machine
    assert worst < FIRST_CALL
    await until(lambda: len(ear.open) == 3)
    assert link.state == "closed"


async def test_a_cluster_that_is_not_there_yet_is_found(own_cluster: RedisCluster) -> None:
    """A process that comes up before its Redis is as well off as any other."""
    settings = RedisSettings.from_url(own_cluster.url)
    for server in own_cluster.nodes:
        server.pause()
    link = ClusterLink(settings)
    await link.start()
    with pytest.raises(Unavailable):
        await link.call(("GET", "k"))
    for server in own_cluster.nodes:
        server.resume()
    await own_cluster_settled(own_cluster)

    assert await writable(link, "k") < 5
    await link.close()


async def test_a_cluster_that_answers_nobody_costs_one_deadline_once(
    own_cluster: RedisCluster,
) -> None:
    """Also when no server has ever told its slots: later calls fail at once."""
    for server in own_cluster.nodes:
        server.pause()
    link = ClusterLink(replace(RedisSettings.from_url(own_cluster.url), op_timeout=DEADLINE))
    await link.start()
    first = await asyncio.gather(*(timed(link, "GET", key) for key in KEYS))
    await asyncio.sleep(len(own_cluster.nodes) * 2 * DEADLINE)
    later = await asyncio.gather(*(timed(link, "GET", key) for key in KEYS))
    for server in own_cluster.nodes:
        server.resume()
    await own_cluster_settled(own_cluster)

    assert max(seconds for seconds, _ in first) < FIRST_CALL
    assert max(seconds for seconds, _ in later) < DEADLINE / 2
    assert {type(reply) for _, reply in (*first, *later)} == {Unavailable}
    assert await writable(link, KEYS[0]) < 5
    await link.close()


async def test_first_servers_that_are_dead_do_not_matter(own_cluster: RedisCluster) -> None:
    """As long as one that was named is alive, all are found."""
    alive = own_cluster.url.removeprefix("redis+cluster://")
    link = ClusterLink(RedisSettings.from_url(f"redis+cluster://127.0.0.1:1,{alive}"))
    await link.start()
    replies = await link.call(*(("SET", key, 1) for key in KEYS))
    await link.close()

    assert replies == [b"OK"] * len(KEYS)

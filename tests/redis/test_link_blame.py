"""What is held against Redis and opens the breaker, and what is not its fault."""

from __future__ import annotations

import asyncio
import time

import pytest
from redis.exceptions import OutOfMemoryError

from asynccache.core.breaker import Breaker
from asynccache.errors import Unavailable
from asynccache.redis.link import Link
from asynccache.redis.settings import RedisSettings
from tests.redis.conftest import OpenLink
from tests.redis.outages import DEADLINE, refused
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration


async def test_a_slow_server_is_not_a_silent_one(open_link: OpenLink) -> None:
    """Those who run out of time because too many callers came do not open the breaker."""

    async def slowly(command: list[bytes]) -> bytes:
        await asyncio.sleep(0.7)
        return b"+PONG\r\n"

    async with ScriptedServer(slowly) as server:
        link = await open_link(server.url, op_timeout=1.0)
        outcomes = await asyncio.gather(
            *(link.call(("PING",)) for _ in range(5)), return_exceptions=True
        )

    assert outcomes[0] == [b"PONG"]
    assert [type(outcome) for outcome in outcomes[1:]] == [Unavailable] * 4
    assert (link.unavailable, link.breaker.openings) == (4, 0)


async def test_a_loop_that_stood_still_is_not_held_against_redis(
    redis_url: str, open_link: OpenLink
) -> None:
    """A handler that blocks the loop for longer than the deadline opens no breaker."""
    link = await open_link(redis_url, op_timeout=DEADLINE)
    for _ in range(3):
        await link.call(("PING",))
        call = asyncio.create_task(link.call(("PING",)))
        await asyncio.sleep(0)
        time.sleep(DEADLINE * 2)  # noqa: ASYNC251  # what is tested
        await asyncio.wait((call,))

    assert link.breaker.openings == 0
    assert await link.call(("PING",)) == [b"PONG"]


async def test_who_came_later_fails_with_who_came_first(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """When Redis is given up nobody waits for the rest of a deadline of his own."""
    link = await open_link(own_redis.url, op_timeout=1.0)
    await link.call(("PING",))
    own_redis.pause()
    first = asyncio.create_task(refused(link))
    await asyncio.sleep(0.6)

    assert await refused(link) < 0.8  # 0.4 s after the first; its own deadline would be 1 s
    assert await first < 1.5
    assert link.breaker.openings == 1


async def test_a_breaker_of_ones_own_counts_failures_in_a_row(
    own_redis: RedisServer,
) -> None:
    """With ``failures=2`` one failure between answers opens nothing."""
    link = Link(RedisSettings.from_url(own_redis.url), breaker=Breaker(failures=2))
    await link.start()
    for _ in range(3):
        own_redis.kill()
        await refused(link)
        own_redis.start()
        assert await link.call(("PING",)) == [b"PONG"]
    assert link.breaker.openings == 0

    own_redis.kill()
    await refused(link)
    await refused(link)
    assert link.breaker.openings == 1
    await link.close()


async def test_a_callers_own_deadline_is_nobodys_fault(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """A caller who has less patience than we gets its own timeout, and Redis is not given up."""
    link = await open_link(own_redis.url)
    await link.call(("PING",))
    own_redis.pause()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await link.call(("PING",))
    own_redis.resume()

    assert (link.unavailable, link.breaker.openings) == (0, 0)
    assert await link.call(("ECHO", "mine")) == [b"mine"]


async def test_a_full_memory_is_an_answer(open_link: OpenLink) -> None:
    """Redis without room refuses writes; reads and deletes work, and nobody gives it up."""
    with RedisServer("--maxmemory", "1mb") as server:
        link = await open_link(server.url)

        stored, read, deleted = await link.call(
            ("SET", "k", b"x" * 2_000_000), ("GET", "k"), ("DEL", "k")
        )

    assert isinstance(stored, OutOfMemoryError)
    assert (read, deleted) == (None, 0)
    assert (link.unavailable, link.breaker.openings) == (0, 0)


async def test_a_batch_may_take_longer_than_its_deadline_while_replies_come(
    open_link: OpenLink,
) -> None:
    """The deadline is for a Redis that is silent, not for one that has much to say."""

    async def slowly(command: list[bytes]) -> bytes:
        await asyncio.sleep(0.02)
        return b"+PONG\r\n"

    async with ScriptedServer(slowly) as server:
        link = await open_link(server.url, op_timeout=0.5)
        replies = await link.call(*[("PING",)] * 40)

    assert replies == [b"PONG"] * 40  # 0.8 s at least
    assert link.breaker.openings == 0


async def test_a_batch_that_falls_silent_is_held_against_redis(open_link: OpenLink) -> None:
    """However far it came, a Redis that stops in the middle is given up after one deadline."""
    answered = 0

    async def stops(command: list[bytes]) -> bytes:
        nonlocal answered
        answered += 1
        await asyncio.sleep(0.02 if answered <= 24 else 30)
        return b"+PONG\r\n"

    async with ScriptedServer(stops) as server:
        link = await open_link(server.url, op_timeout=0.4)
        with pytest.raises(Unavailable):
            await link.call(*[("PING",)] * 40)

        assert answered == 25
        assert link.breaker.openings == 1


async def test_a_trickle_of_replies_does_not_last_for_ever(open_link: OpenLink) -> None:
    """A server that answers just often enough is given up after some deadlines all the same."""

    async def trickles(command: list[bytes]) -> bytes:
        await asyncio.sleep(0.01)
        return b"+PONG\r\n"

    async with ScriptedServer(trickles) as server:
        link = await open_link(server.url, op_timeout=0.1)
        started = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable):
            await link.call(*[("PING",)] * 400)

        assert asyncio.get_running_loop().time() - started < 3.0

"""A master that sentinels watch over: found, followed, and never taken for what it was."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from redis.asyncio.sentinel import Sentinel

from asynccache.errors import Unavailable
from asynccache.redis.link import Link
from asynccache.redis.linking import make_link
from asynccache.redis.settings import RedisSettings
from tests.redis.outages import DEADLINE
from tests.support.redis_sentinel import RedisSentinels
from tests.support.waiting import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
async def link(own_sentinels: RedisSentinels) -> AsyncIterator[Link]:
    """A link with the usual deadlines to a master of one's own."""
    settings = replace(RedisSettings.from_url(own_sentinels.url), op_timeout=DEADLINE)
    link = make_link(settings)
    assert isinstance(link, Link)
    await link.start()
    yield link
    await link.close()


async def port_of(link: Link) -> int | None:
    """Return the port of the server that answers now; None: nobody does."""
    try:
        (reply,) = await link.call(("INFO", "server"))
    except Unavailable:
        return None
    (line,) = [line for line in reply.splitlines() if line.startswith(b"tcp_port:")]
    return int(line.partition(b":")[2])


async def reaches(link: Link, port: int) -> float:
    """Wait until the server at a port answers and return the seconds that it took."""
    start = time.monotonic()
    async with asyncio.timeout(30):
        while True:
            if await port_of(link) == port:
                return time.monotonic() - start
            await asyncio.sleep(0.01)


async def test_the_master_is_found(own_sentinels: RedisSentinels, link: Link) -> None:
    """By what the sentinels say; it can be written to, and has one connection from us."""
    master = own_sentinels.master()
    await asyncio.gather(*(link.call(("SET", f"k{number}", number)) for number in range(100)))

    assert await port_of(link) == master.port
    assert master.command("EXISTS", "k99") == b":1\r\n"
    assert master.command("CLIENT", "LIST").count(b" name=asynccache ") == 1
    assert (link.unavailable, link.state) == (0, "closed")


async def test_a_switch_is_heard_at_once(own_sentinels: RedisSentinels, link: Link) -> None:
    """An orderly failover: the link goes to the new master without a call that fails for it."""
    old = own_sentinels.master()
    await link.call(("SET", "k", "v"))
    failing_over = asyncio.create_task(asyncio.to_thread(own_sentinels.failover))
    while not failing_over.done():
        await port_of(link)
        await asyncio.sleep(0.02)
    await failing_over
    new = own_sentinels.master()

    assert new is not old
    assert await reaches(link, new.port) < 3
    assert await link.call(("SET", "k", "new")) == [b"OK"]


async def test_a_killed_master_is_replaced(own_sentinels: RedisSentinels, link: Link) -> None:
    """Calls fail at once until the sentinels have chosen, and then reach the one they chose."""
    await link.call(("SET", "k", "v"))
    old = own_sentinels.master()
    old.kill()
    waited = []
    async with asyncio.timeout(30):
        while True:
            start = time.monotonic()
            try:
                await link.call(("SET", "k", "new"))
            except Unavailable:
                waited.append(time.monotonic() - start)
                await asyncio.sleep(0.02)
            else:
                break

    assert await port_of(link) == own_sentinels.master().port != old.port
    assert sorted(waited)[-2:] < [2 * DEADLINE] * 2


async def test_a_master_that_was_frozen_is_not_believed_when_it_is_back(
    own_sentinels: RedisSentinels, link: Link
) -> None:
    """It answers for seconds as if nothing had happened; whoever was connected has left it.

    Nobody calls while it is frozen, so that the connection to it looks healthy all the time.
    """
    await link.call(("SET", "k", "v"))
    old = own_sentinels.master()
    old.pause()
    new = await asyncio.to_thread(own_sentinels.wait_for_master_other_than, old)
    old.resume()
    thawed = time.monotonic()
    await reaches(link, new.port)
    took = time.monotonic() - thawed
    answers = set()
    while time.monotonic() - thawed < 4:
        answers.add(await port_of(link))
        await asyncio.sleep(0.02)

    assert took < 2  # promised: a second, by asking; a switch that was heard is at once
    assert answers == {new.port}


async def test_a_sentinel_that_is_dead_or_frozen_does_not_matter(
    own_sentinels: RedisSentinels,
) -> None:
    """Two of three settle it, within the deadline of an operation."""
    own_sentinels.sentinels[0].pause()
    link = make_link(RedisSettings.from_url(own_sentinels.url))
    await link.start()
    start = time.monotonic()
    assert await link.call(("PING",)) == [b"PONG"]
    frozen = time.monotonic() - start
    await link.close()
    own_sentinels.sentinels[0].resume()

    own_sentinels.sentinels[1].kill()
    link = make_link(RedisSettings.from_url(own_sentinels.url))
    await link.start()
    assert await link.call(("PING",)) == [b"PONG"]
    await link.close()
    assert frozen < 2 * DEADLINE


async def test_sentinels_that_know_no_such_master_are_told_of(
    own_sentinels: RedisSentinels,
) -> None:
    """A wrong name is an outage that says why, and ends with the link."""
    before = asyncio.all_tasks()
    link = make_link(RedisSettings.from_url(own_sentinels.url.replace("mymaster", "nobody")))
    await link.start()
    with pytest.raises(Unavailable, match="no sentinel knows a master 'nobody'"):
        await link.call(("PING",))
    await link.close()
    await until(lambda: asyncio.all_tasks() == before)


async def test_a_client_of_sentinels_is_taken_over(own_sentinels: RedisSentinels) -> None:
    """Its sentinels and the master's name; the client itself is not used."""
    places = [("127.0.0.1", sentinel.port) for sentinel in own_sentinels.sentinels]
    sentinel = Sentinel(places)  # type: ignore[no-untyped-call]  # redis-py left it untyped
    client = sentinel.master_for(own_sentinels.name)
    link = make_link(RedisSettings.from_client(client))
    assert isinstance(link, Link)
    await link.start()

    assert await port_of(link) == own_sentinels.master().port
    await link.close()
    await client.aclose()


async def test_master_and_sentinels_have_passwords_of_their_own() -> None:
    """From a URL, and from a client of the user; the one does not open the other."""
    with RedisSentinels(password="master", sentinel_password="watch") as setup:
        places = [("127.0.0.1", sentinel.port) for sentinel in setup.sentinels]
        theirs = Sentinel(  # type: ignore[no-untyped-call]  # redis-py left it untyped
            places, sentinel_kwargs={"password": "watch"}, password="master"
        )
        known = [
            RedisSettings.from_url(setup.url),
            RedisSettings.from_client(theirs.master_for(setup.name)),
        ]
        for settings in known:
            assert await answers(replace(settings, op_timeout=10.0)) == [b"OK"]
            with pytest.raises(Unavailable):
                await answers(replace(settings, sentinel_password="master"))
            with pytest.raises(Unavailable):
                await answers(replace(settings, password="watch"))


async def answers(settings: RedisSettings) -> list[object]:
    """Return what a link of its own is answered."""
    link = make_link(settings)
    await link.start()
    try:
        return await link.call(("SET", "k", "v"))
    finally:
        await link.close()

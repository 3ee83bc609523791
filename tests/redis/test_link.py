"""The link to a healthy server: what is sent, and what comes back."""

from __future__ import annotations

import asyncio
import random
import re

import pytest
from redis.exceptions import DataError, ResponseError

from asynccache.errors import Unavailable
from asynccache.redis.packing import MOST_BYTES, pack
from tests.redis.conftest import OpenLink
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration


def clients_of(server: RedisServer, name: str) -> int:
    """Return how many connections under a name the server sees."""
    return server.command("CLIENT", "LIST").count(f" name={name} ".encode())


def connections_received(server: RedisServer) -> int:
    """Return how many connections the server has ever accepted."""
    found = re.search(rb"total_connections_received:(\d+)", server.command("INFO", "stats"))
    assert found is not None
    return int(found[1])


async def test_replies_come_in_order(redis_url: str, open_link: OpenLink) -> None:
    """Each command gets its own reply, as Redis sent it."""
    link = await open_link(redis_url)

    replies = await link.call(
        ("SET", "k", b"\x00\xff"), ("GET", "k"), ("INCRBY", "n", 7), ("GET", "none"), ("ECHO", 1.5)
    )

    assert replies == [b"OK", b"\x00\xff", 7, None, b"1.5"]
    assert await link.call(("LRANGE", "none", 0, -1)) == [[]]


async def test_nothing_to_send_is_nothing_to_wait_for(open_link: OpenLink) -> None:
    """A call without commands has no replies, even without a server."""
    link = await open_link("redis://127.0.0.1:1")

    assert await link.call() == []


async def test_an_error_reply_is_returned_in_its_place(redis_url: str, open_link: OpenLink) -> None:
    """The commands around it are carried out, and the connection stays in use."""
    link = await open_link(redis_url)
    await link.call(("LPUSH", "list", "x"))

    before, error, after = await link.call(("SET", "a", 1), ("GET", "list"), ("GET", "a"))

    assert (before, after) == (b"OK", b"1")
    assert isinstance(error, ResponseError)
    assert "WRONGTYPE" in str(error)
    assert error.__traceback__ is None
    assert (link.unavailable, link.breaker.state) == (0, "closed")


async def test_a_batch_of_any_size_is_answered(redis_url: str, open_link: OpenLink) -> None:
    """More commands than fit one write are sent in several, with all replies in order."""
    link = await open_link(redis_url)

    commands = [("ECHO", number) for number in range(1_201)]
    replies = await link.call(*commands)

    assert replies == [b"%d" % number for number in range(1_201)]
    assert [part.wanted for part in pack(commands)] == [500, 500, 201]


async def test_large_values_of_a_batch_are_sent_in_several_parts(
    redis_url: str, open_link: OpenLink
) -> None:
    """So that other callers' commands get in between; they take effect in order all the same."""
    link = await open_link(redis_url)
    values = [bytes([number]) * (MOST_BYTES // 2) for number in range(5)]
    commands = [("SET", f"k{number}", value) for number, value in enumerate(values)]

    assert await link.call(*commands, *(("GET", f"k{number}") for number in range(5))) == [
        *[b"OK"] * 5,
        *values,
    ]
    assert [part.wanted for part in pack(commands)] == [2, 2, 1]


async def test_large_values_survive(redis_url: str, open_link: OpenLink) -> None:
    """A value far beyond any buffer's size comes back as it was."""
    link = await open_link(redis_url)
    value = random.Random(1).randbytes(5_000_000)

    assert await link.call(("SET", "k", value), ("GET", "k")) == [b"OK", value]


async def test_an_argument_that_cannot_be_sent_is_the_callers_fault(
    redis_url: str, open_link: OpenLink
) -> None:
    """Nothing is sent, and neither connection nor breaker notices."""
    link = await open_link(redis_url)

    with pytest.raises(DataError):
        await link.call(("SET", "k", 1), ("SET", "k", None))  # type: ignore[arg-type]  # the mistake

    assert await link.call(("EXISTS", "k")) == [0]
    assert (link.unavailable, link.breaker.openings) == (0, 0)


async def test_everybody_shares_one_connection(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """Three hundred concurrent calls are all answered, over one connection."""
    link = await open_link(redis_url, client_name="crowd")

    replies = await asyncio.gather(*(link.call(("ECHO", number)) for number in range(300)))

    assert replies == [[b"%d" % number] for number in range(300)]
    assert clients_of(redis_server, "crowd") == 1


async def test_too_many_calls_are_turned_away_at_once(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """What waits is bounded; to be turned away is nothing that is held against Redis."""
    link = await open_link(own_redis.url, max_pending=10)
    await link.call(("PING",))
    own_redis.pause()
    waiting = [asyncio.create_task(link.call(("ECHO", number))) for number in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="too many calls"):
        await link.call(("PING",))
    own_redis.resume()

    assert await asyncio.gather(*waiting) == [[b"%d" % number] for number in range(10)]
    assert (link.unavailable, link.breaker.openings) == (1, 0)


async def test_one_caller_needs_one_connection(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """A connection is used again, not replaced."""
    link = await open_link(redis_url, client_name="loner")
    for _ in range(50):
        await link.call(("PING",))

    assert clients_of(redis_server, "loner") == 1


async def test_cancelled_calls_leave_no_trace(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """Of thousands of calls half are cancelled anywhere: the others get their own replies."""
    link = await open_link(redis_url, client_name="storm")
    await link.call(("PING",))
    connections = connections_received(redis_server)
    chance = random.Random(7)
    answered = 0
    for round_ in range(100):
        tasks = {
            f"{round_}:{number}": asyncio.create_task(link.call(("ECHO", f"{round_}:{number}")))
            for number in range(40)
        }
        for task in chance.sample(list(tasks.values()), 20):
            await asyncio.sleep(0 if chance.random() < 0.5 else chance.random() * 0.000_3)
            task.cancel()
        await asyncio.wait(tasks.values(), timeout=10)
        for text, task in tasks.items():
            assert task.done()
            if not task.cancelled():
                assert task.result() == [text.encode()]
                answered += 1

    assert answered >= 2_000
    assert (link.unavailable, link.breaker.openings) == (0, 0)
    assert "0 calls" in repr(link)
    assert clients_of(redis_server, "storm") == 1
    # Two were made here, to ask that, and to ask this.
    assert connections_received(redis_server) == connections + 2
    replies = await asyncio.gather(*(link.call(("ECHO", number)) for number in range(50)))
    assert replies == [[b"%d" % number] for number in range(50)]

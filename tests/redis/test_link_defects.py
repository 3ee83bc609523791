"""The known defects of redis-py's connections and pools, one by one, and that we have none."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from typing import Any

import pytest
from redis.asyncio.connection import AbstractConnection

from asynccache.errors import Unavailable
from tests.redis.conftest import OpenLink
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration


def open_sockets_to(port: int) -> list[socket.socket]:
    """Return this process's open sockets that are connected to a port."""
    sockets = [found for found in gc.get_objects() if isinstance(found, socket.socket)]
    return [found for found in sockets if found.fileno() >= 0 and _peer_port_of(found) == port]


def _peer_port_of(connected: socket.socket) -> int | None:
    try:
        peer = connected.getpeername()
    except OSError:
        return None
    return int(peer[1]) if isinstance(peer, tuple) else None


async def test_a_reply_too_many_is_not_taken_for_the_next(open_link: OpenLink) -> None:
    """Whatever a server sends unasked ends with the connection."""

    async def twice(command: list[bytes]) -> bytes:
        return b"+%s\r\n+surplus\r\n" % command[1]

    async with ScriptedServer(twice) as server:
        link = await open_link(server.url)
        for number in range(5):
            assert await link.call(("ECHO", number)) == [b"%d" % number]
            await asyncio.sleep(0.02)

    assert server.accepted == 5


async def test_a_reply_to_a_cancelled_call_goes_to_nobody(open_link: OpenLink) -> None:
    """It is dropped when it comes; redis-py cuts the connection, some ms for every cancellation."""
    release = asyncio.Event()

    async def slowly(command: list[bytes]) -> bytes:
        if command[1] == b"first":
            await release.wait()
        return b"+%s\r\n" % command[1]

    async with ScriptedServer(slowly) as server:
        link = await open_link(server.url)
        first = asyncio.create_task(link.call(("ECHO", "first")))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.wait((first,))
        second = asyncio.create_task(link.call(("ECHO", "second")))
        await asyncio.sleep(0.05)
        release.set()

        assert await second == [b"second"]
        assert server.accepted == 1


async def test_an_idle_connection_that_was_reset_is_replaced(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """A RST while idle is nobody's error, not even of a command that must not be sent twice.

    In CPython 3.12.1 and 3.13.0 redis-py raises AttributeError here (#4287).
    """
    async with FaultProxy(redis_server.port) as proxy:
        link = await open_link(proxy.url)
        for number in range(1, 6):
            assert await link.call(("INCR", "n"), retry=False) == [number]
            await proxy.reset()
            await asyncio.sleep(0.02)

        assert (proxy.accepted, link.unavailable, link.breaker.openings) == (5, 0, 0)


async def test_a_reset_that_was_not_noticed_yet_is_survived(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """A RST that arrives together with the next command: the command is sent again."""
    async with FaultProxy(redis_server.port) as proxy:
        link = await open_link(proxy.url)
        for number in range(20):
            await asyncio.gather(proxy.reset(), link.call(("SET", "k", number)))
            assert await link.call(("GET", "k")) == [b"%d" % number]

        assert (link.unavailable, link.breaker.openings) == (0, 0)


@pytest.mark.parametrize(
    "error", [AttributeError("'NoneType' object: '_add_writer'"), TypeError(), RuntimeError()]
)
async def test_what_leaks_while_connecting_is_an_outage_like_any_other(
    redis_url: str, open_link: OpenLink, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """What a reset transport raises in some releases of CPython reaches no caller."""
    link = await open_link(redis_url)
    connect = AbstractConnection.connect
    leaks = [error]

    async def leaking(self: Any) -> None:
        await connect(self)  # type: ignore[no-untyped-call]
        if leaks:
            raise leaks.pop()

    monkeypatch.setattr(AbstractConnection, "connect", leaking)
    with pytest.raises(Unavailable, match=type(error).__name__):
        await link.call(("PING",))
    await until(lambda: link.breaker.state == "closed")

    assert await link.call(("PING",)) == [b"PONG"]


async def test_an_idle_connection_that_was_closed_is_replaced(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """A FIN while idle, from the server's ``timeout`` or CLIENT KILL, is nobody's error."""
    link = await open_link(redis_url)
    for number in range(1, 6):
        assert await link.call(("INCR", "n"), retry=False) == [number]
        redis_server.command("CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(0.02)

    assert (link.unavailable, link.breaker.openings) == (0, 0)


async def test_many_callers_wait_and_none_is_turned_away(
    redis_url: str, open_link: OpenLink
) -> None:
    """With redis-py's defaults two thirds of 300 concurrent calls fail at once."""
    link = await open_link(redis_url)

    replies = await asyncio.gather(*(link.call(("ECHO", number)) for number in range(300)))

    assert replies == [[b"%d" % number] for number in range(300)]


async def test_no_retry_of_redis_py_makes_an_outage_longer(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """A refused connection is known after one attempt; redis-py's client takes 4.5 s."""
    link = await open_link(own_redis.url)
    await link.call(("PING",))
    own_redis.kill()
    start = time.monotonic()
    with pytest.raises(Unavailable, match="Connect call failed"):
        await link.call(("PING",))

    assert time.monotonic() - start < 2


async def test_unsent_bytes_do_not_delay_the_end(
    own_redis: RedisServer, open_link: OpenLink
) -> None:
    """A value that a frozen server does not take is given up with its connection, without trace."""
    link = await open_link(own_redis.url, op_timeout=0.2)
    own_redis.pause()
    with pytest.raises(Unavailable):
        await link.call(("SET", "k", b"x" * 30_000_000))
    async with asyncio.timeout(5):
        await link.close()

    assert open_sockets_to(own_redis.port) == []

"""What servers send unasked arrives on the link's own connection, in order, and gaps are told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from asynccache.redis.link import Link
from asynccache.redis.listening import Listening, track
from asynccache.redis.settings import RedisSettings
from tests.redis.outages import DEADLINE
from tests.support.fault_proxy import FaultProxy
from tests.support.listener import Ear
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.fixture
def ear() -> Ear:
    return Ear()


class Links:
    """Links that are closed in the end."""

    def __init__(self) -> None:
        self._links: list[Link] = []

    async def open(self, url: str, ear: Any = None, **settings: Any) -> Link:
        given = {"op_timeout": 10.0, "connect_timeout": 10.0, **settings}
        listening = None if ear is None else Listening([track("r:")], ear)
        link = Link(replace(RedisSettings.from_url(url), **given), listening=listening)
        await link.start()
        self._links.append(link)
        return link

    async def close(self) -> None:
        for link in self._links:
            await link.close()


@pytest.fixture
async def links() -> AsyncIterator[Links]:
    links = Links()
    yield links
    await links.close()


async def test_changes_by_others_are_pushed(redis_url: str, links: Links, ear: Ear) -> None:
    """Of the keys with the prefix, whoever changes them and however; not what the link writes."""
    link, other = await links.open(redis_url, ear), await links.open(redis_url)
    await until(lambda: bool(ear.open))

    await link.call(("SET", "r:own", 1))
    # One call for each: in one cycle of the server changes of a key are pushed once.
    for command in (("SET", "r:a", 1), ("SET", "elsewhere", 1), ("DEL", "r:a")):
        await other.call(command)
    await other.call(("SET", "r:short", 1, "PX", 100))
    await until(lambda: len(ear.keys) >= 4)
    await link.call(("PING",))

    assert ear.keys == [b"r:a", b"r:a", b"r:short", b"r:short"]  # the last: it has expired
    assert ear.events[0] == "connected"


async def test_a_push_is_here_before_the_reply_to_what_was_asked_after_it(
    redis_url: str, links: Links, ear: Ear
) -> None:
    """Another one's write is acknowledged, then we ask: by our reply we have heard of the write."""
    link, other = await links.open(redis_url, ear), await links.open(redis_url)
    await until(lambda: bool(ear.open))
    for number in range(200):
        await other.call(("SET", f"r:{number}", 1))
        await link.call(("PING",))
        assert ear.keys[-1] == b"r:%d" % number


async def test_a_flush_is_pushed_without_keys(
    own_redis: RedisServer, links: Links, ear: Ear
) -> None:
    """FLUSHALL invalidates everything: the push names no key."""
    await links.open(own_redis.url, ear)
    await until(lambda: bool(ear.open))
    own_redis.flush()
    await until(lambda: "pushed" in ear.events)

    assert ear.heard[-1][2] == [b"invalidate", None]


async def test_pushes_and_replies_do_not_mix_under_load(
    redis_url: str, links: Links, ear: Ear
) -> None:
    """Thousands of replies with pushes between them: each caller gets its own reply."""
    link, other = await links.open(redis_url, ear), await links.open(redis_url)
    await until(lambda: bool(ear.open))

    async def write() -> None:
        for number in range(1_000):
            await other.call(("SET", f"r:{number % 10}", number))

    writing = asyncio.create_task(write())
    asked = 0
    while not writing.done():
        replies = await asyncio.gather(*(link.call(("ECHO", asked + i)) for i in range(50)))
        assert replies == [[b"%d" % (asked + i)] for i in range(50)]
        asked += 50
    await writing
    await until(lambda: len(ear.keys) == 1_000)

    assert ear.keys == [b"r:%d" % (number % 10) for number in range(1_000)]


async def test_a_lost_connection_is_told_and_replaced_without_a_call(
    redis_server: RedisServer, redis_url: str, links: Links, ear: Ear
) -> None:
    """Whoever keeps copies must know that it may have missed something, and when that ends."""
    async with FaultProxy(redis_server.port) as proxy:
        await links.open(proxy.url, ear)
        other = await links.open(redis_url)
        await until(lambda: bool(ear.open))
        await proxy.cut()
        await until(lambda: not ear.open)
        await other.call(("SET", "r:missed", 1))
        await proxy.restore()
        await until(lambda: bool(ear.open))
        await other.call(("SET", "r:heard", 1))
        await until(lambda: bool(ear.keys))

    assert ear.keys == [b"r:heard"]
    assert ear.events[:3] == ["connected", "disconnected", "connected"]


async def test_a_frozen_server_is_noticed_by_whoever_asks(
    own_redis: RedisServer, links: Links, ear: Ear
) -> None:
    """Silence ends the connection, so that the listener is told; back, it is told again."""
    link = await links.open(own_redis.url, ear, op_timeout=DEADLINE)
    await until(lambda: bool(ear.open))
    own_redis.pause()
    await asyncio.gather(link.call(("PING",)), return_exceptions=True)
    assert not ear.open
    own_redis.resume()
    await until(lambda: bool(ear.open))

    assert ear.events == ["connected", "disconnected", "connected"]


async def test_a_server_that_does_not_track_is_told_of(links: Links, ear: Ear) -> None:
    """A refused greeting costs nothing but the pushes: commands work."""

    async def answer(command: list[bytes]) -> bytes:
        if command[0] == b"CLIENT" and command[1] == b"TRACKING":
            return b"-ERR unknown subcommand 'TRACKING'\r\n"
        return b"+OK\r\n" if command[0] == b"CLIENT" else b"+PONG\r\n"

    welcome = b"%1\r\n$5\r\nproto\r\n:3\r\n"

    async def greets(command: list[bytes]) -> bytes:
        return welcome if command[0] == b"HELLO" else await answer(command)

    async with ScriptedServer(greets, greets=False) as server:
        link = await links.open(server.url, ear)
        assert await link.call(("PING",)) == [b"PONG"]

    assert ear.events == ["refused"]
    assert "unknown subcommand" in str(ear.heard[0][2])


async def test_a_server_without_resp3_pushes_nothing_and_says_so(links: Links, ear: Ear) -> None:
    """In RESP2 a push would look like a reply: the greeting is not even sent."""

    async def old(command: list[bytes]) -> bytes:
        if command[0] == b"HELLO":
            return b"-ERR unknown command 'HELLO'\r\n"
        return b"+OK\r\n" if command[0] == b"CLIENT" else b"+PONG\r\n"

    async with ScriptedServer(old, greets=False) as server:
        link = await links.open(server.url, ear)
        assert await link.call(("PING",)) == [b"PONG"]
        assert [b"CLIENT", b"TRACKING"] not in [command[:2] for command in server.received]

    assert ear.events == ["refused"]


async def test_a_listener_that_fails_disturbs_nobody(
    redis_url: str, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    """Its exception is logged; replies in the same read reach their callers."""

    class Broken(Ear):
        def pushed(self, source: str, push: list[Any]) -> None:
            super().pushed(source, push)
            raise KeyError("bug")

    ear = Broken()
    link, other = await links.open(redis_url, ear), await links.open(redis_url)
    await until(lambda: bool(ear.open))
    with caplog.at_level(logging.ERROR, "asynccache"):
        await other.call(("SET", "r:a", 1))
        assert await link.call(("ECHO", "mine")) == [b"mine"]
        await until(lambda: bool(ear.keys))

    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_closing_tells_the_listener_and_connects_no_more(
    redis_server: RedisServer, redis_url: str, links: Links, ear: Ear
) -> None:
    """After the end nothing is kept up."""
    link = await links.open(redis_url, ear, client_name="closing")
    await until(lambda: bool(ear.open))
    await link.close()
    await asyncio.sleep(0.3)

    assert ear.events == ["connected", "disconnected"]
    assert redis_server.command("CLIENT", "LIST").count(b" name=closing ") == 0

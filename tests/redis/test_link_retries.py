"""Connections that die under a command: what is sent again, and what is not."""

from __future__ import annotations

import pytest

from asynccache.errors import Unavailable
from tests.redis.conftest import OpenLink
from tests.redis.outages import refused
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration


async def test_a_lost_connection_is_tried_again_once(open_link: OpenLink) -> None:
    """A connection that dies with the command on it: a new one carries the command."""
    seen: list[bytes] = []

    async def dies_once(command: list[bytes]) -> bytes | None:
        seen.append(command[1])
        return None if seen.count(b"second") == 1 and command[1] == b"second" else b"+fine\r\n"

    async with ScriptedServer(dies_once) as server:
        link = await open_link(server.url)
        await link.call(("ECHO", "first"))

        assert await link.call(("ECHO", "second")) == [b"fine"]
        assert seen == [b"first", b"second", b"second"]
        assert (link.unavailable, link.breaker.openings) == (0, 0)


async def test_what_must_not_happen_twice_is_not_sent_twice(open_link: OpenLink) -> None:
    """Nobody knows whether the server has counted; but Redis is not given up for that."""
    seen: list[bytes] = []

    async def dies(command: list[bytes]) -> bytes | None:
        seen.append(command[0])
        return None if command[0] == b"INCR" else b"+fine\r\n"

    async with ScriptedServer(dies) as server:
        link = await open_link(server.url)
        await link.call(("PING",))
        with pytest.raises(Unavailable):
            await link.call(("INCR", "n"), retry=False)

        assert seen.count(b"INCR") == 1
        assert (link.unavailable, link.breaker.openings) == (1, 0)


async def test_a_call_that_was_answered_in_part_is_not_sent_again(open_link: OpenLink) -> None:
    """After the first reply it is known that the server was at work."""
    seen: list[bytes] = []

    async def dies(command: list[bytes]) -> bytes | None:
        seen.append(command[0])
        return None if command[0] == b"DIE" else b"+fine\r\n"

    async with ScriptedServer(dies) as server:
        link = await open_link(server.url)
        await link.call(("PING",))
        with pytest.raises(Unavailable):
            await link.call(("ECHO", 1), ("DIE",))

    assert seen == [b"PING", b"ECHO", b"DIE"]


async def test_a_refusal_is_not_asked_for_twice(open_link: OpenLink) -> None:
    """It is the server that has answered: another connection would hear the same."""

    async def loads(command: list[bytes]) -> bytes:
        return b"-LOADING Redis is loading\r\n" if command[0] == b"GET" else b"+PONG\r\n"

    async with ScriptedServer(loads) as server:
        link = await open_link(server.url)
        await link.call(("PING",))
        with pytest.raises(Unavailable, match="BusyLoadingError"):
            await link.call(("GET", "k"))

        assert server.received.count([b"GET", b"k"]) == 1


async def test_a_server_that_dies_with_a_command_is_given_up(open_link: OpenLink) -> None:
    """The connection in use is lost and a new one refused: that is an outage, at the first call."""

    async def dies(command: list[bytes]) -> bytes | None:
        if command[0] == b"DIE":
            server.refuse()
            return None
        return b"+PONG\r\n"

    async with ScriptedServer(dies) as server:
        link = await open_link(server.url)
        await link.call(("PING",))
        with pytest.raises(Unavailable):
            await link.call(("DIE",))

        assert link.breaker.state == "open"


async def test_a_server_that_ends_every_connection_is_given_up(open_link: OpenLink) -> None:
    """One new connection that dies is enough: there is no third attempt."""

    async def dies(command: list[bytes]) -> None:
        return None

    async with ScriptedServer(dies) as server:
        link = await open_link(server.url)
        await refused(link)

        assert link.breaker.state == "open"
        assert [command for command in server.received if command == [b"PING"]] == [[b"PING"]]

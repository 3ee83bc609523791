"""Servers that answer, but serve nobody or not us; and that passwords stay secret."""

from __future__ import annotations

import asyncio
import logging
import traceback

import pytest

from asynccache.errors import Unavailable
from tests.redis.conftest import OpenLink
from tests.redis.outages import DEADLINE, HEALED, costs_nothing, healed, refused
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "refusal",
    [
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-BUSY Redis is busy running a script. You can only call SCRIPT KILL\r\n",
        b"-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        b"-READONLY You can't write against a read only replica.\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
        b"-NOAUTH Authentication required.\r\n",
        b"-ERR max number of clients reached\r\n",
        b"#nonsense\x00\r\n",
    ],
)
async def test_a_server_that_serves_nobody_is_unavailable(
    open_link: OpenLink, refusal: bytes
) -> None:
    """Such a reply is no answer to a command; when it ends the server is in use again."""
    refuses = False

    async def answers(command: list[bytes]) -> bytes:
        return refusal if refuses else b"+PONG\r\n"

    async with ScriptedServer(answers) as server:
        link = await open_link(server.url)
        await link.call(("PING",))
        refuses = True
        await refused(link)
        assert link.breaker.openings == 1
        assert await costs_nothing(link)
        refuses = False

        assert await healed(link) < HEALED


async def test_a_wrong_password_is_told_once_and_never_shown(
    open_link: OpenLink, caplog: pytest.LogCaptureFixture
) -> None:
    """It is an outage like any other, which only the operator can end: one warning, no secret."""
    with RedisServer(password="right") as server:
        link = await open_link(server.url.replace("right", "hush-hush"), op_timeout=DEADLINE * 8)
        with caplog.at_level(logging.DEBUG, "asynccache"):
            with pytest.raises(Unavailable, match="AuthenticationError") as caught:
                await link.call(("PING",))
            await costs_nothing(link)
            await asyncio.sleep(0.5)  # a few probes, which are refused as well

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "AuthenticationError" in caplog.text
    shown = [*traceback.format_exception(caught.value), caplog.text, repr(link), link.last_error]
    assert "hush-hush" not in "".join(map(str, shown))


async def test_a_server_that_repeats_the_password_does_not_leak_it(
    open_link: OpenLink, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis names the arguments of a command that it does not know."""

    async def repeats(command: list[bytes]) -> bytes:
        return b"-ERR unknown command, with args beginning with: '%s'\r\n" % b"' '".join(command)

    async with ScriptedServer(repeats, greets=False) as server:
        link = await open_link(server.url, password="hush-hush")
        with pytest.raises(Unavailable) as caught:
            await link.call(("PING",))

    assert "***" in str(caught.value)
    shown = [*traceback.format_exception(caught.value), caplog.text, link.last_error]
    assert "hush-hush" not in "".join(map(str, shown))

"""Connections that are lost again and again while callers use the link."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from redis.asyncio.connection import AbstractConnection

from asynccache.redis.calls import Call
from asynccache.redis.connector import Connector
from asynccache.redis.link import Link
from asynccache.redis.multiplexer import Multiplexer
from asynccache.redis.wire import DirectWire, StreamWire

KINDS = (
    *(Link, Connector, Multiplexer, DirectWire, StreamWire, Call, AbstractConnection),
    *(asyncio.BaseTransport, asyncio.StreamReader, asyncio.StreamWriter),
    asyncio.Future,
)
"""What a connection that was lost must not leave behind. Timers are not among them: the loop keeps
some that were cancelled; one that was not keeps its connection too."""

CALLERS = 8

Lose = Callable[[], Awaitable[object]]
"""Breaks the connection of a link."""


async def reconnect(link: Link, lose: Lose, times: int) -> int:
    """Break a link's connection again and again, under load; return how many calls were answered.

    Each time there is a connection that has answered, and each caller is answered again before the
    next.

    Raises:
        Unavailable: A call failed: one whose connection was lost is sent once more.
    """
    answers = 0

    async def ask(name: str) -> None:
        nonlocal answers
        assert await link.call(("ECHO", name)) == [name.encode()]
        answers += 1

    async def all_ask(turn: int) -> None:
        async with asyncio.TaskGroup() as group:
            for caller in range(CALLERS):
                group.create_task(ask(f"{turn}-{caller}"))

    await all_ask(0)
    for turn in range(times):
        async with asyncio.TaskGroup() as group:
            group.create_task(all_ask(turn))
            await asyncio.sleep(0)  # the calls leave
            await lose()
        await all_ask(turn)
    return answers

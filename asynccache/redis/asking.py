"""Asking over one connection that nobody else uses yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from asynccache.redis.calls import Call
from asynccache.redis.multiplexer import Multiplexer
from asynccache.redis.packing import pack
from asynccache.redis.transport import Command


async def ask(multiplexer: Multiplexer, commands: Sequence[Command]) -> list[Any]:
    """Send a few commands once, and return their replies.

    Raises:
        Exception: The connection was lost.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[list[Any]] = loop.create_future()
    (packed,) = pack(commands)
    multiplexer.submit(Call(packed.data, packed.wanted, False, loop.time(), future))
    return await future

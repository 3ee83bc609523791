"""What an outage may cost, and how to measure it.

Limits marked "promised" are twice the documented figure, for machines that are busy.
"""

from __future__ import annotations

import asyncio
import time

import pytest

from asynccache.errors import Unavailable
from asynccache.redis.link import Link

DEADLINE = 0.25
FIRST_CALL = 2 * 0.3  # promised: an outage adds at most 0.3 s, once
HEALED = 2 * 1.0  # promised: in use again within a second of its return


async def refused(link: Link) -> float:
    """Make a call that must be unavailable and return the seconds that it took."""
    start = time.monotonic()
    with pytest.raises(Unavailable):
        await link.call(("PING",))
    return time.monotonic() - start


async def healed(link: Link) -> float:
    """Wait until calls are answered again and return the seconds that it took."""
    start = time.monotonic()
    async with asyncio.timeout(20):
        while True:
            try:
                assert await link.call(("PING",)) == [b"PONG"]
            except Unavailable:
                await asyncio.sleep(0.01)
            else:
                return time.monotonic() - start


async def costs_nothing(link: Link) -> bool:
    """Tell whether 200 calls fail without waiting for anything."""
    start = time.monotonic()
    for _ in range(200):
        await refused(link)
    return time.monotonic() - start < 1

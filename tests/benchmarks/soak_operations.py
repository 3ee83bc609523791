"""Everything that callers do with a link, mixed: each reply is checked, none may be another's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import cycle
from random import Random
from typing import TypeAlias

from asynccache.redis.link import Link
from asynccache.redis.scripts import Script, run

KEYS = [f"soak:{number}" for number in range(1_000)]
VALUES = {
    key: key.encode().ljust(2_000 if number % 10 == 0 else 100, b".")
    for number, key in enumerate(KEYS)
}
"""A key has the same value for ever, so that every GET tells whose reply it got."""

ECHO = Script("return {redis.call('GET', KEYS[1]), ARGV[1]}")

Operation: TypeAlias = Callable[[Link, str, int], Awaitable[None]]
"""Does something with a key, and checks the replies; the number is different each time."""


async def get(link: Link, key: str, number: int) -> None:
    """Read."""
    assert await link.call(("GET", key)) == [VALUES[key]]


async def set_(link: Link, key: str, number: int) -> None:
    """Write."""
    assert await link.call(("SET", key, VALUES[key], "PX", 3_600_000)) == [b"OK"]


async def script(link: Link, key: str, number: int) -> None:
    """Run a script."""
    assert await run(link, (ECHO, [key], [number])) == [[VALUES[key], b"%d" % number]]


async def batch(link: Link, key: str, number: int) -> None:
    """Send several commands together, one of which is refused."""
    first, error, last = await link.call(("GET", key), ("INCR", key), ("ECHO", number))
    assert (first, last) == (VALUES[key], b"%d" % number)
    assert isinstance(error, Exception)


async def leave(link: Link, key: str, number: int) -> None:
    """Ask, and be gone before the answer: unsent, sent, or perhaps answered."""
    caller = asyncio.ensure_future(link.call(("GET", key)))
    for _ in range(number % 5):
        await asyncio.sleep(0)
    caller.cancel()
    await asyncio.wait((caller,))


MIX: dict[Operation, int] = {get: 70, set_: 15, script: 8, batch: 4, leave: 3}
"""How often each is done, of 100 times."""


async def prepare(link: Link) -> None:
    """Write every value."""
    await link.call(*(("SET", key, value) for key, value in VALUES.items()))


async def carry_out(link: Link, numbers: Iterator[int], callers: int) -> None:
    """Do as many operations as there are numbers, by so many callers at a time."""
    shuffled = [operation for operation, share in MIX.items() for _ in range(share)]
    Random(3).shuffle(shuffled)
    operations, keys = cycle(shuffled), cycle(KEYS)

    async def caller() -> None:
        for number in numbers:
            await next(operations)(link, next(keys), number)

    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())

"""Whether memory stays flat over millions of operations; run with ``nox -s soak``.

And whether anything is left of connections that were lost. Exits with 1 if so. It takes three
minutes, needs Linux, and starts a server of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

from redis.asyncio import Redis
from rich.console import Console
from rich.table import Table

from asynccache.redis.link import Link
from asynccache.redis.settings import RedisSettings
from tests.benchmarks.soak_operations import carry_out, prepare
from tests.support.fault_proxy import FaultProxy
from tests.support.footprint import holdings, resident_bytes
from tests.support.reconnecting import KINDS, Lose, reconnect
from tests.support.redis_server import RedisServer

WARM_UP = 10  # one part in so many: pools of the allocator and of the interpreter fill
MOST_GROWTH = 2.0  # MB after that: a fifth of a byte for each of ten million operations
SAMPLES = 20
RESETS = 5  # one reconnect in so many is for a reset on the way, the others are the server's


@asynccontextmanager
async def open_link(url: str) -> AsyncIterator[Link]:
    """Open a link that is patient with a busy machine."""
    link = Link(replace(RedisSettings.from_url(url), op_timeout=10.0, connect_timeout=10.0))
    await link.start()
    yield link
    await link.close()


async def memory(url: str, operations: int, callers: int) -> dict[int, float]:
    """Return the memory of this process in MB before, during and after the operations."""
    sizes: dict[int, float] = {}
    every = max(operations // SAMPLES, 1)

    def numbers() -> Iterator[int]:
        for number in range(operations):
            if number % every == 0:
                sizes[number] = resident_bytes() / 1e6
            yield number

    async with open_link(url) as link:
        await prepare(link)
        await carry_out(link, numbers(), callers)
        sizes[operations] = resident_bytes() / 1e6
    return sizes


async def leftovers(server: RedisServer, reconnects: int) -> dict[str, Counter[str]]:
    """Return what is held more than before, after so many lost connections of each kind."""
    resets = reconnects // RESETS
    async with (
        Redis.from_url(server.url) as admin,
        FaultProxy(server.port) as proxy,
        open_link(server.url) as direct,
    ):

        async def kill() -> None:
            assert await admin.client_kill_filter(_type="normal") == 1

        found = {"killed by the server": await _more(direct, kill, reconnects - resets)}
        await direct.close()
        async with open_link(proxy.url) as proxied:
            found["reset on the way"] = await _more(proxied, proxy.reset, resets)
    return found


async def _more(link: Link, lose: Lose, times: int) -> Counter[str]:
    await reconnect(link, lose, 10)
    before = await holdings(KINDS)
    await reconnect(link, lose, times)
    return (await holdings(KINDS)) - before


def show(sizes: dict[int, float], seconds: float, found: dict[str, Counter[str]]) -> None:
    """Print both tables."""
    console = Console()
    operations = max(sizes)
    each = seconds / operations * 1e6
    table = Table("operations", title=f"memory of the process; {each:.1f} us for an operation")
    table.add_column("MB", justify="right")
    for done, size in sizes.items():
        table.add_row(f"{done:,}", f"{size:.1f}")
    console.print(table)

    table = Table("connections", "held more than before", title="lost connections")
    for name, more in found.items():
        table.add_row(name, ", ".join(f"{number} {kind}" for kind, number in more.items()) or "-")
    console.print(table)


def faults(sizes: dict[int, float], found: dict[str, Counter[str]]) -> list[str]:
    """Return a sentence for each thing that grows."""
    operations = max(sizes)
    warm = next(size for done, size in sizes.items() if done * WARM_UP >= operations)
    growth = sizes[operations] - warm
    broken = [f"{name}: {dict(more)} are left" for name, more in found.items() if more]
    if growth > MOST_GROWTH:
        broken.append(f"{growth:.1f} MB more than after the warm-up, not {MOST_GROWTH}")
    return broken


def main() -> None:
    """Run both, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=10_000_000)
    parser.add_argument("--callers", type=int, default=300, help="at a time")
    parser.add_argument("--reconnects", type=int, default=1_000)
    options = parser.parse_args()

    with RedisServer() as server:
        start = time.perf_counter()
        sizes = asyncio.run(memory(server.url, options.operations, options.callers))
        seconds = time.perf_counter() - start
        found = asyncio.run(leftovers(server, options.reconnects))
    show(sizes, seconds, found)
    broken = faults(sizes, found)
    print(*broken or ["nothing grows"], sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()

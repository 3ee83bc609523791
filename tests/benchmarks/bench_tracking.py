"""What it costs that Redis pushes every change: run with ``nox -s bench_tracking``.

A cache loads values, others listen. How much of the server's CPU does one fill take, and how many
bytes leave it, when the others hear of invalidations alone, and when they hear of every change?
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median
from typing import NamedTuple

from redis import Redis

from asynccache import Cache
from tests.support.redis_server import RedisServer
from tests.support.waiting import until

LISTENERS = (0, 10, 50)
WAYS = ("messages", "and pushes")
WARM = 50
FILLS = 2_000
ROUNDS = 7
VALUE = "v" * 100


class Cost(NamedTuple):
    """What one fill takes.

    Attributes:
        server: Microseconds of the server's CPU.
        sent: Bytes that it has sent.
    """

    server: float
    sent: float


class Listener(asyncio.Protocol):
    """Listens like a bus, and does nothing with what it hears.

    Args:
        way: One of `WAYS`.
        namespace: Of the cache.
    """

    def __init__(self, way: str, namespace: str) -> None:
        self._way = way
        self._namespace = namespace
        self._asked = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(b"CLIENT ID\r\n")

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        if self._asked:
            return
        self._asked = True
        commands = [f"SUBSCRIBE {self._namespace}:bus"]
        if self._way == WAYS[1]:
            number, prefix = int(data[1:]), f"{self._namespace}:r:"
            commands = [
                f"CLIENT TRACKING ON REDIRECT {number} BCAST PREFIX {prefix}",
                *(*commands, "SUBSCRIBE __redis__:invalidate"),
            ]
        self.transport.write("\r\n".join([*commands, ""]).encode())


@asynccontextmanager
async def listening(port: int, way: str, count: int) -> AsyncIterator[Cache]:
    """Start a cache, and so many that listen."""
    namespace = "bench"
    url = f"redis://127.0.0.1:{port}/0?tracking={way == WAYS[1]}&op_timeout=10"
    async with AsyncExitStack() as stack:
        cache = await stack.enter_async_context(Cache(url, namespace=namespace))
        await until(lambda: cache.statistics().bus == "open")
        loop = asyncio.get_running_loop()
        for _ in range(count):
            transport, _ = await loop.create_connection(
                lambda: Listener(way, namespace), "127.0.0.1", port
            )
            stack.callback(transport.abort)
        await asyncio.sleep(0.1)
        yield cache


async def fill(cache: Cache, names: Sequence[str], callers: int) -> None:
    """Load some values that are nowhere, by several callers."""

    async def load() -> str:
        return VALUE

    async def caller(share: Sequence[str]) -> None:
        for name in share:
            await cache.get_or_load(name, load)

    await asyncio.gather(*(caller(names[start::callers]) for start in range(callers)))


async def cost_per_fill(redis: Redis, port: int, way: str, listeners: int, callers: int) -> Cost:
    """Measure once."""
    redis.flushall()
    async with listening(port, way, listeners) as cache:
        await fill(cache, [f"warm:{n}" for n in range(WARM)], callers)
        before = usage(redis)
        await fill(cache, [f"{n}" for n in range(FILLS)], callers)
        await asyncio.sleep(0.05)  # for what is looked into afterwards
        after = usage(redis)
        assert cache.statistics().l1_entries == FILLS + WARM
    return Cost(*((b - a) / FILLS for a, b in zip(before, after, strict=True)))


def usage(redis: Redis) -> Cost:
    """Return what a server has used so far: microseconds, and bytes."""
    told = redis.info("everything")
    cpu = told["used_cpu_user"] + told["used_cpu_sys"]
    return Cost(cpu * 1e6, told["total_net_output_bytes"])


async def cost_of_hearing(redis: Redis, port: int) -> float:
    """Return the microseconds of this thread's CPU that it takes to hear of one change."""
    async with listening(port, WAYS[1], 0) as cache:
        names = [f"bench:r:{{{n}}}" for n in range(FILLS)]
        costs = []
        for _ in range(ROUNDS):
            goal = cache.statistics().pushes_received + FILLS
            for name in names:
                redis.set(name, VALUE)
            start = time.thread_time_ns()
            await until(lambda goal=goal: cache.statistics().pushes_received >= goal)  # type: ignore[misc]
            costs.append((time.thread_time_ns() - start) / FILLS / 1_000)
        return median(costs)


def show(costs: dict[tuple[str, int], list[Cost]], hearing: float) -> None:
    """Print the medians, and the ratio of what was measured side by side."""
    print("listeners         way  server us/fill  ratio  bytes/fill")
    for count in LISTENERS:
        base = costs[WAYS[0], count]
        for way in WAYS:
            own = costs[way, count]
            ratio = median(a.server / b.server for a, b in zip(own, base, strict=True))
            server, sent = (median(each) for each in zip(*own, strict=True))
            print(f"{count:9}  {way:>10}  {server:14.1f}  {ratio:5.2f}  {sent:10.0f}")
    print(f"a process that hears of a change spends {hearing:.1f} us on it")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--callers", type=int, default=50, help="how many load at once")
    options = parser.parse_args()
    costs: dict[tuple[str, int], list[Cost]] = {
        (way, count): [] for way in WAYS for count in LISTENERS
    }
    with RedisServer() as server, Redis.from_url(server.url) as redis, asyncio.Runner() as runner:
        for _ in range(options.rounds):
            for (way, count), found in costs.items():
                run = cost_per_fill(redis, server.port, way, count, options.callers)
                found.append(runner.run(run))
        hearing = runner.run(cost_of_hearing(redis, server.port))
    show(costs, hearing)


if __name__ == "__main__":
    main()

"""What a value from Redis costs, beside other clients; run with ``nox -s bench_redis``.

Exits with 1 when a budget is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from redis import Redis

from tests.benchmarks.redis_ceiling import gets_per_second
from tests.benchmarks.redis_clients import BASE, LINK, Get, open_clients, whole_cache
from tests.benchmarks.redis_latency import behind_large_values, single_caller
from tests.benchmarks.redis_load import Rounds, cost_per_get
from tests.benchmarks.redis_tables import HIT, Results, progress, show
from tests.support.redis_server import RedisServer

CALLERS = (1, 10, 100, 1_000)
SMALL, LARGE = 100, 2_000
SIZES = (SMALL, LARGE)
HUGE = 5_000_000
KEYS = 1_000  # more than there are callers at a time: each asks for another one

CPU_BUDGET = 1 / 10  # of redis.asyncio's, at 100 callers and 100 B
WAIT_BUDGET = 1.1  # times redis.asyncio's, for a single caller

FULL = Rounds(number=20, seconds=0.1)
QUICK = Rounds(number=6, seconds=0.05)
REPEATS = 3  # of what takes a second by itself


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop] | None]:
    """Return how to make each kind of event loop that there is."""
    found: dict[str, Callable[[], asyncio.AbstractEventLoop] | None] = {"asyncio": None}
    if find_spec("uvloop"):
        uvloop: Any = import_module("uvloop")
        found["uvloop"] = uvloop.new_event_loop
    return found


def key(size: int, number: int = 0) -> str:
    """Return the name of a key with a value of so many bytes."""
    return f"bench-redis:{size}:{number}"


def fill(redis: Redis) -> list[str]:
    """Write the values, and return the names of the keys."""
    for size in SIZES:
        redis.mset({key(size, number): b"v" * size for number in range(KEYS)})
    redis.set(key(HUGE), b"v" * HUGE)
    return [key(HUGE), *(key(size, number) for size in SIZES for number in range(KEYS))]


async def measure(loop: str, url: str, rounds: Rounds, results: Results) -> None:
    """Measure everything that runs in one event loop."""
    async with AsyncExitStack() as stack:
        clients = await open_clients(stack, url)
        for size in SIZES:
            keys = [key(size, number) for number in range(KEYS)]
            for callers in CALLERS:
                progress(f"{loop}, {size} B, callers: {callers}")
                costs = await cost_per_get(clients, keys, callers, rounds)
                results.costs[loop, size, callers] = costs
        results.clients = list(clients)

        progress(f"{loop}, single caller")
        both: dict[str, Get] = {name: get for name in (LINK, BASE) if (get := clients[name])}
        results.single[loop] = await single_caller(both, key(SMALL), rounds.number * 2)
        if loop == "asyncio":
            progress("large values on the same link")
            seconds = rounds.seconds * 10
            results.behind = await behind_large_values(
                both, key(SMALL), key(HUGE), REPEATS, seconds
            )

        progress(f"{loop}, through a whole cache")
        keys = [key(SMALL, number) for number in range(KEYS)]
        hit = await stack.enter_async_context(whole_cache(url, "v" * SMALL, keys))
        results.cache[loop] = await cost_per_get({HIT: hit, **both}, keys, 100, rounds)


def broken_budgets(results: Results) -> list[str]:
    """Return a sentence for each budget that is broken."""
    broken = []
    for loop, waits in results.single.items():
        costs = results.costs[loop, SMALL, 100]
        share = costs[LINK].cpu / costs[BASE].cpu
        if share > CPU_BUDGET:
            broken.append(f"{loop}: a GET costs {share:.3f} times redis.asyncio's CPU, not 1/10")
        times = waits[LINK] / waits[BASE]
        if times > WAIT_BUDGET:
            broken.append(f"{loop}: a single caller waits {times:.2f} times as long, not 1.1")
    return broken


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", help="a server; without it one is started on this machine")
    parser.add_argument("--quick", action="store_true", help="a minute, and less steady")
    options = parser.parse_args()
    rounds = QUICK if options.quick else FULL

    results = Results()
    with ExitStack() as stack:
        url = options.url or stack.enter_context(RedisServer()).url
        redis = stack.enter_context(Redis.from_url(url))
        results.server = redis.info("server")
        names = fill(redis)
        stack.callback(redis.delete, *names)
        for loop, factory in loops().items():
            with asyncio.Runner(loop_factory=factory) as runner:
                runner.run(measure(loop, url, rounds, results))
        progress("the server's own limit")
        results.ceiling = gets_per_second(url, SMALL, 1 if options.quick else REPEATS)
    show(results)
    broken = broken_budgets(results)
    print(*broken or ["all budgets are kept"], sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()

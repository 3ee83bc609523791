"""What a hit in memory costs, and what joining a load does; run with ``nox -s bench_l1``.

Exits with 1 when a budget is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys

from rich.console import Console
from rich.table import Table

from asynccache import Cache, Policy
from tests.benchmarks.hits import (
    asynccache_hits,
    bare,
    decoding,
    load_record,
    load_scalar,
    other_caches,
)
from tests.benchmarks.joins import CALLERS, time_per_caller
from tests.benchmarks.timing import time_per_call

HIT_BUDGET = 2.5  # times a bare coroutine around dict.get
RECORD_BUDGET = 1_000.0  # ns above what the codec takes to decode the same record
JOIN_BUDGET = 10_000.0  # ns for each of the callers of one cold key

BARE = "a coroutine around dict.get"
SCALAR = "asynccache, get_or_load: a str"
SHARED = "asynccache, get_or_load: a dict, share=True"
ISOLATED = "asynccache, get_or_load: a dict, isolated"
DECODE = "  of which its codec's decode"
JOIN = "asynccache, get_or_load"


async def measure_hits(url: str, rounds: int) -> dict[str, float]:
    """Return each candidate's CPU time per hit in ns."""
    async with (
        Cache(url, namespace="bench-scalar") as scalars,
        Cache(url, namespace="bench-shared", policy=Policy(share=True)) as shared,
        Cache(url, namespace="bench-isolated") as isolated,
    ):
        bursts = {
            BARE: bare,
            SCALAR: asynccache_hits(scalars, load_scalar),
            SHARED: asynccache_hits(shared, load_record),
            ISOLATED: asynccache_hits(isolated, load_record),
            DECODE: decoding(isolated),
            **other_caches(),
        }
        return await time_per_call(bursts, rounds)


async def measure_joins(url: str, rounds: int) -> dict[str, tuple[float, int]]:
    """Return each candidate's CPU time per caller in ns, and how often a key was loaded."""
    async with Cache(url, namespace="bench-joins") as cache:
        await cache.clear()  # an earlier run may have left its keys in Redis
        return await time_per_caller(cache, rounds)


def show(hits: dict[str, float], joins: dict[str, tuple[float, int]]) -> None:
    """Print both tables."""
    console = Console()
    table = Table("a hit in memory", title=f"Python {platform.python_version()}")
    table.add_column("ns", justify="right")
    table.add_column("times bare", justify="right")
    for name, time in hits.items():
        table.add_row(name, f"{time:.0f}", f"{time / hits[BARE]:.2f}")
    console.print(table)

    table = Table(f"{CALLERS:,} concurrent callers of one cold key")
    table.add_column("us each", justify="right")
    table.add_column("loads", justify="right")
    for name, (time, loads) in joins.items():
        table.add_row(name, f"{time / 1_000:.1f}", f"{loads:,}")
    console.print(table)


def broken_budgets(hits: dict[str, float], joins: dict[str, tuple[float, int]]) -> list[str]:
    """Return a sentence for each budget that is broken."""
    broken = [
        f"{name} costs {hits[name] / hits[BARE]:.2f} times a bare coroutine, not {HIT_BUDGET}"
        for name in (SCALAR, SHARED)
        if hits[name] > HIT_BUDGET * hits[BARE]
    ]
    above = hits[ISOLATED] - hits[DECODE]
    if above > RECORD_BUDGET:
        broken.append(f"an isolated record costs {above:.0f} ns above its decode")
    each, loads = joins[JOIN]
    if each > JOIN_BUDGET or loads != 1:
        broken.append(f"joining costs {each / 1_000:.1f} us each, {loads} loads")
    return broken


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="memory://", help="a Redis server adds the second level")
    parser.add_argument("--rounds", type=int, default=1_000, help="bursts of each candidate")
    options = parser.parse_args()

    hits = asyncio.run(measure_hits(options.url, options.rounds))
    joins = asyncio.run(measure_joins(options.url, max(options.rounds // 50, 2)))
    show(hits, joins)
    broken = broken_budgets(hits, joins)
    print(*broken or ["all budgets are kept"], sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()

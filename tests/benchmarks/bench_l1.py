"""What the first level costs, and how much it finds; run with ``nox -s bench_l1``.

Exits with 1 when a budget or a floor is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from asynccache import Cache, Policy
from tests.benchmarks import garbage, ratios, worst
from tests.benchmarks.hits import (
    asynccache_gets,
    asynccache_hits,
    asynccache_peeks,
    bare,
    decoding,
    load_record,
    load_scalar,
    other_caches,
)
from tests.benchmarks.joins import CALLERS, time_per_caller
from tests.benchmarks.requests import MOST_REQUESTS, generated, traces
from tests.benchmarks.timing import time_per_call

HIT_GOAL = 2.0  # times a bare coroutine around dict.get
HIT_BUDGET = 2.5
RECORD_BUDGET = 1_000.0  # ns above what the codec takes to decode the same record
JOIN_BUDGET = 10_000.0  # ns for each of the callers of one cold key
FROZEN_BUDGET = 1.0  # ms of a full collection after gc.freeze() and some churn, encoded values
DELETE_BUDGET = 10.0  # us
CLEAR_BUDGET = 1.0  # ms
SLICE_BUDGET = 1.0  # ms

BARE = "a coroutine around dict.get"
SCALAR = "asynccache, get_or_load: a str"
SHARED = "asynccache, get_or_load: a dict, share=True"
ISOLATED = "asynccache, get_or_load: a dict, isolated"
DECODE = "  of which its codec's decode"
JOIN = "asynccache, get_or_load"
ENCODED = "asynccache, encoded"

console = Console(width=max(Console().width, 110))


async def measure_hits(url: str, rounds: int) -> dict[str, float | None]:
    """Return each candidate's CPU time per hit in ns; None: it is not installed."""
    async with (
        Cache(url, namespace="bench-scalar") as scalars,
        Cache(url, namespace="bench-shared", policy=Policy(share=True)) as shared,
        Cache(url, namespace="bench-isolated") as isolated,
    ):
        others = other_caches()
        bursts = {
            BARE: bare,
            SCALAR: asynccache_hits(scalars, load_scalar),
            SHARED: asynccache_hits(shared, load_record),
            ISOLATED: asynccache_hits(isolated, load_record),
            DECODE: decoding(isolated),
            "asynccache, get: a str": asynccache_gets(scalars),
            "asynccache, peek: a str": asynccache_peeks(scalars),
            **{name: burst for name, burst in others.items() if burst is not None},
        }
        measured = await time_per_call(bursts, rounds)
        return {**measured, **{name: None for name, burst in others.items() if burst is None}}


async def measure_joins(url: str, rounds: int) -> dict[str, tuple[float, int]]:
    """Return each candidate's CPU time per caller in ns, and how often a key was loaded."""
    async with Cache(url, namespace="bench-joins") as cache:
        await cache.clear()  # an earlier run may have left its keys in Redis
        return await time_per_caller(cache, rounds)


def judge_hits(hits: Mapping[str, float | None]) -> list[str]:
    """Print the hits; return a sentence for each budget that is broken."""
    known = {name: time for name, time in hits.items() if time is not None}
    table = Table("a hit in memory", title=f"Python {platform.python_version()}")
    table.add_column("ns", justify="right")
    table.add_column("times bare", justify="right")
    for name, time in hits.items():
        if time is None:
            table.add_row(name, "not installed", "")
        else:
            table.add_row(name, f"{time:.0f}", f"{time / known[BARE]:.2f}")
    console.print(table)
    console.print(f"goal {HIT_GOAL} times bare, budget {HIT_BUDGET}")
    broken = [
        f"{name} costs {known[name] / known[BARE]:.2f} times a bare coroutine, not {HIT_BUDGET}"
        for name in (SCALAR, SHARED)
        if known[name] > HIT_BUDGET * known[BARE]
    ]
    above = known[ISOLATED] - known[DECODE]
    if above > RECORD_BUDGET:
        broken.append(f"an isolated record costs {above:.0f} ns above its decode")
    return broken


def judge_joins(joins: Mapping[str, tuple[float, int]]) -> list[str]:
    """Print the joins; return a sentence for a budget that is broken."""
    table = Table(f"{CALLERS:,} concurrent callers of one cold key")
    table.add_column("us each", justify="right")
    table.add_column("loads", justify="right")
    for name, (time, loads) in joins.items():
        table.add_row(name, f"{time / 1_000:.1f}", f"{loads:,}")
    console.print(table)
    each, loads = joins[JOIN]
    if each > JOIN_BUDGET or loads != 1:
        return [f"joining costs {each / 1_000:.1f} us each, {loads} loads"]
    return []


def judge_ratios(measured: list[ratios.Ratios]) -> list[str]:
    """Print the hit ratios; return a sentence for each floor that is not held."""
    table = Table("hit ratio, %", title=f"the first {MOST_REQUESTS:,} requests at most")
    for column in ("entries", "ours", *ratios.OTHERS, "floor"):
        table.add_column(column, justify="right")
    broken = []
    for each in measured:
        others = ["-" if ratio is None else f"{ratio:.1f}" for ratio in each.others.values()]
        floor = "" if each.floor is None else f"{each.floor:.1f}"
        name = f"{each.name} {each.share:.0%}"
        table.add_row(name, f"{each.capacity:,}", f"{each.ours:.1f}", *others, floor)
        if each.floor is not None and each.ours < each.floor:
            broken.append(f"{name}: {each.ours:.2f} % found, not {each.floor} %")
    console.print(table)
    return broken


def judge_garbage(entries: int) -> list[str]:
    """Print memory and pauses; return a sentence for a budget that is broken."""
    table = Table(f"{entries:,} entries")
    for column in ("bytes each", "full GC, ms", "after 30 % churn", "after gc.freeze()"):
        table.add_column(column, justify="right")
    table.add_column("... and 30 % churn", justify="right")
    broken = []
    for name in garbage.CANDIDATES:
        figures = garbage.measure(name, entries)
        if figures is None:
            table.add_row(name, "not installed")
            continue
        size, *pauses = figures.values()
        table.add_row(name, f"{size:.0f}", *(f"{pause:.2f}" for pause in pauses))
        if name == ENCODED and pauses[-1] > FROZEN_BUDGET:
            broken.append(f"after gc.freeze() and churn a collection takes {pauses[-1]:.1f} ms")
    console.print(table)
    return broken


def judge_worst(sizes: list[int]) -> list[str]:
    """Print what single operations cost; return a sentence for each budget that is broken."""
    table = Table("entries")
    columns = ("worst put, ms", "put that evicts, us", "delete, us", "clear, ms", "slice p99, ms")
    for column in columns:
        table.add_column(column, justify="right")
    broken = []
    for size in sizes:
        costs = worst.measure(size)
        table.add_row(
            f"{size:,}",
            f"{costs.worst_put:.2f}",
            f"{costs.mean_eviction:.1f}",
            f"{costs.mean_delete:.1f}",
            f"{costs.clear:.2f}",
            f"{costs.slices:.2f}",
        )
        for what, is_broken in (
            ("a delete", costs.mean_delete > DELETE_BUDGET),
            ("clear", costs.clear > CLEAR_BUDGET),
            ("a slice of the janitor's", costs.slices > SLICE_BUDGET),
        ):
            if is_broken:
                broken.append(f"{what} takes too long with {size:,} entries: {costs}")
    console.print(table)
    return broken


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="memory://", help="a Redis server adds the second level")
    parser.add_argument("--rounds", type=int, default=1_000, help="bursts of each candidate")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, requests and entries")
    parser.add_argument(
        "--traces", type=Path, nargs="+", help="gzipped traces, or directories of them"
    )
    options = parser.parse_args()
    rounds = min(options.rounds, 150) if options.quick else options.rounds
    large = 200_000 if options.quick else 1_000_000

    broken = judge_hits(asyncio.run(measure_hits(options.url, rounds)))
    broken += judge_joins(asyncio.run(measure_joins(options.url, max(rounds // 50, 2))))
    requests = traces(options.traces) if options.traces else generated(MOST_REQUESTS)
    if options.quick:
        requests = ((name, some[: MOST_REQUESTS // 5]) for name, some in requests)
        console.print("quick: the floors are for more requests, and are not checked")
        judge_ratios(ratios.measure(requests))
    else:
        broken += judge_ratios(ratios.measure(requests))
    broken += judge_garbage(large)
    broken += judge_worst([10_000, 100_000, *([] if options.quick else [large])])
    print(*broken or ["all budgets and floors are kept"], sep="\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()

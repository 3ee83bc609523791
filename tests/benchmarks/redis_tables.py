"""What was measured, and the tables that show it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.redis_clients import BASE, LINK
from tests.benchmarks.redis_latency import PAUSE, READERS, Waits
from tests.benchmarks.redis_load import Cost

HIT = "a hit through a whole Cache"

PACKAGES = ("redis", "hiredis", "coredis", "valkey-glide", "uvloop")


@dataclass
class Results:
    """What one run has measured, by event loop, bytes of a value, and number of callers."""

    server: dict[str, Any] = field(default_factory=dict)
    clients: list[str] = field(default_factory=list)
    costs: dict[tuple[str, int, int], dict[str, Cost]] = field(default_factory=dict)
    cache: dict[str, dict[str, Cost]] = field(default_factory=dict)
    single: dict[str, dict[str, float]] = field(default_factory=dict)
    behind: dict[str, tuple[Waits, Waits]] = field(default_factory=dict)
    ceiling: dict[int, float] | None = None


def progress(what: str) -> None:
    """Say what is being measured. A display that moves would itself take CPU time."""
    print(f"... {what}", file=sys.stderr)


def show(results: Results) -> None:
    """Print everything."""
    # A file or a CI log has no width of its own.
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(_surroundings(results))
    title = "client CPU per GET, us (how many times less than redis.asyncio)"
    console.print(_costs(title, results, _cpu))
    console.print(_costs("GETs per second", results, lambda cost, _: f"{cost.rate:,.0f}"))
    for table in (_cache(results), _single(results), _behind(results), _ceiling(results)):
        console.print(table)


def _surroundings(results: Results) -> str:
    versions = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            versions.append(f"{package} not installed")
    info = results.server
    name = info.get("server_name", "redis")
    versions.append(f"server {name} {info.get('valkey_version', info.get('redis_version'))}")
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{', '.join(versions)}; {os.cpu_count()} cores, load average {load}"


def _cpu(cost: Cost, base: Cost) -> str:
    return f"{cost.cpu:.1f} ({base.cpu / cost.cpu:.1f})"


def _costs(title: str, results: Results, text: Callable[[Cost, Cost], str]) -> Table:
    table = Table("loop, value", "client", title=title)
    callers = sorted({callers for _, _, callers in results.costs})
    for number in callers:
        table.add_column(f"{number:,} caller{'s' * (number > 1)}", justify="right")
    for loop, size in dict.fromkeys((loop, size) for loop, size, _ in results.costs):
        rows = [results.costs[loop, size, number] for number in callers]
        for client in results.clients:
            cells = [text(row[client], row[BASE]) if client in row else "" for row in rows]
            if client not in rows[0]:
                cells[0] = "not installed"
            table.add_row(f"{loop}, {size:,} B", client, *cells)
        table.add_section()
    return table


def _cache(results: Results) -> Table:
    table = Table("loop", title="100 B, 100 callers: CPU, us (per second)")
    for name in (HIT, f"a GET of {LINK}", f"a GET of {BASE}"):
        table.add_column(name, justify="right")
    for loop, costs in results.cache.items():
        table.add_row(loop, *(f"{cost.cpu:.1f} ({cost.rate:,.0f})" for cost in costs.values()))
    return table


def _single(results: Results) -> Table:
    table = Table("loop", title="a single caller's GET of 100 B, median, us")
    for name in (LINK, BASE, "times"):
        table.add_column(name, justify="right")
    for loop, waits in results.single.items():
        ours, base = waits[LINK], waits[BASE]
        table.add_row(loop, f"{ours:.0f}", f"{base:.0f}", f"{ours / base:.2f}")
    return table


def _behind(results: Results) -> Table:
    pause = f"{PAUSE * 1_000:.0f} ms"
    table = Table("client", title=f"{READERS} callers, a GET of 100 B each {pause}, ms")
    for name in ("alone: median", "p99", "with 5 MB GETs: median", "p99 ", "5 MB GETs per second"):
        table.add_column(name, justify="right")
    for client, (alone, among) in results.behind.items():
        waits = (alone.median, alone.p99, among.median, among.p99)
        table.add_row(client, *(f"{wait:.2f}" for wait in waits), f"{among.large:.0f}")
    return table


def _ceiling(results: Results) -> Table:
    table = Table("commands in one write", title="the server's limit: redis-benchmark, 50 clients")
    table.add_column("GETs per second", justify="right")
    if results.ceiling is None:
        table.add_row("redis-benchmark", "not there")
    for commands, rate in (results.ceiling or {}).items():
        table.add_row(str(commands), f"{rate:,.0f}")
    return table

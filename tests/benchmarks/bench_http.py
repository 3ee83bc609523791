"""What a response out of the output cache costs; run with ``nox -s bench_http``.

In process, the CPU time of a whole ASGI call. Through uvicorn under wrk, requests a second. Exits
with 1 when a budget is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from asynccache import Cache
from tests.benchmarks import http_apps, http_wire
from tests.benchmarks.http_apps import PATH, App
from tests.benchmarks.timing import Burst, time_per_call

ROUTE_SHARE = 1 / 3
"""Of an uncached, trivial Starlette route: what a hit may cost."""

WIRE_SHARE = 0.8
"""Of the requests a second of an application that sends the same bytes: what a hit has to reach."""

STORED = "two stored messages, sent"
ROUTE = "a Starlette route, uncached"
OURS = "asynccache: a hit"

BROWSER = [
    *((b"host", b"shop.test"), (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101")),
    *((b"accept", b"text/html,application/json;q=0.9,*/*;q=0.8"), (b"connection", b"keep-alive")),
    *((b"accept-language", b"en-US,en;q=0.5"), (b"accept-encoding", b"gzip, deflate, br, zstd")),
    *((b"cookie", b"theme=dark; visitor=1234567890"), (b"referer", b"http://shop.test/")),
]

console = Console(width=max(Console().width, 100))


def scope(path: str = PATH, *more: tuple[bytes, bytes], query: bytes = b"") -> dict[str, Any]:
    """Return the scope of a browser's request."""
    return {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [*BROWSER, *more],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 50_000),
        "extensions": {},
    }


async def receive() -> dict[str, Any]:
    """Return the content of a GET."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    """Take a message."""


def calling(
    app: App, path: str = PATH, *more: tuple[bytes, bytes], query: bytes = b"", fresh: bool = False
) -> Burst:
    """Return what asks an application for a page.

    Args:
        app: The application.
        path: The page.
        *more: Fields of the request.
        query: Its query.
        fresh: Another one each time.
    """
    number = 0
    template = scope(path, *more, query=query)

    async def burst(calls: int) -> None:
        nonlocal number
        for _ in range(calls):
            asked = dict(template)  # a server makes one for each request
            if fresh:
                number += 1
                asked["query_string"] = b"n=%d" % number
            await app(asked, receive, send)

    return burst


async def measure(rounds: int) -> dict[str, float | None]:
    """Return the CPU time of one call of each candidate in ns; None: it is not installed."""
    async with AsyncExitStack() as stack:
        cached = await stack.enter_async_context(
            http_apps.running(http_apps.ours(Cache(max_entries=2_000)))
        )
        others: dict[str, App | None] = {}
        for name, app in http_apps.peers().items():
            others[name] = None
            if app is not None:
                others[name] = await stack.enter_async_context(http_apps.running(app))
        tag = (b"if-none-match", b'"v1"')
        bursts: dict[str, Burst] = {
            STORED: calling(http_apps.stored),
            ROUTE: calling(http_apps.starlette()),
            OURS: calling(cached),
            "asynccache: a hit that varies": calling(cached, "/varied/7"),
            "asynccache: 304": calling(cached, "/varied/7", tag),
            "asynccache: a part": calling(cached, PATH, (b"range", b"bytes=0-9")),
            "asynccache: a hit, vary_by_query": calling(cached, "/only/7", query=b"page=1&x=2"),
            "asynccache: a miss, stored": calling(cached, fresh=True),
        }
        for name, app in others.items():
            if app is not None:
                bursts[name] = calling(app)
        measured = await time_per_call(bursts, rounds)
        return {**measured, **{name: None for name, app in others.items() if app is None}}


def judge(measured: Mapping[str, float | None]) -> list[str]:
    """Print the calls; return a sentence for a budget that is broken."""
    known = {name: time for name, time in measured.items() if time is not None}
    table = Table("a whole ASGI call", title=f"Python {platform.python_version()}")
    table.add_column("us", justify="right")
    table.add_column("times the route", justify="right")
    for name, time in measured.items():
        if time is None:
            table.add_row(name, "not installed", "")
        else:
            table.add_row(name, f"{time / 1_000:.2f}", f"{time / known[ROUTE]:.2f}")
    console.print(table)
    share = known[OURS] / known[ROUTE]
    console.print(f"budget for a hit: {ROUTE_SHARE:.2f} times the route")
    return [f"a hit costs {share:.2f} times the route"] if share > ROUTE_SHARE else []


def judge_wire(seconds: float, rounds: int) -> list[str]:
    """Print requests a second; return a sentence for a budget that is broken."""
    rates = http_wire.measure(seconds, rounds)
    if rates is None:
        console.print("wrk is not installed: nothing is measured through a server")
        return []
    table = Table("through uvicorn, under wrk")
    table.add_column("requests/s", justify="right")
    table.add_column("times the stored messages", justify="right")
    for name, rate in rates.items():
        shown = ("does not run", "") if rate is None else (f"{rate:,.0f}",)
        share = "" if rate is None else f"{rate / (rates['stored'] or 1):.2f}"
        table.add_row(name, shown[0], share)
    console.print(table)
    reached = (rates["ours"] or 0) / (rates["stored"] or 1)
    console.print(f"budget: {WIRE_SHARE} times the stored messages")
    return [f"a hit reaches {reached:.2f} of them"] if reached < WIRE_SHARE else []


def main() -> None:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=400, help="bursts of each candidate")
    parser.add_argument("--seconds", type=float, default=4.0, help="of load for each server")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, shorter load")
    options = parser.parse_args()
    rounds = min(options.rounds, 60) if options.quick else options.rounds
    broken = judge(asyncio.run(measure(rounds)))
    broken += judge_wire(1.0 if options.quick else options.seconds, 2 if options.quick else 3)
    for sentence in broken:
        console.print(f"[red]{sentence}[/red]")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()

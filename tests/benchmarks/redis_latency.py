"""How long one caller waits: alone, and behind values of 5 MB on the same link."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping
from itertools import repeat
from typing import NamedTuple

from tests.benchmarks.redis_clients import Get
from tests.benchmarks.timing import tenth_percentile

GETS = 200  # of one caller in one round
READERS = 10
PAUSE = 0.001  # seconds between a reader's GETs: they wait for an answer, not for each other
BIG_EVERY = 0.05  # seconds from one large GET to the next


class Waits(NamedTuple):
    """How long small GETs take, in ms, and how many large ones were answered meanwhile."""

    median: float
    p99: float
    large: float  # per second


async def single_caller(clients: Mapping[str, Get], key: str, rounds: int) -> dict[str, float]:
    """Return the median latency of GETs one after the other, in us.

    It is the tenth percentile of the medians of many short rounds that take turns.
    """
    medians: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(rounds + 1):
        for name, get in clients.items():
            medians[name].append(statistics.median(await _latencies(get, key, GETS)) * 1e6)
    return {name: tenth_percentile(each[1:]) for name, each in medians.items()}


async def behind_large_values(
    clients: Mapping[str, Get], small: str, large: str, rounds: int, seconds: float
) -> dict[str, tuple[Waits, Waits]]:
    """Return how long small GETs wait alone, and among large ones: the medians of all rounds."""
    waits: dict[str, tuple[list[Waits], list[Waits]]] = {name: ([], []) for name in clients}
    for _ in range(rounds):
        for name, get in clients.items():
            alone, among = waits[name]
            alone.append(await _waits(get, small, None, seconds))
            among.append(await _waits(get, small, large, seconds))
    return {name: (_middle(alone), _middle(among)) for name, (alone, among) in waits.items()}


def _middle(waits: list[Waits]) -> Waits:
    return Waits(*map(statistics.median, zip(*waits, strict=True)))


async def _waits(get: Get, small: str, large: str | None, seconds: float) -> Waits:
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    latencies: list[float] = []
    answered = 0

    async def read_small() -> None:
        while loop.time() < end:
            latencies.extend(await _latencies(get, small, 1))
            await asyncio.sleep(PAUSE)

    async def read_large(key: str) -> None:
        nonlocal answered
        due = loop.time()
        while loop.time() < end:
            await get(key)
            answered += 1
            due += BIG_EVERY
            await asyncio.sleep(due - loop.time())

    async with asyncio.TaskGroup() as group:
        for _ in range(READERS):
            group.create_task(read_small())
        if large is not None:
            group.create_task(read_large(large))
    percentiles = statistics.quantiles(latencies, n=100)
    return Waits(percentiles[49] * 1_000, percentiles[98] * 1_000, answered / seconds)


async def _latencies(get: Get, key: str, calls: int) -> list[float]:
    latencies = []
    for _ in repeat(None, calls):
        start = time.perf_counter()
        await get(key)
        latencies.append(time.perf_counter() - start)
    return latencies

"""Load: callers that ask again as soon as they are answered, and what an answer costs.

The candidates take turns in short rounds. Of each the tenth percentile counts: a busy machine
slows some rounds of every candidate, and that does not show. The CPU time is the process's, with
all its threads, and with garbage collection, which a client's own garbage makes necessary.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from typing import NamedTuple

from tests.benchmarks.redis_clients import Get
from tests.benchmarks.timing import tenth_percentile


class Rounds(NamedTuple):
    """How thoroughly it is measured."""

    number: int
    seconds: float


class Cost(NamedTuple):
    """What one answer takes."""

    cpu: float  # us
    wall: float  # us

    @property
    def rate(self) -> float:
        """Answers per second."""
        return 1e6 / self.wall


async def cost_per_get(
    clients: Mapping[str, Get | None], keys: Sequence[str], callers: int, rounds: Rounds
) -> dict[str, Cost]:
    """Return what a GET costs each of the clients that are there."""
    here = {name: get for name, get in clients.items() if get is not None}
    upcoming = cycle(keys)
    for get in here.values():
        await burst(get, upcoming, callers, rounds.seconds)  # connections are made now
    costs: dict[str, list[Cost]] = {name: [] for name in here}
    for _ in range(rounds.number):
        for name, get in here.items():
            costs[name].append(await burst(get, upcoming, callers, rounds.seconds))
    return {
        name: Cost(*(tenth_percentile(list(column)) for column in zip(*each, strict=True)))
        for name, each in costs.items()
    }


async def burst(get: Get, keys: Iterator[str], callers: int, seconds: float) -> Cost:
    """Let so many callers ask for a while; each of them asks at least once."""
    is_over = False
    answers = 0

    async def ask() -> None:
        nonlocal answers
        while not is_over:
            await get(next(keys))
            answers += 1

    cpu, wall = time.process_time_ns(), time.perf_counter_ns()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(ask())
        await asyncio.sleep(seconds)
        is_over = True
    cpu, wall = time.process_time_ns() - cpu, time.perf_counter_ns() - wall
    return Cost(cpu / answers / 1_000, wall / answers / 1_000)

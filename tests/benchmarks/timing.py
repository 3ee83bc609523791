"""CPU time of short bursts of calls.

The tenth percentile of many short bursts that alternate between the candidates, in the thread's
CPU time and without garbage collection: a busy machine slows some bursts of every candidate, an
idle one quickens a few, and neither shows. Compare the ratios; the nanoseconds are the machine's.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from itertools import repeat
from typing import TypeAlias

Burst: TypeAlias = Callable[[int], Awaitable[None]]
"""Makes so many calls, one after the other, in a loop of its own: no wrapper around the call."""

CALLS = 200  # 50 us of ours: longer than reading the clock, shorter than what a scheduler grants
SLOW_CALLS = 20
SLOW = 2_000.0  # ns; a call that takes longer is measured in shorter bursts


async def cpu_time(work: Awaitable[object]) -> int:
    """Await something and return the thread's CPU time in ns."""
    gc.collect(0)
    gc.disable()
    try:
        start = time.thread_time_ns()
        await work
        return time.thread_time_ns() - start
    finally:
        gc.enable()


async def time_per_call(bursts: Mapping[str, Burst], rounds: int) -> dict[str, float]:
    """Return the CPU time of one call of each candidate in ns, that of the loop taken off."""
    candidates = {"": _loop, **bursts}
    calls = {}
    for name, burst in candidates.items():
        await burst(1)  # whatever is done once, such as the load, is done now
        slow = await cpu_time(burst(SLOW_CALLS)) > SLOW_CALLS * SLOW
        calls[name] = SLOW_CALLS if slow else CALLS
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(rounds):
        for name, burst in candidates.items():
            times[name].append(await cpu_time(burst(calls[name])) / calls[name])
    result = {name: tenth_percentile(values) for name, values in times.items()}
    loop = result.pop("")
    return {name: time - loop for name, time in result.items()}


def tenth_percentile(values: list[float]) -> float:
    """Return what one value in ten stays below."""
    return statistics.quantiles(values, n=10, method="inclusive")[0]


async def _loop(calls: int) -> None:
    for _ in repeat(None, calls):
        pass

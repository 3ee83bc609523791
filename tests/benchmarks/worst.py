"""What single operations of the engine cost at the worst, and on the average, when it is large."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

from asynccache.core.policy import Lifetime
from asynccache.memory.entry import Entry, new_entry
from asynccache.memory.janitor import SLICE
from asynccache.memory.sharded import Engine, make_engine

LIFETIME = Lifetime(900, 0.0)


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs at one size.

    Attributes:
        entries: How many entries there are.
        worst_put: The longest put while it was filled, in ms: the dict grew.
        mean_eviction: The mean of a put for which another entry leaves, in us.
        mean_delete: The mean of a delete, in us.
        clear: What clearing all of it takes until it returns, in ms.
        slices: The longest but one in a hundred of the janitor's slices of expiry, in ms.
    """

    entries: int
    worst_put: float
    mean_eviction: float
    mean_delete: float
    clear: float
    slices: float


def measure(entries: int) -> Costs:
    """Return the costs at a size."""
    gc.collect()
    gc.disable()
    try:
        engine = make_engine(entries)
        worst = _fill(engine, entries)
        evicting = _mean_us(
            lambda number: engine.put(_entry(engine, entries + number), 0.0), 20_000
        )
        keys = list(engine)[:20_000]
        deleting = _mean_us(lambda number: engine.delete(keys[number]), len(keys))
        start = time.thread_time()
        engine.clear()
        cleared = (time.thread_time() - start) * 1_000
        while engine.work(0.0, lambda: False):
            pass
        _fill(engine, entries)
        return Costs(entries, worst, evicting, deleting, cleared, _slices(engine))
    finally:
        gc.enable()


def _entry(engine: Engine, number: int) -> Entry:
    since = float(number % 600)
    return new_entry(
        *(f"key:{number}", b"x" * 100),
        encoded=True,
        since=since,
        left=LIFETIME,
        kind=engine.entry_type,
    )


def _fill(engine: Engine, entries: int) -> float:
    """Fill an engine; return the longest put in ms, of the thread's own time."""
    worst = 0
    for number in range(entries):
        new = _entry(engine, number)
        start = time.thread_time_ns()
        engine.put(new, 0.0)
        worst = max(worst, time.thread_time_ns() - start)
    return worst / 1e6


def _mean_us(operation: Callable[[int], object], times: int) -> float:
    start = time.thread_time_ns()
    for number in range(times):
        operation(number)
    return (time.thread_time_ns() - start) / times / 1_000


def _slices(engine: Engine) -> float:
    """Expire everything as the janitor does; return the 99th percentile of its slices in ms."""
    times: list[float] = []
    ends_at = 0.0

    def is_over() -> bool:
        return time.perf_counter() >= ends_at

    is_left = True
    while is_left:
        start = time.thread_time()  # what others do meanwhile is not its fault
        ends_at = time.perf_counter() + SLICE
        is_left = engine.sweep(10_000.0, is_over)
        times.append((time.thread_time() - start) * 1_000)
    return (
        statistics.quantiles(times, n=100, method="inclusive")[98] if len(times) > 1 else times[0]
    )

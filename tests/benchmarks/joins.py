"""The candidates: many concurrent callers of one cold key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeAlias

import aiocache  # type: ignore[import-untyped]  # it has no py.typed
import cashews
from async_lru import alru_cache

from asynccache import Cache
from tests.benchmarks.timing import cpu_time, tenth_percentile

CALLERS = 1_000
LOAD_SECONDS = 0.05  # long enough for every caller to come while the first one's load runs

Load: TypeAlias = Callable[[str], Awaitable[str]]
Read: TypeAlias = Callable[[str], Awaitable[object]]
"""What one caller does: read a key, which another caller may be loading."""


async def read_nothing(key: str) -> None:
    """Wait once: a caller has a task of its own whether or not it reads a cache."""
    await asyncio.sleep(0)


def readers(cache: Cache, load: Load) -> dict[str, Read]:
    """Return how each cache reads a key so that concurrent callers share one load, if it can."""
    mem = cashews.Cache()
    mem.setup("mem://")

    @alru_cache(maxsize=10_000, ttl=300)
    async def async_lru_read(key: str) -> str:
        return await load(key)

    @aiocache.cached_stampede(lease=2, ttl=300, key_builder=lambda function, key: key)  # type: ignore[untyped-decorator]  # it has no py.typed
    async def aiocache_read(key: str) -> str:
        return await load(key)

    @mem(ttl=300, key="{key}", protected=True)
    async def cashews_read(key: str) -> str:
        return await load(key)

    return {
        "asynccache, get_or_load": lambda key: cache.get_or_load(key, lambda: load(key)),
        "async-lru, alru_cache": async_lru_read,
        "cashews, cache(protected=True)": cashews_read,
        "aiocache, cached_stampede": aiocache_read,
    }


async def time_per_caller(cache: Cache, rounds: int) -> dict[str, tuple[float, int]]:
    """Return each candidate's CPU time per caller in ns, and its most loads of one key.

    What the callers' tasks cost by themselves is taken off.
    """
    loads = 0

    async def load(key: str) -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(LOAD_SECONDS)
        return key

    candidates = {"": read_nothing, **readers(cache, load)}
    times: dict[str, list[float]] = {name: [] for name in candidates}
    most = dict.fromkeys(candidates, 0)
    cold_keys = map("cold:{}".format, count())
    for _ in range(rounds):
        for name, read in candidates.items():
            loads = 0
            times[name].append(await cpu_time(_together(read, next(cold_keys))) / CALLERS)
            most[name] = max(most[name], loads)
    result = {name: tenth_percentile(values) for name, values in times.items()}
    tasks = result.pop("")
    return {name: (time - tasks, most[name]) for name, time in result.items()}


async def _together(read: Read, key: str) -> None:
    async def caller() -> None:
        await read(key)

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller())

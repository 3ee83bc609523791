"""Waiting for another process's load: woken by its end, and looking now and then if nobody says."""

from __future__ import annotations

import asyncio
from time import perf_counter

import pytest

from tests.support.caches import Caches, Source, link_of, runtime_of
from tests.support.waiting import until

pytestmark = pytest.mark.integration

KEY = "k"


@pytest.mark.parametrize("ending", ["filled", "failed", "deleted"])
async def test_waiters_are_woken(caches: Caches, redis_url: str, ending: str) -> None:
    """Ten processes wait for one: each is answered at once, with two looks at Redis in all."""
    loading, *waiting = [await caches.start(redis_url) for _ in range(6)]
    source = Source("value")
    slow = source.slow()
    first = asyncio.create_task(loading.get_or_load(KEY, slow))
    await slow.has_read.wait()
    rest = [asyncio.create_task(cache.get_or_load(KEY, source.load)) for cache in waiting]
    await asyncio.sleep(0.3)
    (looks,) = await link_of(loading).call(("INFO", "commandstats"))
    assert not any(task.done() for task in rest)

    began = perf_counter()
    if ending == "failed":
        first.cancel()
    elif ending == "deleted":
        await loading.delete(KEY)
    else:
        slow.finish()
    assert await asyncio.gather(*rest) == ["value"] * 5
    took = perf_counter() - began

    assert took < 0.5  # a look that nobody asked for would come after a second
    assert source.loads == (1 if ending == "filled" else 2)
    assert looks.count(b"cmdstat_get:") == 1
    slow.finish()
    await asyncio.gather(first, return_exceptions=True)


async def test_who_hears_nothing_looks(caches: Caches, redis_url: str) -> None:
    """Without a bus, more and more seldom, up to ten times a second."""
    loading, deaf = [await caches.start(redis_url) for _ in range(2)]
    source = Source("value")
    slow = source.slow()
    first = asyncio.create_task(loading.get_or_load(KEY, slow))
    await slow.has_read.wait()
    runtime_of(deaf)._second.leases._is_heard = lambda: False  # type: ignore[union-attr]
    runtime_of(deaf).invalidated = lambda message: None  # type: ignore[method-assign]
    waiting = asyncio.create_task(deaf.get_or_load(KEY, source.load))
    await asyncio.sleep(0.1)
    slow.finish()

    assert await asyncio.wait_for(waiting, 0.5) == "value"
    assert await first == "value"
    assert source.loads == 1
    await until(lambda: not runtime_of(deaf)._second.leases._waiting)  # type: ignore[union-attr]

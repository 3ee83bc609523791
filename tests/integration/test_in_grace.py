"""Values that were found in Redis past their lifetime, or past the time for their refresh."""

from __future__ import annotations

import asyncio

import pytest

from asynccache import Cache, Policy
from tests.support.caches import Caches, runtime_of
from tests.support.loading import HeldLoader

pytestmark = pytest.mark.integration

KEY = "k"
POLICY = Policy(ttl=0.2, grace=60, soft_timeout=0.1, background=True)


async def with_an_old_value(caches: Caches, url: str) -> Cache:
    """Return a cache that has an old value in Redis only."""
    writing, reading = [await caches.start(url) for _ in range(2)]
    await writing.set(KEY, ["old"], policy=POLICY, tags=["a"])
    await asyncio.sleep(0.3)
    return reading


@pytest.mark.parametrize("slow", [True, False], ids=["takes too long", "fails"])
@pytest.mark.parametrize("invalidated", [True, False])
async def test_what_redis_has_stands_in_unless_its_tag_was_invalidated(
    caches: Caches, redis_url: str, *, slow: bool, invalidated: bool
) -> None:
    """It was valid when it was looked for; what counts is what has been invalidated since."""
    cache = await with_an_old_value(caches, redis_url)
    loader = HeldLoader(["new"] if slow else LookupError())
    waiting = asyncio.create_task(cache.get_or_load_result(KEY, loader, policy=POLICY))
    await loader.started()
    if invalidated:
        runtime_of(cache).first.forget_tags(["a"])  # heard while the load runs
    if not slow or invalidated:
        await asyncio.sleep(0.2 if slow else 0)
        loader.let_go()

    if invalidated and not slow:
        with pytest.raises(LookupError):
            await waiting
        return
    result = await waiting
    loader.let_go()
    assert (result.value, result.stale) == ((["new"], False) if invalidated else (["old"], True))
    assert result.level == ("loader" if invalidated else "L2")
    assert result.age >= (0 if invalidated else 0.2)


async def test_what_a_get_has_found_is_refreshed_early_too(caches: Caches, redis_url: str) -> None:
    """How a value came into the process makes no difference to when it is refreshed."""
    policy = Policy(ttl=60, eager=0.001, background=True)
    writing, reading = [await caches.start(redis_url) for _ in range(2)]
    await writing.set(KEY, "old", policy=policy)
    await asyncio.sleep(0.1)
    assert await reading.get(KEY, policy=policy) == "old"
    loader = HeldLoader("new")

    assert await reading.get_or_load(KEY, loader, policy=policy) == "old"
    await loader.started()
    loader.let_go()

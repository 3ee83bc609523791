"""The check of a cache in production: it finds what is wrong, and nothing else."""

from __future__ import annotations

import pytest

from asynccache import Cache, InvalidArgument, Verification
from asynccache.events import Event, Inconsistent
from tests.support.caches import Caches, Source
from tests.support.waiting import until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("early", [False, True], ids=["after the commit", "before the commit"])
async def test_an_invalidation_before_the_commit_is_found(
    caches: Caches, redis_url: str, *, early: bool
) -> None:
    """A reader in between keeps the old value: no cache can know, but it can look."""
    events: list[Event] = []
    cache = await caches.start(redis_url, max_staleness=0.2, observer=events.append)
    source = Source("old")

    async def load(id_: int) -> str:
        return str(await source.load())

    region = cache.region("r", str, loader=load)
    assert cache.verify(sample=1) == Verification(0, 0, {})
    await region.get(1)

    if early:
        await region.delete(1)
        await region.get(1)
        source.value = "new"
    else:
        source.value = "new"
        await region.delete(1)
        await region.get(1)

    await until(lambda: cache.verify().checked == 3)
    found = cache.verify()
    if early:
        # Redis for sure; the process as well, while its bus is well: it may be late here.
        assert [round(after, 3) for after in sorted(found.inconsistent)] == [0.2, 0.4, 0.8]
        assert all(1 <= count <= 2 for count in found.inconsistent.values())
        told = [event for event in events if isinstance(event, Inconsistent)]
        assert {event.key for event in told} == {"r:1"}
        assert "L2" in {event.level for event in told}
    else:
        assert found.inconsistent == {}


async def test_what_changes_meanwhile_is_not_compared(caches: Caches, redis_url: str) -> None:
    """Nor what is not there, nor what cannot be loaded."""
    cache = await caches.start(redis_url, max_staleness=0.1)

    async def load(id_: int) -> str:
        if id_ == 3 and cache.verify().skipped:
            raise LookupError
        return "value"

    region = cache.region("r", str, loader=load)
    cache.verify(sample=1)
    for id_ in (1, 2, 3):
        await region.get(id_)
    await region.delete(2)
    await until(lambda: cache.verify().skipped == 3)
    assert cache.verify() == Verification(0, 3, {})

    cache.verify(sample=0)
    await region.get(1)
    await region.delete(1)
    assert cache.verify() == Verification(0, 3, {})


async def test_what_is_no_share() -> None:
    """The error names it."""
    async with Cache() as cache:
        for sample in (-0.1, 1.1):
            with pytest.raises(InvalidArgument, match="sample"):
                cache.verify(sample=sample)

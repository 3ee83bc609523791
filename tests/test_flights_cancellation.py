"""Callers that leave: nobody else notices, and the last one turns off the light."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asynccache import MISSING, Cache, Policy, cached
from asynccache.flight import Flight, Loading
from tests.support.loading import Counted, HeldLoader, turns

pytestmark = pytest.mark.usefixtures("task_factory")


async def waiting_for(
    cache: Cache, loader: HeldLoader, count: int = 1, policy: Policy | None = None
) -> list[asyncio.Task[Any]]:
    """Return callers that wait for the key ``"key"``, whose load has begun."""
    tasks = [
        asyncio.create_task(cache.get_or_load("key", loader, policy=policy)) for _ in range(count)
    ]
    await loader.started()
    await turns()
    return tasks


async def test_nobody_notices_a_caller_that_is_cancelled(cache: Cache) -> None:
    """Of a thousand callers the first, whose call began the load, leaves: 999 get the value."""
    loader = HeldLoader()
    first, *others = await waiting_for(cache, loader, 1_000)
    first.cancel()
    await turns()
    loader.let_go()

    assert await asyncio.gather(*others) == ["loaded"] * 999
    assert first.cancelled()
    assert (loader.runs, loader.cancelled) == (1, 0)


async def test_nobody_notices_a_caller_that_times_out(cache: Cache) -> None:
    """One caller's deadline is its own."""
    loader = HeldLoader()
    (patient,) = await waiting_for(cache, loader)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cache.get_or_load("key", loader)
    loader.let_go()

    assert await patient == "loaded"


async def test_a_failing_sibling_cancels_only_its_own_group(cache: Cache) -> None:
    """A task group that dies takes its callers along and leaves the load to the others."""
    loader = HeldLoader()
    (outside,) = await waiting_for(cache, loader)
    cancelled: list[bool] = []

    async def caller() -> None:
        try:
            await cache.get_or_load("key", loader)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def failing_group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(caller())
            await turns()
            raise KeyError

    with pytest.raises(ExceptionGroup):
        await failing_group()
    loader.let_go()

    assert cancelled == [True]
    assert await outside == "loaded"


async def test_the_last_caller_to_leave_cancels_the_load(cache: Cache) -> None:
    """A loader that was passed to the call may use what its callers have taken along."""
    loader = HeldLoader()
    tasks = await waiting_for(cache, loader, 3)
    for task in tasks:
        assert loader.cancelled == 0
        task.cancel()
        await turns()

    assert loader.cancelled == 1
    assert cache.statistics().flights == 0
    assert await cache.get("key") is MISSING


async def test_after_an_abandoned_load_the_next_call_starts_a_new_one(cache: Cache) -> None:
    """Nothing is left of the first load."""
    abandoned = HeldLoader()
    (task,) = await waiting_for(cache, abandoned)
    task.cancel()
    await asyncio.wait([task])

    assert await cache.get_or_load("key", Counted("new")) == "new"


async def test_a_newcomer_never_joins_a_load_that_is_being_cancelled(cache: Cache) -> None:
    """It comes when the last waiter has left and the loader has yet to hear of it."""
    clean_up = asyncio.Event()

    async def slow_to_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await clean_up.wait()

    task = asyncio.create_task(cache.get_or_load("key", slow_to_end))
    await turns()
    task.cancel()
    await asyncio.wait([task])

    assert await cache.get_or_load("key", Counted("new")) == "new"

    clean_up.set()
    await turns()
    assert await cache.get("key") == "new"


async def test_a_newcomer_before_the_last_waiter_has_left_keeps_the_load(cache: Cache) -> None:
    """Cancelled is not gone: whoever joins between the two is served by the same load."""
    loader = HeldLoader()
    (task,) = await waiting_for(cache, loader)
    newcomer = asyncio.create_task(cache.get_or_load("key", Counted("never")))
    task.cancel()
    await turns()
    loader.let_go()

    assert await newcomer == "loaded"
    assert (loader.runs, loader.cancelled) == (1, 0)


async def test_a_caller_cancelled_together_with_the_result_stays_cancelled() -> None:
    """A value that comes in the same moment swallows no cancellation, and nobody has left it."""
    abandoned: list[str] = []
    flight: Flight[str] = Flight("key", Loading(["key"], None), 0.0, lambda: abandoned.append("!"))
    waiting = [asyncio.create_task(flight.wait()) for _ in range(2)]
    await turns()
    assert repr(flight) == "<Flight 'key' 2 waiting>"
    flight.succeed("value")
    waiting[0].cancel()
    await asyncio.wait(waiting)

    assert waiting[0].cancelled()
    assert waiting[1].result() == "value"
    assert (repr(flight), flight.waiters, abandoned) == ("<Flight 'key' done>", 0, [])


async def test_a_registered_load_outlives_its_callers(cache: Cache) -> None:
    """The next call will want its result: it is finished and kept."""
    loader = HeldLoader()
    function = cached(cache, "key")(loader_function(loader))
    task = asyncio.create_task(function())
    await loader.started()
    task.cancel()
    await asyncio.wait([task])
    loader.let_go()
    await turns()

    assert loader.cancelled == 0
    assert await cache.get("key") == "loaded"


async def test_an_abandoned_registered_load_can_be_joined(cache: Cache) -> None:
    """Who comes before its end waits for it rather than for a second load."""
    loader = HeldLoader()
    function = cached(cache, "key")(loader_function(loader))
    task = asyncio.create_task(function())
    await loader.started()
    task.cancel()
    await asyncio.wait([task])
    newcomer = asyncio.create_task(function())
    await turns()
    loader.let_go()

    assert await newcomer == "loaded"
    assert loader.runs == 1


@pytest.mark.parametrize("registered", [True, False])
@pytest.mark.parametrize("cancel_abandoned", [True, False])
async def test_cancel_abandoned_overrides_both(
    cache: Cache, registered: bool, cancel_abandoned: bool
) -> None:
    """What the policy says counts, whoever the loader belongs to."""
    loader = HeldLoader()
    policy = Policy(cancel_abandoned=cancel_abandoned)
    if registered:
        task = asyncio.create_task(cached(cache, "key", policy=policy)(loader_function(loader))())
    else:
        task = asyncio.create_task(cache.get_or_load("key", loader, policy=policy))
    await loader.started()
    task.cancel()
    await asyncio.wait([task])
    loader.let_go()
    await turns()

    assert loader.cancelled == cancel_abandoned
    assert (await cache.get("key") is MISSING) == cancel_abandoned


async def test_a_loader_that_swallows_its_cancellation_is_on_its_own(cache: Cache) -> None:
    """Nobody waits for it; what it brings in the end is not in the way of anything newer."""
    release = asyncio.Event()

    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        return "old"

    task = asyncio.create_task(cache.get_or_load("key", stubborn))
    await turns()
    task.cancel()
    await asyncio.wait([task])
    await cache.set("key", "new")
    release.set()
    await turns()

    assert await cache.get("key") == "new"


def loader_function(loader: HeldLoader) -> Any:
    """Return a loader as the kind of function that ``cached`` takes."""

    async def load() -> Any:
        return await loader()

    return load

"""One load serves all who wait for its key: their number, their failures, their context."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from asynccache import Cache, ManualClock, Policy
from tests.support.loading import Counted, HeldLoader, turns

pytestmark = pytest.mark.usefixtures("task_factory")

tenant: ContextVar[str] = ContextVar("tenant")


async def callers(cache: Cache, count: int, load: Callable[[], Any]) -> list[asyncio.Task[Any]]:
    """Return tasks that all wait for the key ``"key"``."""
    tasks = [asyncio.create_task(cache.get_or_load("key", load)) for _ in range(count)]
    await turns(3)
    return tasks


async def test_a_thousand_callers_share_one_load(cache: Cache) -> None:
    """However many ask at once, the loader runs once and all get what it returned."""
    loader = HeldLoader({"id": 7})
    waiting = await callers(cache, 1_000, loader)
    loader.let_go()

    assert await asyncio.gather(*waiting) == [{"id": 7}] * 1_000
    assert loader.runs == 1
    assert cache.statistics().coalesced == 999
    assert cache.statistics().flights == 0


async def test_different_keys_are_loaded_side_by_side(cache: Cache) -> None:
    """A slow load holds up no other key."""
    slow = HeldLoader()
    waiting = await callers(cache, 1, slow)

    assert await cache.get_or_load("other", Counted("at once")) == "at once"

    slow.let_go()
    await asyncio.gather(*waiting)


async def test_a_finished_load_is_not_joined(cache: Cache, clock: ManualClock) -> None:
    """Who comes after the end, and finds the value expired, starts a load of its own."""
    loader = Counted()
    await cache.get_or_load("key", loader, ttl=1)
    clock.advance(1)
    await cache.get_or_load("key", loader, ttl=1)

    assert loader.runs == 2


async def test_a_loader_that_never_suspends_serves_its_caller(cache: Cache) -> None:
    """With eager tasks such a load is over before anybody could wait for it."""
    assert await cache.get_or_load("key", Counted("value")) == "value"
    with pytest.raises(LookupError):
        await cache.get_or_load("other", Counted(LookupError()))

    assert cache.statistics().flights == 0


async def test_a_loader_may_return_any_awaitable(cache: Cache) -> None:
    """A function that returns a future or a task is a loader too."""
    future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    future.set_result("value")

    assert await cache.get_or_load("key", lambda: future) == "value"


async def test_a_loader_that_returns_no_awaitable_is_named(cache: Cache) -> None:
    """An ordinary function is a mistake that the error explains; nothing is stored."""
    with pytest.raises(TypeError, match=r"^loader: .*returns an awaitable, got str") as caught:
        await cache.get_or_load("key", lambda: "value")  # type: ignore[arg-type, return-value]  # on purpose

    assert caught.value.argument == "loader"  # type: ignore[attr-defined]  # of InvalidArgument
    assert await cache.get("key", "nothing") == "nothing"


async def test_a_loader_does_not_see_its_caller_context(cache: Cache) -> None:
    """A load that several callers share belongs to none of their tenants, deadlines, or traces."""
    tenant.set("first caller")

    async def loader() -> str:
        return tenant.get("none")

    assert await cache.get_or_load("key", loader) == "none"


async def test_a_loader_sees_the_context_in_which_the_cache_was_started() -> None:
    """What the application set before it started the cache holds for all loads."""
    tenant.set("application")
    async with Cache("memory://") as cache:
        tenant.set("first caller")

        async def loader() -> str:
            seen = tenant.get()
            tenant.set("changed by a loader")
            return seen

        assert await cache.get_or_load("a", loader) == "application"
        assert await cache.get_or_load("b", loader) == "application"

    assert tenant.get() == "first caller"


async def test_load_timeout_cancels_the_loader(cache: Cache) -> None:
    """A load that takes too long is really ended, and its callers are told the limit."""
    loader = HeldLoader()

    with pytest.raises(
        TimeoutError, match=r"the loader of 'key' ran longer than 0\.01 s"
    ) as caught:
        await cache.get_or_load("key", loader, policy=Policy(load_timeout=0.01))

    assert type(caught.value).__name__ == "LoadTimeout"
    assert (caught.value.key, caught.value.seconds) == ("key", 0.01)  # type: ignore[attr-defined]
    assert loader.cancelled == 1
    assert cache.statistics().load_failures == 1


async def test_a_loader_own_timeout_stays_what_it_is(cache: Cache) -> None:
    """A TimeoutError that the loader raises is not the cache's limit."""
    with pytest.raises(TimeoutError, match="the database") as caught:
        await cache.get_or_load("key", Counted(TimeoutError("the database")))

    assert type(caught.value) is TimeoutError


async def test_the_limit_holds_for_a_loader_that_turns_its_cancellation_into_an_error(
    cache: Cache,
) -> None:
    """What a loader makes of being cancelled by the limit is told as the limit's cause."""

    async def loader() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TimeoutError("driver") from None

    with pytest.raises(TimeoutError, match=r"ran longer than 0\.01 s") as caught:
        await cache.get_or_load("key", loader, policy=Policy(load_timeout=0.01))

    assert str(caught.value.__cause__) == "driver"


async def test_a_flight_tells_its_state(cache: Cache) -> None:
    """The number of loads that run is to be seen from outside."""
    loader = HeldLoader()
    waiting = await callers(cache, 3, loader)

    assert cache.statistics().flights == 1

    loader.let_go()
    await asyncio.gather(*waiting)
    assert cache.statistics().flights == 0

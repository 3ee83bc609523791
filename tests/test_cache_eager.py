"""Refreshing early, waiting not too long, and what a loader is told and may say."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context

import pytest

from asynccache import (
    MISSING,
    Cache,
    InvalidArgument,
    ManualClock,
    Policy,
    UsageError,
    cached,
    load_context,
)
from tests.support.loading import Counted, HeldLoader

EAGER = Policy(ttl=100, eager=0.8, background=True)


async def settled() -> None:
    """Let background work that waits for nothing come to its end."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_value_is_refreshed_before_it_expires(cache: Cache, clock: ManualClock) -> None:
    """Once, in the background: readers get the present value at once, and then the new one."""
    loader = Counted("first")
    await cache.get_or_load("key", loader, policy=EAGER)
    clock.advance(79)
    await cache.get_or_load("key", loader, policy=EAGER)
    await settled()
    assert loader.runs == 1

    clock.advance(2)
    loader.outcome = "second"
    assert [await cache.get_or_load("key", loader, policy=EAGER) for _ in range(3)] == ["first"] * 3
    await settled()

    assert loader.runs == 2
    assert cache.peek("key") == "second"
    assert cache.statistics().eager_refreshes == 1
    clock.advance(79)
    assert await cache.get_or_load("key", loader, policy=EAGER) == "second"


async def test_a_loader_of_a_request_is_not_run_behind_it(cache: Cache, clock: ManualClock) -> None:
    """Unless its caller says that it may be; registered ones may."""
    loader = Counted("value")
    policy = EAGER.replace(background=False)
    await cache.get_or_load("key", loader, policy=policy)
    runs = 0

    @cached(cache, "f:{n}", policy=policy)
    async def function(n: int) -> int:
        nonlocal runs
        runs += 1
        return n

    await function(1)
    clock.advance(90)
    await cache.get_or_load("key", loader, policy=policy)
    await function(1)
    await settled()

    assert (loader.runs, runs) == (1, 2)


async def test_a_failed_refresh_is_tried_again(
    cache: Cache, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at once, and nobody but the log hears of it."""
    loader = Counted("value")
    await cache.get_or_load("key", loader, policy=EAGER)
    clock.advance(81)
    loader.outcome = LookupError("down")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert await cache.get_or_load("key", loader, policy=EAGER) == "value"
            await settled()
    assert loader.runs == 2
    assert "the eager refresh of 'key' failed" in caplog.text

    clock.advance(6)
    assert await cache.get_or_load("key", loader, policy=EAGER) == "value"
    await settled()
    assert loader.runs == 3


async def test_race_25_background_refresh_against_delete(cache: Cache, clock: ManualClock) -> None:
    """A refresh that began before a delete brings nothing back."""
    await cache.get_or_load("key", Counted("first"), policy=EAGER)
    clock.advance(81)
    slow = HeldLoader("old")
    await cache.get_or_load("key", slow, policy=EAGER)
    await slow.started()

    await cache.delete("key")
    slow.let_go()
    await settled()

    assert cache.peek("key") is MISSING


async def test_a_slow_load_is_not_waited_for_when_there_is_an_old_value(
    cache: Cache, clock: ManualClock
) -> None:
    """After the soft timeout the value in its grace is served, and the load goes on."""
    policy = Policy(ttl=10, grace=100, soft_timeout=0.05, background=True)
    await cache.set("key", "old", policy=policy)
    clock.advance(20)
    slow = HeldLoader("new")

    result = await cache.get_or_load_result("key", slow, policy=policy)
    assert (result.value, result.stale, result.level) == ("old", True, "L1")
    assert slow.cancelled == 0
    slow.let_go()
    await settled()

    assert cache.peek("key") == "new"
    assert cache.statistics().stale_served == 1


async def test_without_an_old_value_the_load_is_waited_for(cache: Cache) -> None:
    """A soft timeout never makes an error."""
    slow = HeldLoader("new")
    policy = Policy(ttl=10, grace=100, soft_timeout=0.01, background=True)
    waiting = asyncio.create_task(cache.get_or_load("key", slow, policy=policy))
    await asyncio.sleep(0.05)
    slow.let_go()

    assert await waiting == "new"


async def test_a_result_says_where_it_is_from(cache: Cache, clock: ManualClock) -> None:
    """And how old it is."""
    loader = Counted("value")
    first = await cache.get_or_load_result("key", loader)
    clock.advance(7)
    second = await cache.get_or_load_result("key", loader)

    assert (first.value, first.level, first.stale, first.age) == ("value", "loader", False, 0.0)
    assert (second.value, second.level, second.stale, second.age) == ("value", "L1", False, 7.0)


async def test_absence_is_believed_for_less_long(cache: Cache, clock: ManualClock) -> None:
    """Each time in a row for twice as long, up to the ordinary ttl; a value starts it anew."""
    policy = Policy(ttl=40, negative_ttl=10)
    loader = Counted(None)
    for seconds in (10, 20, 40, 40):
        await cache.get_or_load("key", loader, policy=policy)
        clock.advance(seconds - 1)
        assert cache.peek("key") is None
        clock.advance(1)
        assert cache.peek("key") is MISSING
    loader.outcome = "value"
    assert await cache.get_or_load("key", loader, policy=policy) == "value"
    clock.advance(40)
    loader.outcome = None
    await cache.get_or_load("key", loader, policy=policy)
    clock.advance(10)
    assert cache.peek("key") is MISSING


async def test_absence_has_a_quota(clock: ManualClock) -> None:
    """Whoever enumerates ids that do not exist drives out no values."""
    policy = Policy(negative_ttl=60)
    async with Cache(max_entries=100, clock=clock) as cache:
        for n in range(50):
            await cache.set(f"value:{n}", n)
        for n in range(1_000):
            await cache.get_or_load(f"none:{n}", Counted(None), policy=policy)

        assert [cache.peek(f"value:{n}") for n in range(50)] == list(range(50))
        assert cache.peek("none:999") is None
        assert cache.peek("none:0") is MISSING
        assert cache.statistics().l1_entries == 60


async def test_a_source_can_be_asked_whether_it_has_changed(
    cache: Cache, clock: ManualClock
) -> None:
    """The loader finds the old value and its validator, and may say that it is still right."""
    policy = Policy(ttl=10, grace=100)
    seen: list[tuple[object, str | None]] = []

    async def loader() -> object:
        context = load_context()
        seen.append((context.stale, context.etag))
        if context.etag == "v1":
            return context.not_modified()
        context.etag = "v1"
        return {"n": 1}

    assert await cache.get_or_load("key", loader, policy=policy) == {"n": 1}
    clock.advance(20)
    assert await cache.get_or_load("key", loader, policy=policy) == {"n": 1}
    clock.advance(20)
    assert await cache.get_or_load("key", loader, policy=policy) == {"n": 1}

    assert seen == [(MISSING, None), ({"n": 1}, "v1"), ({"n": 1}, "v1")]


async def test_what_a_context_refuses(cache: Cache) -> None:
    """Bad values are named; outside of a loader there is none."""
    with pytest.raises(UsageError, match="no load runs here"):
        load_context()

    async def loader() -> str:
        context = load_context()
        assert context.key == "key"
        assert "key" in repr(context)
        with pytest.raises(UsageError, match="no value"):
            context.not_modified()
        for name, value in (
            ("ttl", -1),
            ("tags", "text"),
            ("tags", [""]),
            ("tags", [str(n) for n in range(33)]),
            ("etag", 7),
            ("etag", "x" * 2_000),
            ("version", 0),
            ("version", 2**63),
        ):
            with pytest.raises(InvalidArgument, match=name):
                setattr(context, name, value)
        return "value"

    assert await cache.get_or_load("key", loader) == "value"


async def test_loads_wait_for_a_permit() -> None:
    """At most so many run at once; one that loads another key has a permit already."""
    running = most = 0

    async with Cache(max_concurrent_loads=2) as cache:

        async def inner() -> int:
            return 1

        async def loader() -> int:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.005)
            value = await cache.get_or_load("inner", inner)
            running -= 1
            return value

        loads = [cache.get_or_load(f"k{n}", loader) for n in range(10)]
        assert await asyncio.gather(*loads) == [1] * 10
    assert most == 2


async def test_some_loads_need_no_permit() -> None:
    """Those that wait for loads of the same cache in tasks of their own."""

    async def inner() -> int:
        return 1

    async with Cache(max_concurrent_loads=1) as cache:

        async def outer() -> int:
            return await asyncio.create_task(cache.get_or_load("inner", inner), context=Context())

        policy = Policy(bulkhead=False)
        loads = [cache.get_or_load(f"k{n}", outer, policy=policy) for n in range(5)]
        assert await asyncio.wait_for(asyncio.gather(*loads), 5) == [1] * 5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("eager", each) for each in (0, 1, -0.5, "early")),
        *(("soft_timeout", each) for each in (0, -1)),
        *(("negative_ttl", each) for each in (0, "1")),
        ("background", 1),
    ],
)
def test_what_a_policy_refuses(name: str, value: object) -> None:
    """The error names the setting."""
    with pytest.raises(InvalidArgument, match=name):
        Policy(**{name: value})  # type: ignore[arg-type]

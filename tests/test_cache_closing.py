"""The end while something is still under way: bounded, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from asynccache import Cache, CacheClosed, cached
from tests.support.loading import HeldLoader, turns

pytestmark = pytest.mark.usefixtures("complaints")


async def test_close_waits_for_loads() -> None:
    """Within its timeout a load ends in peace, and its callers get the value."""
    loader = HeldLoader()
    async with Cache("memory://") as cache:
        caller = asyncio.create_task(cache.get_or_load("key", loader))
        await loader.started()
        asyncio.get_running_loop().call_later(0.01, loader.let_go)

    assert await caller == "loaded"


async def test_close_cancels_loads_that_take_too_long() -> None:
    """Their callers get CacheClosed, and the loader can clean up."""
    loader = HeldLoader()
    async with Cache("memory://", shutdown_timeout=0.01) as cache:
        callers = [asyncio.create_task(cache.get_or_load("key", loader)) for _ in range(2)]
        await loader.started()

    assert loader.cancelled == 1
    for caller in callers:
        with pytest.raises(CacheClosed, match="the cache was closed while 'key' was loaded"):
            await caller


async def test_an_abandoned_registered_load_is_ended_too() -> None:
    """A load that nobody waits for does not outlive the cache."""
    loader = HeldLoader()
    async with Cache("memory://", shutdown_timeout=0.01) as cache:

        @cached(cache, "key")
        async def load() -> Any:
            return await loader()

        caller = asyncio.create_task(load())
        await loader.started()
        caller.cancel()
        await asyncio.wait([caller])

    assert loader.cancelled == 1


@pytest.mark.parametrize("overtaken", [False, True], ids=["joined", "overtaken"])
async def test_a_loader_that_ignores_its_cancellation_does_not_hold_up_the_end(
    caplog: pytest.LogCaptureFixture, overtaken: bool
) -> None:
    """Close comes back, its callers come back, and the log says what is still running."""
    release = asyncio.Event()
    ended = asyncio.Event()

    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        ended.set()
        return "late"

    async with asyncio.timeout(5):
        async with Cache("memory://", shutdown_timeout=0.01) as cache:
            caller = asyncio.create_task(cache.get_or_load("key", stubborn))
            await turns()
            if overtaken:
                await cache.delete("key")

        with pytest.raises(CacheClosed):
            await caller
        assert [
            record.message for record in caplog.records if record.levelno == logging.WARNING
        ] == ["1 loads ignored their cancellation and are still running"]
        release.set()
        await ended.wait()
        await turns()
    assert cache.statistics().l1_entries == 0


async def test_a_load_cannot_start_another_one_once_the_end_has_begun() -> None:
    """It fails with CacheClosed, and so do those who wait for it."""
    gate = HeldLoader()
    async with Cache("memory://") as cache:

        async def outer() -> Any:
            await gate()
            return await cache.get_or_load("inner", HeldLoader())

        caller = asyncio.create_task(cache.get_or_load("outer", outer))
        await gate.started()
        asyncio.get_running_loop().call_later(0.01, gate.let_go)

    with pytest.raises(CacheClosed, match="the cache 'default' is closed"):
        await caller


async def test_a_load_may_finish_others_that_it_had_started_before() -> None:
    """Loads that wait for each other end together."""
    gate = HeldLoader("inner value")
    async with Cache("memory://") as cache:

        async def outer() -> Any:
            return await cache.get_or_load("inner", gate)

        caller = asyncio.create_task(cache.get_or_load("outer", outer))
        await gate.started()
        asyncio.get_running_loop().call_later(0.01, gate.let_go)

    assert await caller == "inner value"


async def test_a_cancelled_close_still_ends_everything() -> None:
    """A server that loses patience does not leave loads behind."""
    loader = HeldLoader()
    cache = await Cache("memory://").__aenter__()
    caller = asyncio.create_task(cache.get_or_load("key", loader))
    await loader.started()
    closing = asyncio.create_task(cache.close())
    await turns()
    closing.cancel()
    await asyncio.wait([closing])
    await turns()

    assert loader.cancelled == 1
    with pytest.raises(CacheClosed):
        await caller
    with pytest.raises(CacheClosed):
        await cache.get("key")


async def test_no_task_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """After the end only those who use the cache have tasks."""
    before = asyncio.all_tasks()
    loaders = {outcome: HeldLoader(outcome) for outcome in ("value", "slow")}
    async with Cache("memory://", shutdown_timeout=0.01) as cache:
        callers = [
            asyncio.create_task(cache.get_or_load(key, load)) for key, load in loaders.items()
        ]
        await turns()
        loaders["value"].let_go()

    assert asyncio.all_tasks() - before <= set(callers)
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [str, CacheClosed]
    assert caplog.records == []


FORKING = """
    import asyncio, os, sys
    from asynccache import Cache, WrongProcess

    cache = Cache("memory://", name="shop")

    async def load():
        return "loaded"

    async def refused():
        for use in (cache.get("key"), cache.get_or_load("key", load), cache.set("key", 1)):
            try:
                print("answered", await use)
            except WrongProcess as error:
                assert "'shop' was started before this process was forked" in str(error)
                print("refused")

    async def start():
        await cache.__aenter__()
        await cache.set("key", "from the parent")

    async def own():
        async with cache:
            print(await cache.get_or_load("key", load))

    def in_child(work):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            work()
            sys.stdout.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0

    async def fork_inside():
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            await refused()
            sys.stdout.flush()
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0

    with asyncio.Runner() as runner:
        runner.run(start())
        in_child(lambda: asyncio.run(refused()))
        in_child(lambda: asyncio.run(own()))
        in_child(lambda: asyncio.run(cache.close()))
        runner.run(fork_inside())
        print(runner.run(cache.get("key")))
        runner.run(cache.close())
"""


def test_a_forked_child_is_refused_and_may_start_its_own() -> None:
    """Nobody would tell the child what to forget: not even a hit is answered there."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(FORKING)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout.split("\n") == [
        *["refused"] * 3,
        "loaded",
        *["refused"] * 3,
        "from the parent",
        "",
    ]

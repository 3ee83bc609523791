"""Refreshing: a load that replaces what is there, and takes nothing away before it can."""

from __future__ import annotations

import asyncio

import pytest

from asynccache import MISSING, Cache, Policy
from tests.support.loading import Counted, HeldLoader, turns


async def test_a_refresh_is_overtaken_like_any_load(cache: Cache) -> None:
    """Race 25: refresh, delete, and only then the refresh ends."""
    await cache.set("user:7", "older")
    refreshing = HeldLoader("old")
    task = asyncio.create_task(cache.refresh("user:7", refreshing))
    await refreshing.started()
    await cache.delete("user:7")
    refreshing.let_go()

    assert await task == "old"
    assert await cache.get("user:7") is MISSING


async def test_the_later_of_two_refreshes_wins(cache: Cache) -> None:
    """Whichever ends first: the one that began later has seen the newer state of the source."""
    first, second = HeldLoader("first"), HeldLoader("second")
    tasks = []
    for loader in (first, second):
        tasks.append(asyncio.create_task(cache.refresh("user:7", loader)))
        await loader.started()
    second.let_go()
    await tasks[1]
    first.let_go()

    assert await tasks[0] == "first"
    assert await cache.get("user:7") == "second"


async def test_readers_keep_the_old_value_while_it_is_refreshed(cache: Cache) -> None:
    """A refresh takes nothing away before it has something better."""
    await cache.set("user:7", "old")
    loader = HeldLoader("new")
    task = asyncio.create_task(cache.refresh("user:7", loader))
    await loader.started()

    assert await cache.get("user:7") == "old"
    assert await cache.get_or_load("user:7", Counted("never")) == "old"

    loader.let_go()
    await task
    assert await cache.get("user:7") == "new"


async def test_callers_without_a_value_join_a_refresh(cache: Cache) -> None:
    """A refresh is a load: there is no need for a second one."""
    loader = HeldLoader("new")
    task = asyncio.create_task(cache.refresh("user:7", loader))
    await loader.started()
    caller = asyncio.create_task(cache.get_or_load("user:7", Counted("never")))
    await turns()
    loader.let_go()

    assert (await task, await caller) == ("new", "new")


async def test_a_failed_refresh_is_told_and_keeps_the_old_value(cache: Cache) -> None:
    """Whoever asks for a refresh learns that there was none, whatever grace there is."""
    policy = Policy(grace=60)
    await cache.set("user:7", "old", policy=policy)
    with pytest.raises(LookupError):
        await cache.refresh("user:7", Counted(LookupError()), policy=policy)

    assert await cache.get("user:7") == "old"
    assert cache.statistics().stale_served == 0

"""Callers of bulk loads that leave: the load goes on while any of its keys is wanted."""

from __future__ import annotations

import asyncio

import pytest

from asynccache import Cache
from tests.support.loading import Counted, HeldLoader, turns

pytestmark = pytest.mark.usefixtures("task_factory")


async def test_a_bulk_load_is_cancelled_when_nobody_waits_for_any_of_it(cache: Cache) -> None:
    """As long as one of its keys is wanted, it goes on."""
    release = asyncio.Event()
    ended: list[str] = []

    async def load(keys: list[str]) -> dict[str, str]:
        try:
            await release.wait()
        finally:
            ended.append("cancelled" if not release.is_set() else "done")
        return dict.fromkeys(keys, "loaded")

    bulk = asyncio.create_task(cache.get_or_load_many(["a", "b"], load))
    await turns()
    single = asyncio.create_task(cache.get_or_load("b", Counted("never")))
    await turns()
    bulk.cancel()
    await turns()
    assert ended == []

    single.cancel()
    await turns()
    assert ended == ["cancelled"]


async def test_a_caller_of_a_bulk_load_cancelled_alone_disturbs_no_single_call(
    cache: Cache,
) -> None:
    """Who waits for one key of somebody else's bulk load gets it."""
    loader = HeldLoader({"a": 1, "b": 2})
    bulk = asyncio.create_task(cache.get_or_load_many(["a", "b"], lambda keys: loader()))
    await loader.started()
    single = asyncio.create_task(cache.get_or_load("b", Counted("never")))
    await turns()
    bulk.cancel()
    await turns()
    loader.let_go()

    assert await single == 2

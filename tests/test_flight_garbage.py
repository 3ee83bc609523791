"""What a load leaves behind: nothing that has to wait for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from asynccache import Cache, Policy
from tests.support.loading import turns

pytestmark = pytest.mark.usefixtures("task_factory")


class Failure(Exception):
    """An exception that can be referred to weakly."""


class Value:
    """A value that can be referred to weakly."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Only reference counts free anything."""
    gc.disable()
    yield
    gc.enable()


async def test_values_are_freed_when_the_cache_forgets_them(cache: Cache) -> None:
    """A large value that was loaded and deleted takes no more memory."""
    references: list[weakref.ref[Value]] = []

    async def load() -> Value:
        await asyncio.sleep(0)
        value = Value()
        references.append(weakref.ref(value))
        return value

    async def load_many(keys: list[str]) -> dict[str, Value]:
        return {key: await load() for key in keys}

    policy = Policy(share=True)
    await asyncio.gather(*(cache.get_or_load("key", load, policy=policy) for _ in range(3)))
    await cache.get_or_load_many(["a", "b"], load_many, policy=policy)
    await cache.clear()
    await turns()

    assert [reference() for reference in references] == [None] * 3


async def test_exceptions_are_freed_when_their_callers_are_done(cache: Cache) -> None:
    """They hold the frames of the loader, and all that is in them."""
    references: list[weakref.ref[Failure]] = []

    async def load(*_: Any) -> Any:
        await asyncio.sleep(0)
        error = Failure("down")
        references.append(weakref.ref(error))
        try:
            raise error
        finally:
            del error

    async def caller(many: bool) -> None:
        try:
            if many:
                await cache.get_or_load_many(["a", "b"], load)
            else:
                await cache.get_or_load("key", load)
        except Failure:
            pass

    await asyncio.gather(*(caller(many) for many in (False, False, False, True, True)))
    await turns()

    assert [reference() for reference in references] == [None] * 2

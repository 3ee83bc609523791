"""Several keys in one call: reading, loading what is missing, writing, deleting."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from asynccache import Cache, ManualClock, Policy, WriteResult
from tests.support.loading import Counted, HeldLoader, turns


class BulkLoader:
    """Returns what it has of the keys that it is asked for, and remembers those."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        self.source = source
        self.asked: list[list[str]] = []

    async def __call__(self, keys: list[str]) -> dict[str, Any]:
        self.asked.append(keys)
        return {key: self.source[key] for key in keys if key in self.source}


async def test_get_many_returns_what_is_there(cache: Cache, clock: ManualClock) -> None:
    """In the order of the keys, each once; expired ones are not there."""
    await cache.set_many({"a": 1, "b": 2})
    await cache.set("c", 3, ttl=1)
    clock.advance(1)

    assert list((await cache.get_many(["b", "c", "a", "b", "d"])).items()) == [("b", 2), ("a", 1)]
    assert await cache.get_many([]) == {}


@pytest.mark.parametrize("keys", [["a", "b"], ("a", "b"), {"a": 0, "b": 0}, iter(["a", "b"])])
async def test_keys_may_be_any_iterable(cache: Cache, keys: Iterable[str]) -> None:
    """Even one that can be gone through only once."""
    assert await cache.get_or_load_many(keys, BulkLoader({"a": 1, "b": 2})) == {"a": 1, "b": 2}


async def test_only_missing_keys_are_loaded(cache: Cache, clock: ManualClock) -> None:
    """In one call, each once, in order; the results come in the order of the question."""
    await cache.set("b", "cached")
    await cache.set("c", "expired", ttl=1)
    clock.advance(1)
    load = BulkLoader(dict.fromkeys("abcd", "loaded"))

    found = await cache.get_or_load_many(["d", "c", "b", "d", "a"], load)

    assert list(found.items()) == [
        *(("d", "loaded"), ("c", "loaded"), ("b", "cached"), ("a", "loaded"))
    ]
    assert load.asked == [["d", "c", "a"]]


async def test_the_loader_is_not_called_for_nothing(cache: Cache) -> None:
    """All keys are there, or there are none."""
    await cache.set_many({"a": 1, "b": 2})
    load = BulkLoader({})

    assert await cache.get_or_load_many(["a", "b"], load) == {"a": 1, "b": 2}
    assert await cache.get_or_load_many([], load) == {}
    assert load.asked == []


async def test_loaded_values_are_kept(cache: Cache, clock: ManualClock) -> None:
    """With the lifetime that the call gives."""
    await cache.get_or_load_many(["a", "b"], BulkLoader({"a": 1, "b": 2}), ttl=10)
    clock.advance(9)
    assert await cache.get_many(["a", "b"]) == {"a": 1, "b": 2}

    clock.advance(1)
    assert await cache.get_many(["a", "b"]) == {}


async def test_keys_that_the_loader_leaves_out_are_left_out(cache: Cache) -> None:
    """Nothing is stored for them, so that they are asked for again; extra keys are ignored."""
    load = BulkLoader({"a": 1})

    async def load_more(keys: list[str]) -> dict[str, Any]:
        return {**await load(keys), "extra": 3}

    assert await cache.get_or_load_many(["a", "b"], load_more) == {"a": 1}
    assert await cache.get_or_load_many(["a", "b"], load_more) == {"a": 1}
    assert load.asked == [["a", "b"], ["b"]]
    assert await cache.get("extra", "nothing") == "nothing"


async def test_the_loader_may_change_the_list_that_it_gets(cache: Cache) -> None:
    """It is its own."""

    async def load(keys: list[str]) -> dict[str, int]:
        return {keys.pop(): 1 for _ in range(2)}

    assert await cache.get_or_load_many(["a", "b"], load) == {"a": 1, "b": 1}


async def test_a_failing_bulk_load_stores_nothing(cache: Cache) -> None:
    """The loader's own exception reaches the caller."""
    with pytest.raises(LookupError, match="both"):
        await cache.get_or_load_many(["a", "b"], lambda keys: Counted(LookupError("both"))())

    assert await cache.get_many(["a", "b"]) == {}
    assert cache.statistics().load_failures == 2


@pytest.mark.parametrize(
    ("load", "text"),
    [
        (lambda keys: {"a": 1}, "load_missing: must be a function that returns an awaitable, got"),
        (lambda keys: Counted([1])(), "load_missing: must be a function that returns a mapping, g"),
        (lambda keys: Counted(None)(), "load_missing: must be a function that returns a mapping"),
    ],
)
async def test_a_loader_of_another_kind_is_named(cache: Cache, load: Any, text: str) -> None:
    """The error says what it should return."""
    with pytest.raises(TypeError, match=f"^{text}"):
        await cache.get_or_load_many(["a"], load)


async def test_overlapping_calls_load_each_key_once(cache: Cache) -> None:
    """Each takes from the other what that is loading already."""
    first, second = BulkLoader(dict.fromkeys("abc", 1)), BulkLoader(dict.fromkeys("abc", 2))

    results = await asyncio.gather(
        cache.get_or_load_many(["a", "b"], first), cache.get_or_load_many(["b", "c"], second)
    )

    assert list(results) == [{"a": 1, "b": 1}, {"b": 1, "c": 2}]
    assert first.asked == [["a", "b"]]
    assert second.asked == [["c"]]


async def test_single_calls_and_bulk_calls_share_their_loads(cache: Cache) -> None:
    """Whichever came first."""
    single = HeldLoader("single")
    waiting = asyncio.create_task(cache.get_or_load("a", single))
    await single.started()
    bulk = BulkLoader({"b": "bulk"})
    both = asyncio.create_task(cache.get_or_load_many(["a", "b"], bulk))
    await turns()
    single.let_go()

    assert await both == {"a": "single", "b": "bulk"}
    assert await waiting == "single"
    assert bulk.asked == [["b"]]


async def test_a_single_call_loads_what_a_bulk_load_leaves_out(cache: Cache) -> None:
    """It waited for a load that had nothing for its key, and counts as one request all the same."""
    bulk = HeldLoader({"a": 1})
    both = asyncio.create_task(cache.get_or_load_many(["a", "b"], lambda keys: bulk()))
    await bulk.started()
    single = asyncio.create_task(cache.get_or_load("b", Counted("loaded after all")))
    await turns()
    bulk.let_go()

    assert await single == "loaded after all"
    assert await both == {"a": 1}
    assert cache.statistics().requests == 3


async def test_a_bulk_load_that_fails_takes_those_who_joined_along(cache: Cache) -> None:
    """One failure for all, each with an exception of its own."""
    bulk = HeldLoader(LookupError("both"))
    both = asyncio.create_task(cache.get_or_load_many(["a", "b"], lambda keys: bulk()))
    await bulk.started()
    singles = [asyncio.create_task(cache.get_or_load("b", Counted("never"))) for _ in range(9)]
    await turns()
    bulk.let_go()

    errors = await asyncio.gather(both, *singles, return_exceptions=True)
    assert [str(error) for error in errors] == ["both"] * 10
    assert len(set(map(id, errors))) == 10


async def test_stale_values_stand_in_only_for_all(cache: Cache, clock: ManualClock) -> None:
    """A bulk load that fails is covered when there is a stale value for each of its keys."""
    policy = Policy(ttl=1, grace=60)
    await cache.set_many({"a": 1, "b": 2}, policy=policy)
    clock.advance(1)
    failing = lambda keys: Counted(LookupError())()  # noqa: E731 - used twice

    assert await cache.get_or_load_many(["a", "b"], failing, policy=policy) == {"a": 1, "b": 2}
    with pytest.raises(LookupError):
        await cache.get_or_load_many(["a", "c"], failing, policy=policy)


async def test_writing_and_deleting_nothing(cache: Cache) -> None:
    """It is done at once, and nothing has changed."""
    nothing = WriteResult(acknowledged=True, affected=0)

    assert await cache.set_many({}) == nothing
    assert await cache.delete_many([]) == nothing


async def test_set_many_and_delete_many_say_how_many(cache: Cache) -> None:
    """Each key counts once."""
    assert (await cache.set_many({"a": 1, "b": 2})).affected == 2
    assert (await cache.delete_many(["a", "a", "x"])).affected == 1
    assert await cache.get_many(["a", "b"]) == {"b": 2}

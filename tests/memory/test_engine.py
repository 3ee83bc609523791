"""The L1 engine: what it holds, whom it tells about removals, and what it counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asynccache.errors import ArgumentTypeError, InvalidArgument
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.entry import RemovalCause
from tests.support.entries import entry, filled, hit

EXPLICIT, REPLACED, SIZE = RemovalCause.EXPLICIT, RemovalCause.REPLACED, RemovalCause.SIZE

Removal = tuple[str, Any, RemovalCause]


def test_an_entry_is_held_until_it_is_deleted() -> None:
    """What was put is what is found, and a second delete finds nothing."""
    engine = MemoryEngine()
    held = entry("a")

    assert engine.put(held, 0.0) is True
    assert engine.get("a") is held
    assert "a" in engine
    assert (engine.delete("a"), engine.delete("a")) == (True, False)
    assert engine.get("a") is None
    assert "a" not in engine


def test_a_new_value_replaces_the_old_one() -> None:
    """A key is held once."""
    engine = filled(MemoryEngine(), "a", "b")
    newer = entry("a", "newer")
    engine.put(newer, 0.0)

    assert engine.get("a") is newer
    assert sorted(engine) == ["a", "b"]


def test_keys_are_deleted_by_a_predicate() -> None:
    """The answer is how many there were."""
    engine = filled(MemoryEngine(), "user:1", "user:2", "order:1")

    assert engine.delete_matching(lambda key: key.startswith("user:")) == 2
    assert list(engine) == ["order:1"]
    assert engine.delete_matching(lambda key: False) == 0


def test_entries_are_one_table_for_the_engine_s_whole_life() -> None:
    """Who keeps it, as the cache does, finds what is held; a small engine is cleared at once."""
    engine = filled(MemoryEngine(), "a", "b")
    entries = engine.entries

    assert entries["a"] is engine.get("a") is not None
    assert engine.clear() == 2
    assert "a" not in entries
    engine.put(entry("c"), 0.0)
    assert entries["c"] is engine.get("c")
    assert engine.clear() == 1
    assert engine.clear() == 0


def test_the_epoch_tells_what_may_be_served_at_once() -> None:
    """The engine's own for a value that is kept as it is, one more for one that is encoded."""
    engine = MemoryEngine()
    epochs: list[int] = []
    engine.hooks.on_epoch = epochs.append
    for _ in range(3):
        plain, coded = entry("plain"), entry("coded", encoded=True)
        engine.put(plain, 0.0)
        engine.put(coded, 0.0)
        assert (plain.epoch, coded.epoch) == (engine.epoch, engine.epoch + 1)
        engine.clear()
        assert engine.epoch not in (plain.epoch, coded.epoch, coded.epoch - 1)
        assert engine.epoch + 1 not in (plain.epoch, coded.epoch)

    assert epochs == [2, 4, 6]


@pytest.mark.parametrize("weight", [-1, 1.5, float("nan"), "7", None])
def test_a_weigher_that_does_not_weigh_is_named(weight: Any) -> None:
    """Nothing has changed: the sum of all weights has to stay a sum of weights."""
    engine = MemoryEngine(max_bytes=10, weigher=lambda key, value: 1 if key == "a" else weight)
    filled(engine, "a")
    with pytest.raises(InvalidArgument) as caught:
        filled(engine, "b")

    assert caught.value.argument == "weigher"
    assert (list(engine), engine.statistics().weight) == (["a"], 1)


@pytest.mark.parametrize(
    ("argument", "values", "error"),
    [
        *(
            (name, values, error)
            for name in ("max_entries", "max_bytes")
            for values, error in (
                ([0, -1, -(10**5000)], InvalidArgument),
                ([True, 1.0, "10", float("inf")], ArgumentTypeError),
            )
        ),
        ("max_entries", [None], ArgumentTypeError),
        ("weigher", [7, "len"], ArgumentTypeError),
        ("on_removal", [7, []], ArgumentTypeError),
    ],
)
def test_a_bad_argument_is_named(argument: str, values: list[Any], error: type[Exception]) -> None:
    """When the engine is made."""
    for value in values:
        with pytest.raises(InvalidArgument) as caught:
            MemoryEngine(**{argument: value})

        assert caught.value.argument == argument
        assert type(caught.value) is error


def test_removals_are_delivered_by_drain_and_by_nothing_else() -> None:
    """A listener that reads or writes the cache is never called in the middle of a put."""
    removals: list[Removal] = []
    engine = MemoryEngine(2, on_removal=lambda *removal: removals.append(removal))
    filled(engine, "a", "b", "c")
    engine.put(entry("b", "newer"), 0.0)
    engine.delete("c")
    engine.delete_matching(lambda key: key == "b")
    filled(engine, "d")
    engine.clear()
    assert removals == []

    engine.drain_removals()
    assert removals == [
        ("a", "v", SIZE),
        ("b", "v", REPLACED),
        ("c", "v", EXPLICIT),
        ("b", "newer", EXPLICIT),
        ("d", "v", EXPLICIT),
    ]
    engine.drain_removals()
    assert len(removals) == 5


def test_a_listener_may_use_the_engine_and_may_fail() -> None:
    """What it removes is delivered as well; what follows a failure is delivered by the next."""
    heard: list[str] = []

    def listener(key: str, value: Any, cause: RemovalCause) -> None:
        heard.append(key)
        if key == "a":
            engine.delete("b")
        if key == "b":
            raise ZeroDivisionError

    engine = MemoryEngine(on_removal=listener)
    filled(engine, "a", "b", "c")
    engine.delete("a")
    with pytest.raises(ZeroDivisionError):
        engine.drain_removals()
    engine.delete("c")
    engine.drain_removals()

    assert heard == ["a", "b", "c"]


def test_hits_are_counted_across_removal_and_replacement() -> None:
    """However an entry leaves, its reads stay counted."""
    engine = MemoryEngine(max_entries=2)
    endings: list[Callable[[], object]] = [
        lambda: engine.put(entry("a"), 0.0),
        lambda: engine.delete("a"),
        lambda: engine.delete_matching(lambda key: True),
        engine.clear,
        lambda: filled(engine, "b", "c", "d"),
    ]
    for reads, end in enumerate(endings, start=1):
        filled(engine, "a")
        hit(engine, "a")
        end()
        assert engine.statistics().hits == reads


def test_its_repr_tells_how_full_it_is() -> None:
    """In entries, and in weight where that is bounded."""
    assert repr(filled(MemoryEngine(5), "a", "b")) == "<MemoryEngine 2/5 entries>"
    weighed = filled(MemoryEngine(5, 100, lambda key, value: 2), "a", "b")
    assert repr(weighed) == "<MemoryEngine 2/5 entries, 4/100 bytes>"

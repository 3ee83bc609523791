"""Weights, where nobody says what they are."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import pytest

from asynccache import Cache
from asynccache.memory.engine import MemoryEngine
from asynccache.memory.weighing import MOST_OBJECTS, OVERHEAD, estimated_weight
from tests.support.entries import entry


@dataclass(frozen=True, slots=True)
class Point:
    """A value with slots."""

    x: str
    y: str


class Plain:
    """A value with a dict."""

    def __init__(self) -> None:
        self.text = "x" * 1_000


@pytest.mark.parametrize("value", [b"x" * 1_000, "x" * 1_000, 7, 1.5, None])
def test_plain_values_are_weighed_exactly(value: Any) -> None:
    """What they take, their key, and what an entry takes besides."""
    assert estimated_weight("key", value) == OVERHEAD + sys.getsizeof("key") + sys.getsizeof(value)


@pytest.mark.parametrize(
    "value",
    [
        ["x" * 1_000],
        ("x" * 1_000,),
        {"a": {"b": ["x" * 1_000]}},
        {"x" * 1_000: 1},
        frozenset({"x" * 1_000}),
        Point("x" * 500, "y" * 500),
        Plain(),
    ],
)
def test_what_is_inside_counts(value: Any) -> None:
    """Containers, attributes and slots."""
    assert 1_000 < estimated_weight("k", value) - OVERHEAD < 2_200


def test_what_is_there_twice_counts_once() -> None:
    """Also when it holds itself."""
    shared = "x" * 10_000
    cyclic: list[Any] = [shared, shared]
    cyclic.append(cyclic)

    assert 10_000 < estimated_weight("k", cyclic) < 11_000


def test_a_large_value_is_estimated_from_a_part() -> None:
    """It takes no longer than a small one, and is about right."""
    value = [f"{number:0100}" for number in range(50 * MOST_OBJECTS)]
    exact = sys.getsizeof(value) + sum(map(sys.getsizeof, value))

    assert estimated_weight("k", value) == pytest.approx(exact, rel=0.1)


def test_an_engine_with_a_bound_in_bytes_weighs_by_itself() -> None:
    """And without one, each entry counts as one."""
    engine = MemoryEngine(max_bytes=100_000)
    for number in range(1_000):
        engine.put(entry(f"k{number}", b"x" * 1_000, encoded=True), 0.0)
    statistics = engine.statistics()
    assert 70 <= statistics.entries <= 80
    assert statistics.weight <= 100_000

    engine = MemoryEngine()
    engine.put(entry("k", b"x" * 1_000), 0.0)
    assert engine.statistics().weight == 1


async def test_a_cache_needs_no_weigher() -> None:
    """A bound in bytes is enough."""
    async with Cache("memory://", max_bytes=50_000) as cache:
        for number in range(200):
            await cache.set(f"k{number}", {"text": "x" * 1_000})
        statistics = cache.statistics()

    assert 30 <= statistics.l1_entries <= 50
    assert statistics.l1_weight <= 50_000

"""Only what nobody can change is taken for immutable."""

from __future__ import annotations

# ruff: noqa: DTZ001  a datetime without a zone is a value like any other
from abc import ABC
from collections import OrderedDict
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from functools import cached_property
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar
from uuid import UUID

import msgspec
import pydantic
import pytest

from asynccache.codecs import is_immutable
from asynccache.codecs.immutable import MOST_PARTS

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    LIST = ["a"]  # noqa: RUF012  a member is one object in the process, however it was stored


class Level(IntEnum):
    LOW = 1


@dataclass(frozen=True)
class Point:
    x: Any
    y: Any = 0
    kind: ClassVar[list[int]] = []


@dataclass(frozen=True, slots=True)
class Slotted(Generic[T]):
    x: T


@dataclass(frozen=True)
class Deeper(Point):
    z: Any = 0
    start: InitVar[int] = 0


@dataclass
class Mutable:
    x: int = 0


class Undecorated(Point):
    pass


@dataclass(frozen=True)
class FrozenList(list[int]):
    x: int = 0


@dataclass(frozen=True)
class WithBase(ABC):  # noqa: B024  any base class
    x: int = 0


@dataclass(frozen=True)
class Caching:
    x: int = 0

    @cached_property
    def parts(self) -> list[int]:
        return [self.x]


@dataclass(frozen=True)
class Unset:
    x: int = field(init=False)


@dataclass(frozen=True)
class Node:
    inner: Any = None


class Pair(NamedTuple):
    left: int


class MyStr(str):
    __slots__ = ()


class FrozenStruct(msgspec.Struct, frozen=True):
    x: Any


class DerivedStruct(FrozenStruct, frozen=True):
    y: Any = 0


class MutableStruct(msgspec.Struct):
    x: int


class CachingStruct(msgspec.Struct, frozen=True, dict=True):
    x: int

    @cached_property
    def parts(self) -> list[int]:
        return [self.x]


class FrozenModel(pydantic.BaseModel, frozen=True):
    x: int = 0


def chain(depth: int) -> Node:
    node = Node()
    for _ in range(depth):
        node = Node(node)
    return node


def self_containing() -> Node:
    node = Node()
    object.__setattr__(node, "inner", node)
    return node


IMMUTABLE: list[object] = [
    *(None, True, 1, 10**100, 1.5, float("nan"), 1j, "", "a" * 10**6, b"", b"x" * 10**6),
    *(Decimal(1), UUID(int=0), datetime(2024, 1, 1), datetime(2024, 1, 1, tzinfo=UTC)),
    *(date(2024, 1, 1), time(1), timedelta(1), Colour.RED, Colour.LIST, Level.LOW),
    *((), (1, "a", (None, (b"x",))), frozenset(), frozenset({1, ("a", frozenset({2}))})),
    *(Point(1), Point((1, "a"), Colour.RED), Slotted(1), Slotted(Point(frozenset())), Deeper(1)),
    *(FrozenStruct(1), FrozenStruct((Point(1),)), DerivedStruct(1, "a")),
    *(tuple(range(MOST_PARTS)), chain(MOST_PARTS - 1)),
]

MUTABLE: list[object] = [
    *([], {}, set(), bytearray(), memoryview(b""), object(), OrderedDict(), iter(()), len, Point),
    *(([],), (1, (2, {})), frozenset({Point(1)}) | {Undecorated(1)}, MyStr("a"), Pair(1)),
    *(Mutable(), Point([]), Point(1, {}), Point(Mutable()), Slotted([1]), Undecorated(1)),
    *(FrozenList(), WithBase(), Caching(), Unset(), Deeper(1, [])),
    *(MutableStruct(1), FrozenStruct([]), DerivedStruct(1, []), CachingStruct(1), FrozenModel()),
    *(tuple(range(MOST_PARTS + 1)), ((1,) * 40, (1,) * 40), chain(MOST_PARTS), chain(10_000)),
    *(self_containing(), ValueError("x")),
]


@pytest.mark.parametrize("value", IMMUTABLE, ids=lambda value: type(value).__name__)
def test_what_nobody_can_change_is_immutable(value: object) -> None:
    """It is handed out as it is, so that a hit decodes nothing."""
    assert is_immutable(value) is True


@pytest.mark.parametrize("value", MUTABLE, ids=lambda value: type(value).__name__)
def test_anything_else_is_taken_for_mutable(value: object) -> None:
    """It is kept encoded, which is safe for every value."""
    assert is_immutable(value) is False


def test_a_huge_value_is_not_looked_through() -> None:
    """The cost is bounded, however many parts a value has."""
    looked_at = 0

    @dataclass(frozen=True)
    class Telling:
        x: int = 0

        def __getattribute__(self, name: str) -> Any:
            nonlocal looked_at
            looked_at += name == "x"
            return super().__getattribute__(name)

    part = Telling()

    assert is_immutable((part,) * 10)
    assert looked_at > 0
    looked_at = 0
    assert not is_immutable((part,) * 10_000)
    assert not is_immutable(((part,) * 40,) * 40)
    assert looked_at <= 2 * MOST_PARTS

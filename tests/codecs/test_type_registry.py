"""What may be registered, and under which name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any, Generic, TypeVar

import pytest

from asynccache.codecs import MsgpackCodec, TypeRegistry
from asynccache.errors import ArgumentTypeError, InvalidArgument

T = TypeVar("T")


class Colour(Enum):
    RED = 1


@dataclass
class Leaf:
    size: int


@dataclass
class Branch:
    leaves: list[Leaf]
    colour: Colour | None = None
    parent: Branch | None = None


@dataclass
class Page(Generic[T]):
    items: list[T]


def test_registering_a_class_registers_its_fields() -> None:
    """One call is enough for a class and what it is made of."""
    registry = TypeRegistry()

    assert registry.register(Branch) is Branch
    assert set(registry.by_type) == {Branch, Leaf, Colour}
    assert repr(registry) == "<TypeRegistry: 3 types>"


def test_registering_with_functions_registers_nothing_else() -> None:
    """What the functions return is up to them."""
    registry = TypeRegistry()
    registry.register(Branch, encode=repr, decode=lambda data: Branch([]))

    assert set(registry.by_type) == {Branch}


def test_register_is_a_decorator() -> None:
    """A class can be registered where it is defined."""
    codec = MsgpackCodec()

    @codec.register
    @dataclass(frozen=True, slots=True)
    class Local:
        x: int

    assert codec.decode(codec.encode(Local(1))) == Local(1)


def test_a_class_is_known_by_its_module_and_qualified_name() -> None:
    """The default name is the same in every process of an application."""
    registry = TypeRegistry()
    registry.register(Leaf)

    assert set(registry.by_name) == {f"{__name__}.Leaf"}


def twin() -> type:
    @dataclass
    class Twin:
        x: int = 0

    return Twin


def test_one_name_cannot_stand_for_two_classes() -> None:
    """The second class is refused, and told what to do; the first one stays."""
    registry, one, other = TypeRegistry(), twin(), twin()
    registry.register(one)

    with pytest.raises(InvalidArgument, match=r"name: '.*twin.<locals>.Twin' is the name of an"):
        registry.register(other)
    registry.register(Leaf, name="mine")
    with pytest.raises(InvalidArgument, match="name: 'mine' is the name of another class"):
        registry.register(one, name="mine")

    assert one in registry.by_type
    assert other not in registry.by_type
    registry.register(other, name="other")
    assert registry.by_name["other"].type_ is other


def test_a_hint_leaves_names_and_registrations_alone() -> None:
    """What was registered explicitly stands, whether before the hint or after it."""
    codec, one, other = MsgpackCodec(), twin(), twin()
    codec.register(Leaf, name="leaf", encode=lambda leaf: leaf.size, decode=Leaf)
    codec.register(one)
    codec.register_hint(list[Leaf] | other)

    assert codec.encode(Leaf(7)) == b"\xc7\x07\x0c\x92\xa4leaf\x07"
    assert other not in codec.registry.by_type


def test_registering_again_is_harmless() -> None:
    """A module that is imported by two others may register its classes twice."""
    registry = TypeRegistry()
    registry.register(Leaf)
    registry.register(Leaf)
    registry.register_hint(Leaf)

    assert set(registry.by_type) == {Leaf}


def test_a_former_name_can_still_be_read() -> None:
    """A class that gets a new name is written under it, and read under both."""
    codec = MsgpackCodec()
    codec.register(Leaf, name="old")
    former = codec.encode(Leaf(1))
    codec.register(Leaf, name="new")

    assert codec.encode(Leaf(1)) == former.replace(b"old", b"new")
    assert codec.decode(former) == Leaf(1)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"type_": "Leaf"}, ArgumentTypeError, "type_: must be a class, got str"),
        ({"type_": Leaf(1)}, ArgumentTypeError, "type_: must be a class, got Leaf"),
        ({"type_": list[int]}, ArgumentTypeError, "type_: must be a class, got GenericAlias"),
        ({"type_": Page[int]}, ArgumentTypeError, "type_: must be a class"),
        ({"type_": int}, InvalidArgument, "type_: the codec handles int by itself"),
        ({"type_": date}, InvalidArgument, "type_: the codec handles date by itself"),
        (
            {"type_": bytearray, "encode": bytes, "decode": bytearray},
            InvalidArgument,
            "type_: the codec handles bytearray by itself",
        ),
        ({"type_": Leaf, "name": 7}, ArgumentTypeError, "name: must be a str, got int"),
        ({"type_": Leaf, "name": ""}, InvalidArgument, "name: must be 1 to 255 printable"),
        ({"type_": Leaf, "name": "a\n"}, InvalidArgument, "name: must be 1 to 255 printable"),
        ({"type_": Leaf, "name": "\ud800"}, InvalidArgument, "name: must be 1 to 255 printable"),
        ({"type_": Leaf, "name": "x" * 256}, InvalidArgument, "name: must be 1 to 255 printable"),
        ({"type_": Leaf, "encode": repr}, InvalidArgument, "decode: encode and decode belong"),
        ({"type_": Leaf, "decode": Leaf}, InvalidArgument, "encode: encode and decode belong"),
        (
            {"type_": Leaf, "encode": 7, "decode": Leaf},
            ArgumentTypeError,
            "encode: must be a function of the instance, got int",
        ),
        (
            {"type_": Leaf, "encode": repr, "decode": "x"},
            ArgumentTypeError,
            "decode: must be a function of what encode returned, got str",
        ),
    ],
)
def test_a_bad_argument_is_named(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    """Every refusal names the argument at fault, and nothing is registered."""
    registry = TypeRegistry()
    with pytest.raises(error, match=message) as caught:
        registry.register(**arguments)

    assert type(caught.value) is error
    assert registry.by_type == {}
    assert registry.by_name == {}

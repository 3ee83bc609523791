"""What a type hint registers."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
    Union,
)

import pytest
from typing_extensions import TypeAliasType

from asynccache.codecs import TypeRegistry
from tests.support.identifiers import readable_id

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # only a checker would look

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


class Pair(NamedTuple):
    left: Leaf
    right: Any


class Row(TypedDict):
    leaf: Leaf


@dataclass
class Partly:
    unknown: Unknown
    leaf: Leaf
    broken: list[1 / 0] = field(default_factory=list)  # type: ignore[valid-type]  # on purpose


@dataclass
class Shadowed:
    # The name of the field hides the class inside the body, as it does with date: date.
    Leaf: Leaf | None = None


class Plain:
    leaf: Leaf


LeafId = NewType("LeafId", Leaf)
BoundLeaf = TypeVar("BoundLeaf", bound=Leaf)
OneOf = TypeVar("OneOf", Leaf, Pair)


@pytest.mark.parametrize(
    ("hint", "registered"),
    [
        (Leaf, {Leaf}),
        (list[Leaf], {Leaf}),
        (dict[str, Leaf], {Leaf}),
        (Leaf | None, {Leaf}),
        (Optional[Leaf], {Leaf}),  # noqa: UP045  the old forms are in use
        (Union[Leaf, Pair], {Leaf, Pair}),  # noqa: UP007  likewise
        (Annotated[Leaf, "note", Pair], {Leaf}),
        (tuple[Leaf, ...], {Leaf}),
        (Sequence[Mapping[Colour, tuple[int, set[Pair]]]], {Colour, Pair, Leaf}),
        (Callable[[Leaf], Awaitable[Colour]], {Leaf, Colour}),
        (Literal[Colour.RED, "x"], {Colour}),
        (Branch, {Branch, Leaf, Colour}),
        (Page, {Page}),
        (Page[Leaf], {Page, Leaf}),
        (Page[list[Colour]], {Page, Colour}),
        (Pair, {Pair, Leaf}),
        (Row, {Leaf}),
        (LeafId, {Leaf}),
        (BoundLeaf, {Leaf}),
        (OneOf, {Leaf, Pair}),
        (Partly, {Partly, Leaf}),
        (Shadowed, {Shadowed, Leaf}),
        (Plain, set()),
        (Any, set()),
        (T, set()),
        (None, set()),
        (int | str | list[dict[str, date | Decimal]], set()),
        ("Leaf", set()),
        (list["Leaf"], set()),
        (7, set()),
    ],
    ids=readable_id,
)
def test_a_hint_registers_the_classes_it_speaks_of(hint: object, registered: set[type]) -> None:
    """Classes are found through arguments, unions, aliases and fields; the rest is ignored."""
    registry = TypeRegistry()
    registry.register_hint(hint)

    assert set(registry.by_type) == registered


def test_an_older_alias_is_followed() -> None:
    """An alias of ``typing_extensions`` stands for its value, and a lost one for none."""

    class Lost:
        @property
        def __value__(self) -> object:
            raise NameError("Nowhere")

    registry = TypeRegistry()
    registry.register_hint([TypeAliasType("Leaves", list[Leaf]), Lost()])

    assert set(registry.by_type) == {Leaf}


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the type statement is of Python 3.12")
def test_a_type_alias_is_followed() -> None:
    """An alias made by the ``type`` statement stands for its value, be it recursive."""
    namespace: dict[str, Any] = dict(globals())
    exec(
        "type Tree = Leaf | list[Tree]\ntype Lost = list[Nowhere]\nhint = dict[str, Tree]",
        namespace,
    )
    registry = TypeRegistry()
    registry.register_hint(namespace["hint"])
    registry.register_hint(namespace["Lost"])

    assert set(registry.by_type) == {Leaf}


def test_a_local_class_may_speak_of_itself() -> None:
    """Its own name, which no module has, hides nothing else of the same field."""

    @dataclass
    class Local:
        inner: Local | Leaf | None = None

    registry = TypeRegistry()
    registry.register_hint(Local)

    assert set(registry.by_type) == {Local, Leaf}

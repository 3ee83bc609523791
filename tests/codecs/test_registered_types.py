"""Instances of registered classes come back as instances, through their own constructors."""

from __future__ import annotations

import enum
from collections import OrderedDict, namedtuple
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import date
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import pytest

from asynccache.codecs import MsgpackCodec
from asynccache.errors import DecodeError, EncodeError, InvalidArgument
from tests.support.identifiers import readable_id

T = TypeVar("T")


class Colour(Enum):
    RED = "red"
    GREEN = "green"
    CRIMSON = "red"  # noqa: PIE796  another name of a member


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Word(StrEnum):
    YES = "yes"


class Access(Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class Mode(IntFlag):
    ON = 1


class Planet(Enum):
    EARTH = (5.97, 6.37)
    MARS = (0.64, 3.39)

    def __init__(self, mass: float, radius: float) -> None:
        self.mass = mass
        self.radius = radius


class Opaque(Enum):
    THING = object()


class NotANumber(Enum):
    NAN = float("nan")


class Converted(Enum):
    ONE = "1"

    def __new__(cls, text: str) -> Converted:
        member = object.__new__(cls)
        member._value_ = int(text)
        return member


@dataclass
class Address:
    street: str
    since: date | None = None


@dataclass
class User:
    id: int
    address: Address
    friends: list[User] = field(default_factory=list)
    colour: Colour = Colour.RED
    kind: ClassVar[str] = "user"
    _: KW_ONLY
    note: str = ""


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


@dataclass(order=True)
class Empty:
    pass


@dataclass
class Page(Generic[T]):
    items: list[T]
    total: int


@dataclass(frozen=True, slots=True)
class Square:
    side: int
    area: int = field(init=False)
    label: str = field(init=False, default="square")

    def __post_init__(self) -> None:
        object.__setattr__(self, "area", self.side**2)


@dataclass
class Guarded:
    count: int
    changes: int = field(init=False, default=0)

    def __setattr__(self, name: str, value: int) -> None:
        if name == "changes" and value > 9:
            raise ValueError("too many changes")
        super().__setattr__(name, value)


@dataclass
class Lenient:
    id: int

    def __init__(self, *rest: Any, **fields: Any) -> None:
        self.id = fields["id"]


class Pair(NamedTuple):
    left: int
    right: Any = None


Triple = namedtuple("Triple", ["a", "b", "c"])


def codec_of(*types: type) -> MsgpackCodec:
    codec = MsgpackCodec()
    for type_ in types:
        codec.register(type_)
    return codec


ADA = User(1, Address("Main St", date(2024, 2, 29)), colour=Colour.GREEN, note="n")

INSTANCES: list[object] = [
    *(Colour.RED, Colour.CRIMSON, Level.HIGH, Word.YES, Planet.MARS, Opaque.THING),
    *(NotANumber.NAN, Converted.ONE),
    *(Access.READ, Access.READ | Access.WRITE, Access(0), Mode.ON, Mode.ON | 8),
    *(Address("a"), ADA, User(2, Address("b"), [ADA, ADA]), Point(1), Point(2, 3), Empty()),
    *(Page([ADA], 1), Page([1, "a", (2,)], 3), Square(3), Guarded(1), Lenient(id=1)),
    *(Pair(1), Pair(1, (2, [Pair(3)])), Triple(1, 2, 3)),
]


@pytest.mark.parametrize("value", INSTANCES, ids=readable_id)
def test_an_instance_comes_back_as_it_was(value: object) -> None:
    """Each kind of class keeps its type and its fields, alone and inside other values."""
    codec = codec_of(type(value), User, Pair)
    result, inside = codec.decode(codec.encode([value, {"k": (value,)}]))

    assert type(result) is type(value)
    assert result == value
    assert inside == {"k": (value,)}
    assert repr(result) == repr(value)


def test_an_instance_can_be_a_key() -> None:
    """What is hashable comes back as a key, and as a member of a set."""
    codec = codec_of(Point, Colour, Pair)
    value = {Point(1): {Colour.RED}, Colour.GREEN: frozenset({Pair(1, 2)}), Pair(3): 1}

    assert codec.decode(codec.encode(value)) == value


def test_fields_that_the_constructor_does_not_take_are_kept() -> None:
    """A field with ``init=False`` comes back as it was stored, not as it is by default."""
    codec = codec_of(Square, Guarded)
    square = Square(3)
    object.__setattr__(square, "label", "renamed")
    guarded = Guarded(1)
    guarded.changes = 5

    assert codec.decode(codec.encode(square)).label == "renamed"
    assert codec.decode(codec.encode(guarded)).changes == 5


def test_such_a_field_passes_through_the_setter_of_its_class() -> None:
    """A class that checks what is set also checks what comes back."""
    codec, guarded = codec_of(Guarded), Guarded(1)
    vars(guarded)["changes"] = 10

    with pytest.raises(DecodeError, match=r"Guarded cannot be put together \(ValueError\)"):
        codec.decode(codec.encode(guarded))


class Unknown:
    pass


@dataclass
class WithInitVar:
    id: int
    secret: InitVar[str] = ""

    def __post_init__(self, secret: str) -> None:
        self.id += len(secret)


@dataclass
class WithOwnInit:
    id: int

    def __init__(self, url: str) -> None:
        self.id = len(url)


@dataclass(init=False)
class WithoutInit:
    id: int


@dataclass
class DictOfItsOwn(dict[str, int]):
    id: int


@dataclass
class WithoutSignature:
    id: int
    __signature__: ClassVar[int] = 7


class SubclassWithInit(Address):
    def __init__(self) -> None:
        super().__init__("fixed")


@pytest.mark.parametrize(
    ("type_", "reason"),
    [
        (WithInitVar, r"constructor of WithInitVar does not take exactly its fields, see secret"),
        (WithOwnInit, r"see id, url \(an InitVar, or an __init__ of its own\?\)"),
        (WithoutInit, r"see id"),
        (WithoutSignature, r"constructor of WithoutSignature has no signature"),
        (SubclassWithInit, r"see since, street"),
        (DictOfItsOwn, r"holds more than its fields"),
        (Unknown, r"not a dataclass, NamedTuple, Enum, pydantic model or msgspec Struct"),
        (OrderedDict, r"OrderedDict holds more than its fields"),
        (object, r"object is not a dataclass"),
    ],
)
def test_a_class_that_would_lose_something_is_refused(type_: type, reason: str) -> None:
    """What cannot be put together from its fields needs functions, and the error says so."""
    with pytest.raises(InvalidArgument, match=f"type_: .*{reason}") as caught:
        MsgpackCodec().register(type_)

    assert "register it with encode= and decode=" in str(caught.value)


def test_only_a_class_itself_is_registered() -> None:
    """An instance of a subclass is another type: it is refused, not cut down to its base."""

    @dataclass
    class Villa(Address):
        pool: bool = True

    with pytest.raises(EncodeError) as caught:
        codec_of(Address).encode(Villa("a"))

    assert caught.value.value_type is Villa


def test_a_name_is_needed_to_put_anything_together() -> None:
    """A codec that lacks the class reads its bytes as damaged, and imports nothing."""
    payload = codec_of(Point).encode(Point(1))

    with pytest.raises(DecodeError, match="not registered"):
        MsgpackCodec().decode(payload)

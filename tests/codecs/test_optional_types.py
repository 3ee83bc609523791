"""pydantic models and msgspec Structs are stored where these libraries are in use."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import pydantic
import pytest
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, PrivateAttr, RootModel, SecretStr

import asynccache
from asynccache.codecs import MsgpackCodec
from asynccache.codecs.optional import model_ways
from asynccache.errors import DecodeError, EncodeError, InvalidArgument

T = TypeVar("T")


@dataclass
class Size:
    width: int


class Part(BaseModel):
    number: int
    price: Decimal = Decimal(1)


class Shape(BaseModel):
    sides: int


class Triangle(Shape):
    angle: float = 60.0


class Product(BaseModel):
    id: int
    parts: list[Part] = []
    by_name: dict[str, tuple[Part, ...]] = {}
    size: Size | None = None
    since: date | None = None
    anything: Any = None
    hidden: str = Field(default="", exclude=True)
    link: HttpUrl | None = None
    shape: Shape | None = None

    @pydantic.computed_field  # type: ignore[prop-decorator]  # pydantic documents it so
    @property
    def double(self) -> int:
        return self.id * 2


class Aliased(BaseModel):
    model_config = ConfigDict(frozen=True)

    user_id: int = Field(alias="userId")
    deep: int = Field(default=0, validation_alias=pydantic.AliasPath("a", 0))


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    at: date
    pair: tuple[int, int]
    parts: frozenset[int] = frozenset()


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: int


class Tags(RootModel[list[str]]):
    pass


class Envelope(BaseModel, Generic[T]):
    data: T


class Even(BaseModel):
    number: int

    @pydantic.field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        if number % 2:
            raise ValueError("odd")
        return number


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Line(msgspec.Struct, frozen=True, kw_only=True, tag=True, rename="camel", array_like=True):
    first_end: Point
    ends: list[Point] = []
    note: str | msgspec.UnsetType = msgspec.UNSET


class Version(msgspec.Struct):
    x: int
    z: int = 9


VALUES: list[object] = [
    Part(number=1),
    Product(id=1),
    Product(
        id=2,
        parts=[Part(number=1, price=Decimal("2.50"))],
        by_name={"a": (Part(number=2),)},
        size=Size(3),
        since=date(2024, 1, 1),
        anything=(1, {2}, Part(number=4), Size(5)),
        hidden="kept",
        link=HttpUrl("https://example.org/a?b=c"),
    ),
    Product(id=3, shape=Triangle(sides=3, angle=1.5)),
    Aliased(userId=7),
    Strict(at=date(2024, 1, 1), pair=(1, 2), parts=frozenset({1})),
    Open.model_validate({"id": 1, "more": (1, 2)}),
    Tags(["a", "b"]),
    Envelope[Part](data=Part(number=1)),
    Even(number=2),
    Point(1),
    Line(first_end=Point(1, 2), ends=[Point(3)]),
    Line(first_end=Point(1, 2), note="n"),
]


def codec_for(*values: object) -> MsgpackCodec:
    codec = MsgpackCodec()
    for value in values:
        codec.register_hint(type(value))
    return codec


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_an_instance_comes_back_as_it_was(value: Any) -> None:
    """Fields keep their values and types, whatever the library's own dump makes of them."""
    codec = codec_for(value, Triangle(sides=3))
    result, (inside,) = codec.decode(codec.encode([value, (value,)]))

    assert type(result) is type(value)
    assert result == inside == value
    assert repr(result) == repr(value)


def test_which_fields_were_set_is_kept() -> None:
    """``exclude_unset`` shows the same before and after."""
    codec = codec_for(Part(number=1))
    dumps = [
        codec.decode(codec.encode(part)).model_dump(exclude_unset=True)
        for part in (Part(number=1), Part(number=1, price=Decimal(1)))
    ]

    assert dumps == [{"number": 1}, {"number": 1, "price": Decimal(1)}]


def test_values_are_validated_when_they_come_back() -> None:
    """An instance that its validators would refuse now is a miss."""
    codec = codec_for(Even(number=2))
    payload = codec.encode(Even.model_construct(number=3))

    with pytest.raises(DecodeError, match=r"Even cannot be put together \(ValidationError\)"):
        codec.decode(payload)


@pytest.mark.parametrize(
    "parts",
    [None, 7, [], [{}], [{}, None, []], [{"number": "x"}, None, []], [{"number": 2}, None, [[]]]],
)
def test_bad_parts_of_a_model_are_a_decode_error(parts: object) -> None:
    """Whatever stands where a model's fields should be leads to no other exception."""
    codec = codec_for(Even(number=2))
    good = MsgpackCodec()
    good.register(Even, encode=lambda _: parts, decode=lambda data: data)

    with pytest.raises(DecodeError):
        codec.decode(good.encode(Even(number=2)))


def renamed(type_: type, **fields: Any) -> Any:
    return pydantic.create_model("Item", __module__="app", __base__=type_, **fields)


def test_a_model_evolves() -> None:
    """Unknown fields are ignored, also where extra ones are forbidden, and defaults fill in."""
    old = renamed(BaseModel, id=(int, ...), gone=(str, "x"))
    new = renamed(Strict, at=(date, date(2024, 1, 1)), pair=(tuple[int, int], (1, 2)), id=(int, 0))
    before, after = MsgpackCodec(), MsgpackCodec()
    before.register(old)
    after.register(new)

    assert after.decode(before.encode(old(id=7))) == new(id=7)


def test_extra_values_go_only_where_they_are_allowed() -> None:
    """A model that allows no extra fields gets none, whatever the bytes hold."""
    old, new = renamed(Open), renamed(Closed)
    before, after = MsgpackCodec(), MsgpackCodec()
    before.register(old)
    after.register(new)

    assert after.decode(before.encode(old(id=7, more=1))) == new(id=7)


def test_private_attributes_start_anew() -> None:
    """They are not data: the model makes them itself."""

    class Counting(BaseModel):
        id: int
        _seen: int = PrivateAttr(default=0)

    codec, value = MsgpackCodec(), Counting(id=1)
    codec.register(Counting)
    value._seen = 5

    assert codec.decode(codec.encode(value))._seen == 0


def test_a_secret_is_not_stored_unasked() -> None:
    """A SecretStr is refused like any unknown type."""

    class Account(BaseModel):
        password: SecretStr

    codec = MsgpackCodec()
    codec.register(Account)

    with pytest.raises(EncodeError) as caught:
        codec.encode(Account(password=SecretStr("x")))
    assert caught.value.value_type is SecretStr


def test_an_old_pydantic_is_refused() -> None:
    """Before 2.11 an aliased model could be stored and never be read."""

    class Old:
        @classmethod
        def model_validate(cls, obj: object, *, strict: bool | None = None) -> Old:
            return cls()

    with pytest.raises(InvalidArgument, match=r"type_: pydantic models need pydantic 2\.11"):
        model_ways(Old)


def test_a_struct_evolves() -> None:
    """Fields of a Struct are matched by name, and defaults fill in."""
    before, after = MsgpackCodec(), MsgpackCodec()
    before.register(Point, name="point")
    after.register(Version, name="point")

    assert after.decode(before.encode(Point(1, 2))) == Version(1, 9)


def test_a_dataclass_of_pydantic_is_validated() -> None:
    """It is a dataclass whose constructor checks types."""

    @pydantic.dataclasses.dataclass
    class Checked:
        number: int

    codec, loose = MsgpackCodec(), MsgpackCodec()
    codec.register(Checked)
    loose.register(Checked, encode=lambda _: {"number": "x"}, decode=lambda data: data)

    assert codec.decode(codec.encode(Checked(1))) == Checked(1)
    with pytest.raises(DecodeError, match=r"\(ValidationError\)"):
        codec.decode(loose.encode(Checked(1)))


@pytest.mark.parametrize("library", ["pydantic", "msgspec"])
def test_the_codec_imports_no_optional_library(library: str) -> None:
    """Who does not use these libraries needs neither to have them nor to pay for them."""
    script = (
        "import sys, asynccache.codecs as c; from dataclasses import dataclass\n"
        "@dataclass\nclass A: x: int\n"
        "codec = c.MsgpackCodec(); codec.register(A); codec.register_hint(dict[str, A])\n"
        "assert codec.decode(codec.encode(A(1))) == A(1) and c.is_immutable(A) is False\n"
        f"print({library!r} in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(asynccache.__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "False\n"

"""What cannot be encoded is refused, with the type at fault and what to do; nothing is lost."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import Enum, IntEnum, StrEnum
from pathlib import PurePosixPath
from typing import NamedTuple

import pytest

from asynccache.codecs import MsgpackCodec
from asynccache.errors import EncodeError, UsageError


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyStr(str):
    __slots__ = ()


class MyBytes(bytes):
    pass


class MyList(list[int]):
    pass


class MyDict(dict[str, int]):
    pass


class MyTuple(tuple[int, ...]):
    __slots__ = ()


class MySet(set[int]):
    pass


class MyDateTime(datetime):
    pass


class Level(IntEnum):
    LOW = 1


class Word(StrEnum):
    YES = "yes"


class Colour(Enum):
    RED = 1


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    left: int
    right: int


class NeverZone(tzinfo):
    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return None

    dst = utcoffset

    def tzname(self, when: datetime | None) -> str | None:
        return None


class Broken(NeverZone):
    def utcoffset(self, when: datetime | None) -> timedelta | None:
        raise OSError("no zone data")


STRANGERS: list[object] = [
    *(MyInt(1), MyFloat(1.5), MyStr("a"), MyBytes(b"a"), MyList([1]), MyDict(a=1), MyTuple([1])),
    *(MySet({1}), MyDateTime(2024, 1, 1), OrderedDict(a=1), defaultdict(list), Counter("a")),
    *(deque([1]), Level.LOW, Word.YES, Colour.RED, Point(1), Pair(1, 2), object(), Point, len),
    *(PurePosixPath("/a"), range(3), {}.keys(), (item for item in [1]), (1).__add__),
    *(bytearray(b"a"), bytearray(300), bytearray(70_000), bytearray(), memoryview(b"a")),
    *(
        memoryview(b"a" * 300),
        memoryview(b"a" * 70_000),
        memoryview(b""),
        Ellipsis,
        NotImplemented,
        ValueError("x"),
        slice(1),
    ),
]


@pytest.mark.parametrize("stranger", STRANGERS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize(
    "wrap",
    [
        lambda value: value,
        lambda value: [value],
        lambda value: {"key": {"inner": value}},
        lambda value: ("a", (value,)),
        lambda value: [{"a": [1.5, b"x"]}, ({"deep": [value]},)],
    ],
    ids=["alone", "in a list", "in a dict", "in a tuple", "deep"],
)
def test_an_unknown_type_is_refused_wherever_it_is(
    stranger: object, wrap: Callable[[object], object]
) -> None:
    """The error names the argument and the inner type, also of subclasses of known types."""
    with pytest.raises(EncodeError) as caught:
        MsgpackCodec().encode(wrap(stranger))

    assert caught.value.argument == "value"
    assert caught.value.value_type is type(stranger)
    assert isinstance(caught.value, UsageError)


def test_an_unknown_type_as_a_key_is_refused() -> None:
    """Keys are encoded as carefully as values."""
    with pytest.raises(EncodeError) as caught:
        MsgpackCodec().encode({Colour.RED: 1})

    assert caught.value.value_type is Colour


def test_the_error_says_what_to_do() -> None:
    """A user reads the way out in the message."""
    with pytest.raises(EncodeError, match=r"cannot encode a value of type \S+\.Point; register it"):
        MsgpackCodec().encode(Point(1))
    with pytest.raises(EncodeError, match=r"cache\.codec\.register\(Point\), or use a region or @"):
        MsgpackCodec().encode([Point(1)])
    with pytest.raises(EncodeError, match=r"bytearray; store bytes\(value\) instead"):
        MsgpackCodec().encode({"body": bytearray(b"x")})
    with pytest.raises(EncodeError, match="lone surrogate"):
        MsgpackCodec().encode(["\ud800"])


def test_a_coroutine_is_refused_with_its_own_advice() -> None:
    """To forget an ``await`` is common enough to be told so."""

    async def load() -> int:
        return 1

    coroutine = load()
    with pytest.raises(EncodeError, match="await it and store its result"):
        MsgpackCodec().encode(coroutine)
    coroutine.close()


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (datetime(2024, 1, 1, tzinfo=NeverZone()), NeverZone),
        (time(1, tzinfo=NeverZone()), NeverZone),
        (datetime(2024, 1, 1, tzinfo=Broken()), datetime),
    ],
)
def test_a_zone_without_an_offset_is_refused(value: object, kind: type) -> None:
    """A moment whose zone would silently be lost is not stored."""
    with pytest.raises(EncodeError) as caught:
        MsgpackCodec().encode(value)

    assert caught.value.value_type is kind


def test_a_codec_works_on_after_a_refusal() -> None:
    """An encoding that failed half-way leaves nothing in the next one."""
    codec = MsgpackCodec()
    before = codec.encode([1, (2, date(2024, 1, 1))])
    for bad in ([1, 2, object()], (1, (2, object())), ["x" * 1000, "\ud800"]):
        with pytest.raises(EncodeError):
            codec.encode(bad)

        assert codec.encode([1, (2, date(2024, 1, 1))]) == before


@pytest.mark.parametrize("length", [0xC4, 0xC5, 0xC6])
def test_what_only_looks_like_a_buffer_is_encoded(length: int) -> None:
    """Bytes that happen to be the marks of a buffer in other values refuse nothing."""
    codec = MsgpackCodec()
    value = {"text": "a" * length, length: [length], "ç": ("Ą", b"x", {b"k": [b"v", "ŝ"]})}

    assert codec.decode(codec.encode(value)) == value

"""Any bytes at all are a value or a DecodeError, at a cost that the bytes' length bounds."""

from __future__ import annotations

import random
import sys
import tracemalloc
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation, localcontext
from enum import Enum
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.codecs import MsgpackCodec
from asynccache.codecs.extensions import DEEPEST
from asynccache.errors import DecodeError

pinned = settings(derandomize=True, deadline=None, max_examples=200)


class Colour(Enum):
    RED = "red"


class Pair(NamedTuple):
    left: int
    right: int


@dataclass
class Fussy:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise LookupError("number must not be negative")


@pytest.fixture
def codec() -> MsgpackCodec:
    return registered()


def registered() -> MsgpackCodec:
    codec = MsgpackCodec()
    for type_ in (Colour, Pair, Fussy):
        codec.register(type_, name=type_.__name__)
    return codec


def ext(code: int, data: bytes) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(code, data))
    return packed


def instance(name: object, parts: object) -> bytes:
    return ext(12, msgpack.packb([name, parts]))


def nested_extensions(depth: int) -> bytes:
    payload = b"\xc0"
    for _ in range(depth):
        payload = ext(1, b"\x91" + payload)
    return payload


BAD = {
    "empty": b"",
    "a reserved byte": b"\xc1",
    "two values": b"\xc0\xc0",
    "trailing bytes": b"\x01garbage",
    "a cut list": b"\x92\x01",
    "a cut string": b"\xa5ab",
    "a cut extension": b"\xc7\x05\x01ab",
    "bad UTF-8": b"\xa1\xff",
    "a list as a key": b"\x81\x90\x01",
    "a dict as a key": b"\x81\x80\x01",
    "a set as a key": b"\x81" + ext(2, b"\x90") + b"\x01",
    "a list in a set": ext(2, b"\x91\x90"),
    "lists nested too deep": b"\x91" * 3_000 + b"\xc0",
    "extensions nested too deep": nested_extensions(DEEPEST + 1),
    "extensions nested far too deep": nested_extensions(5_000),
    "an unknown extension": ext(0, b""),
    "another unknown extension": ext(127, b"x"),
    "a reserved extension": b"\xd4\x80\x00",
    "a malformed timestamp": b"\xd4\xff\x00",
    "a tuple of nothing": ext(1, b""),
    "a tuple of no list": ext(1, b"\x01"),
    "a tuple of a dict": ext(1, b"\x80"),
    "a tuple and more": ext(1, b"\x90\x90"),
    "a deep tuple and more": nested_extensions(10).replace(b"\x91\xc0", b"\x90\xc0"),
    "an instance of no list": ext(12, b"\x01"),
    "an instance of three": ext(12, b"\x93\x01\x01\x01"),
    "an unregistered name": instance("os.system", {"command": "true"}),
    "a name of another type": instance(7, {}),
    "a name that cannot be hashed": instance([], {}),
    "fields that are no dict": instance("Fussy", [1]),
    "a missing field": instance("Fussy", {}),
    "a constructor that refuses": instance("Fussy", {"number": -1}),
    "a constructor that fails": instance("Fussy", {"number": "x"}),
    "a pair of one": instance("Pair", {"left": 1}),
    "no member": instance("Colour", {"value": "green"}),
    "no name of a member": instance("Colour", {"name": "__class__"}),
    "an unhashable member": instance("Colour", {"value": []}),
    "neither name nor value": instance("Colour", {}),
    "a moment": ext(5, b"not a moment"),
    "a moment of no day": ext(5, b"2023-02-29T00:00:00"),
    "a moment in no text": ext(5, b"\xff\xfe"),
    "a moment in an unknown zone": ext(5, b"2024-01-01T00:00:00[Mars/Olympus]0"),
    "a moment in a directory": ext(5, b"2024-01-01T00:00:00[America]0"),
    "a moment in a file": ext(5, b"2024-01-01T00:00:00[../../etc/passwd]0"),
    "a moment in an absolute file": ext(5, b"2024-01-01T00:00:00[/etc/localtime]0"),
    "a moment in a package": ext(5, b"2024-01-01T00:00:00[tzdata.zoneinfo]0"),
    "a moment in an open zone": ext(5, b"2024-01-01T00:00:00[UTC"),
    "a moment of a third fold": ext(5, b"2024-01-01T00:00:00[UTC]2"),
    "a moment with a long zone": ext(5, b"2024-01-01T00:00:00[" + b"a/" * 500 + b"b]0"),
    "a date": ext(6, b"2024-13-01"),
    "a time": ext(7, b"25:00"),
    "a length of time": ext(8, b"short"),
    "too long a time": ext(8, b"\x7f\xff\xff\xff" * 3),
    "a decimal": ext(9, b"one"),
    "a UUID": ext(10, b"x" * 15),
    "a complex": ext(11, b"x" * 15),
}


@pytest.mark.parametrize("payload", BAD.values(), ids=BAD.keys())
def test_bad_bytes_are_a_decode_error(codec: MsgpackCodec, payload: bytes) -> None:
    """Each kind of damage is the one error, alone and deep inside a value."""
    with pytest.raises(DecodeError):
        codec.decode(payload)
    with pytest.raises(DecodeError):
        codec.decode(b"\x92\x01" + payload + b"\x01\x01")


@pytest.mark.parametrize("wrong", [None, "text", 7, [b"\x01"]])
def test_what_is_not_bytes_is_a_decode_error(codec: MsgpackCodec, wrong: object) -> None:
    """Redis may answer with another type altogether."""
    with pytest.raises(DecodeError):
        codec.decode(wrong)  # type: ignore[arg-type]  # that is the point


def test_the_error_shows_nothing_of_the_bytes(codec: MsgpackCodec) -> None:
    """What the bytes hold may be secret; the error says what was wrong with them."""
    for payload in (b"\xa7secret\xff", instance("secret", {}), ext(6, b"secret")):
        with pytest.raises(DecodeError) as caught:
            codec.decode(payload)

        assert "secret" not in str(caught.value)
        assert str(caught.value).startswith("payload: ")


def test_a_refusing_constructor_is_named(codec: MsgpackCodec) -> None:
    """The error names the registered type and keeps its exception as the cause."""
    with pytest.raises(
        DecodeError, match=r"Fussy cannot be put together \(LookupError\)"
    ) as caught:
        codec.decode(instance("Fussy", {"number": -1}))

    assert isinstance(caught.value.__cause__, LookupError)


def test_a_lenient_decimal_context_lets_nothing_through(codec: MsgpackCodec) -> None:
    """Bad text is not a NaN, whatever the application set its context to."""
    with localcontext() as context:
        context.traps[InvalidOperation] = False
        with pytest.raises(DecodeError):
            codec.decode(ext(9, b"one"))


def test_a_zone_key_with_dots_imports_nothing(
    codec: MsgpackCodec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zone database would take such a key for the name of a package."""
    asked: list[str] = []

    class Listening:
        def find_spec(self, name: str, *_: object) -> None:
            asked.append(name)

    monkeypatch.setattr(sys, "meta_path", [Listening(), *sys.meta_path])
    with pytest.raises(DecodeError):
        codec.decode(ext(5, b"2024-01-01T00:00:00[some.package/name]0"))

    assert asked == []


SAMPLE = {
    "user": {"id": 7, "name": "Ada", "balance": Decimal("12.50"), 3: None},
    "at": datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    "list": [1, -1, 2**70, 1.5, True, b"bytes", (1, (2, {3})), frozenset({"a"})],
    "values": [date(2024, 1, 1), time(1, 2), timedelta(1), UUID(int=5), 1j],
    "types": [Colour.RED, Pair(1, 2), Fussy(5)],
}


def survives(codec: MsgpackCodec, payload: bytes) -> bool:
    """Decode bytes that may raise DecodeError and nothing else; tell whether they are a value."""
    try:
        codec.decode(payload)
    except DecodeError:
        return False
    return True


@pinned
@given(st.binary(max_size=300))
def test_random_bytes_are_a_value_or_a_decode_error(payload: bytes) -> None:
    """No bytes lead to another exception."""
    survives(registered(), payload)


@pinned
@given(st.integers(0, 12), st.binary(max_size=60))
def test_random_extensions_are_a_value_or_a_decode_error(code: int, data: bytes) -> None:
    """No data in any of the codec's own extensions leads to another exception."""
    survives(registered(), ext(code, data))


def test_a_cut_payload_is_a_decode_error(codec: MsgpackCodec) -> None:
    """No beginning of a payload is a value, and neither is a payload with more after it."""
    payload = codec.encode(SAMPLE)
    values = [length for length in range(len(payload)) if survives(codec, payload[:length])]

    assert codec.decode(payload) == SAMPLE
    assert values == []
    assert not survives(codec, payload + b"\0")


def test_a_changed_payload_is_a_value_or_a_decode_error(codec: MsgpackCodec) -> None:
    """Flipped bits, wherever they are, lead to no other exception."""
    payload = codec.encode(SAMPLE)
    damage = random.Random(20240229)
    survivors = 0
    for _ in range(3_000):
        changed = bytearray(payload)
        for _ in range(damage.randint(1, 3)):
            changed[damage.randrange(len(changed))] ^= 1 << damage.randrange(8)
        survivors += survives(codec, bytes(changed))

    assert 0 < survivors < 3_000  # some changes hit a text, others the structure


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xc9\xff\xff\xff\xff\x01",
        b"\xdd\x7f\xff\xff\xff" * 500,
        nested_extensions(10).replace(b"\xc0", b"\xdd\xff\xff\xff\xff"),
    ],
    ids=["array", "map", "str", "bin", "ext", "arrays", "deep array"],
)
def test_a_length_that_the_bytes_do_not_have_reserves_no_memory(
    codec: MsgpackCodec, payload: bytes
) -> None:
    """Five bytes that promise four billion elements cost nothing to refuse."""
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            codec.decode(payload)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()

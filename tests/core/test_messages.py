"""Messages of the bus: packed, numbered, unpacked; and garbage that is refused as such."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccache.core.messages import (
    CHARACTERS_PER_MESSAGE,
    KEYS_PER_MESSAGE,
    Kind,
    Message,
    forget_keys,
    unpack,
)
from asynccache.errors import DecodeError

ORIGIN = b"\x00|\xffabc"
thorough = settings(derandomize=True, deadline=None, max_examples=300)
NO_KINDS: list[object] = [0, 7, -1, None, "1", [1], {}, 1.5]
keys = st.text(st.characters(codec="utf-8"), max_size=10)


def sent(*fields: object, number: bytes = b"7") -> bytes:
    """Return a message of any fields as Redis would deliver it."""
    return number + b"|" + msgpack.packb(fields)


@thorough
@given(
    number=st.integers(0, 2**63 - 1),
    origin=st.binary(max_size=16),
    kind=st.sampled_from(Kind),
    texts=st.lists(keys, max_size=5),
)
@example(number=0, origin=b"|", kind=Kind.FORGET_ALL, texts=[])
@example(number=1, origin=ORIGIN, kind=Kind.FORGET_KEYS, texts=["a|b", "\0", ""])
def test_a_message_arrives_as_it_was_sent(
    number: int, origin: bytes, kind: Kind, texts: list[str]
) -> None:
    """Bars, zeros and any script in it included."""
    message = Message(origin, kind, tuple(texts))

    assert unpack(b"%d|%b" % (number, message.pack())) == (number, message)


@pytest.mark.parametrize(
    ("count", "sizes"),
    [
        (0, []),
        (1, [1]),
        (KEYS_PER_MESSAGE, [KEYS_PER_MESSAGE]),
        (2 * KEYS_PER_MESSAGE + 1, [KEYS_PER_MESSAGE, KEYS_PER_MESSAGE, 1]),
    ],
)
def test_many_keys_go_in_messages_of_bounded_size(count: int, sizes: list[int]) -> None:
    """Each key is in one of them, in order."""
    names = [f"key:{number}" for number in range(count)]
    messages = list(forget_keys(ORIGIN, names))

    assert [len(message.texts) for message in messages] == sizes
    assert [text for message in messages for text in message.texts] == names
    assert {(message.origin, message.kind) for message in messages} <= {(ORIGIN, Kind.FORGET_KEYS)}


@pytest.mark.parametrize(
    "data",
    [
        *(None, "7|text", 7, [b"7|"], bytearray(b"7|")),
        *(b"", b"|", b"7", b"7|", b"|\x90", sent(1, ORIGIN, 1, [])[1:]),
        *(
            sent(1, ORIGIN, 1, [], number=digits)
            for digits in (b"-7", b"+7", b" 7", b"7\n", b"7.0")
        ),
        *(sent(1, ORIGIN, 1, [], number=digits) for digits in (b"9" * 20, b"\xd9\xa1", b"1_0")),
        *(sent(*fields) for fields in ([], [1], [1, ORIGIN, 1], [1, ORIGIN, 1, [], 0])),
        *(sent(2, ORIGIN, 1, []), sent(0, ORIGIN, 1, []), sent(None, ORIGIN, 1, [])),
        *(sent(1, "text", 1, []), sent(1, None, 1, []), sent(1, 7, 1, [])),
        *(sent(1, ORIGIN, kind, []) for kind in NO_KINDS),
        *(sent(1, ORIGIN, 1, texts) for texts in (None, "ab", 7, {"a": 1}, [b"a"], [1], [["a"]])),
        *(
            b"7|\xdd\xff\xff\xff\xff",
            b"7|" + b"\x91" * 5_000,
            b"7|\xc1",
            b"7|\xd7\xff" + b"\xff" * 8,
        ),
        b"7|\x94\x01\xc4\x01a\x01\x91\xa3\xed\xa0\x80",  # a surrogate, which no key holds
        sent(1, ORIGIN, 1, []) + b"\x00",
        sent(1, ORIGIN, 1, [])[:-1],
    ],
)
def test_garbage_is_refused_as_such(data: object) -> None:
    """Whoever can publish on the channel can do no more than cause a gap."""
    with pytest.raises(DecodeError):
        unpack(data)


anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | keys | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
bodies = (
    st.binary(max_size=40)
    | anything.map(msgpack.packb)
    | st.tuples(st.just(1), anything, anything, anything).map(msgpack.packb)
)


@thorough
@given(prefix=st.sampled_from([b"7|", b"", b"x|"]), body=bodies)
def test_random_bytes_are_a_message_or_a_decode_error(prefix: bytes, body: bytes) -> None:
    """A bus that could be ended by a message would be ended by one."""
    try:
        number, message = unpack(prefix + body)
    except DecodeError:
        return
    assert number >= 0
    assert type(message.origin) is bytes
    assert type(message.kind) is Kind
    assert all(type(text) is str for text in message.texts)


def test_a_damaged_message_is_a_message_or_a_decode_error() -> None:
    """With any byte of it changed to any of a few others."""
    raw = b"12|" + Message(ORIGIN, Kind.FORGET_KEYS, ("user:1", "user:2")).pack()
    refused = 0
    for place in range(len(raw)):
        for other in (0x00, 0x7F, 0x80, 0x94, 0xC1, 0xC7, 0xDD, 0xFF):
            damaged = raw[:place] + bytes([other]) + raw[place + 1 :]
            try:
                unpack(damaged)
            except DecodeError:
                refused += 1
    assert refused > len(raw)


def test_long_keys_make_more_messages() -> None:
    """A message is bounded in characters too, and no key is lost or repeated."""
    keys = [f"{number}:" + "x" * 8_000 for number in range(20)]

    messages = list(forget_keys(b"me", keys))

    assert [key for message in messages for key in message.texts] == keys
    assert max(sum(map(len, message.texts)) for message in messages) <= CHARACTERS_PER_MESSAGE

"""Fields: lines, lists, and what may be stored (RFC 9110, 5; RFC 9111, 3.1)."""

from __future__ import annotations

import random
import time

import pytest

from asynccache.core.http_fields import (
    HOP_BY_HOP,
    combined,
    field_lines,
    is_token,
    members,
    split_list,
    storable_fields,
    without,
)

HEADERS = [(b"Accept", b"a"), (b"x", b""), (b"ACCEPT", b"b, c")]


def test_lines_and_their_combination() -> None:
    """Names in any case, the order of the lines, and absent is not empty (5.3)."""
    assert field_lines(HEADERS, b"accept") == [b"a", b"b, c"]
    assert field_lines(HEADERS, b"y") == []
    assert combined(HEADERS, b"accept") == b"a, b, c"
    assert combined(HEADERS, b"x") == b""
    assert combined(HEADERS, b"y") is None
    assert combined([(b"x", b""), (b"x", b"")], b"x") == b", "
    assert members(HEADERS, b"accept") == [b"a", b"b", b"c"]
    assert members(HEADERS, b"y") == []


def test_a_quote_does_not_reach_into_the_next_line() -> None:
    """Each line is a list of its own."""
    assert members([(b"x", b'"a'), (b"x", b'b", c')], b"x") == [b'"a', b'b"', b"c"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b" , ,, \t", []),
        (b"a", [b"a"]),
        (b" a ,\tb\t", [b"a", b"b"]),
        (b"a b,c", [b"a b", b"c"]),
        (b'a="x,y", b', [b'a="x,y"', b"b"]),
        (b'"a,b","c,d"', [b'"a,b"', b'"c,d"']),
        (b'"", a', [b'""', b"a"]),
        (b'"\\",", b', [b'"\\","', b"b"]),
        (b'"\\\\", b', [b'"\\\\"', b"b"]),
        (b'"\\\n,", b', [b'"\\\n,"', b"b"]),
        (b'a"b,"c, d', [b'a"b,"c', b"d"]),
        (b'a="b, c" d, e', [b'a="b, c" d', b"e"]),
        (b"\xff,\x00", [b"\xff", b"\x00"]),
        (b"\\,a", [b"\\", b"a"]),
        (b"\n,a", [b"\n", b"a"]),
    ],
)
def test_lists(value: bytes, expected: list[bytes]) -> None:
    """Quoted commas separate nothing; what is empty does not count (5.6.1)."""
    assert split_list(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"', [b'"']),
        (b'a="unended, b', [b'a="unended', b"b"]),
        (b'a, "b,c", d"e, f,, g', [b"a", b'"b,c"', b'd"e', b"f", b"g"]),
        (b'"a\\", b', [b'"a\\"', b"b"]),
        (b'"a, b\\', [b'"a', b"b\\"]),
        (b'a\\"b, c', [b'a\\"b', b"c"]),
        (b'"a,b"c"d, e', [b'"a,b"c"d', b"e"]),
        (b'"a" , "', [b'"a"', b'"']),
    ],
)
def test_a_quote_that_never_ends_hides_nothing(value: bytes, expected: list[bytes]) -> None:
    """Else one stray quote would swallow a no-store behind it."""
    assert split_list(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"a" * 100_000, b'"' * 100_001, b"," * 100_000, b'a"' * 50_000, b"\\" * 100_000),
        *(b'"' + b"\\" * 100_000, b'"' + b'\\"' * 50_000, b'"a' * 50_001, b'a"b"' * 25_000 + b'"'),
        *(b'","' * 33_000, b" " * 100_000, b'"' + b"," * 100_000),
    ],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_lists_end(value: bytes) -> None:
    """In time that grows with their length only: a square of it would be minutes."""
    start = time.thread_time()
    assert isinstance(split_list(value), list)
    assert time.thread_time() - start < 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"etag", True),
        (b"x-1!#$%&'*+.^_`|~", True),
        *((bytes([byte]), False) for byte in b'(),/:;<=>?@[\\]{}" \t\x00\x7f\x80\xff'),
        *((value, False) for value in (b"", b"a b", b"a:", b"a\n", b" a", b"\xc3\xa4")),
    ],
)
def test_tokens(value: bytes, expected: bool) -> None:
    """RFC 9110, 5.6.2."""
    assert is_token(value) is expected


def test_what_belongs_to_one_connection_is_not_stored() -> None:
    """Nor what Connection names, on any line; the rest keeps its order and its duplicates."""
    headers = [
        *((b"A", b"1"), (b"Connection", b"X-One, close,,"), (b"connection", b"x-two")),
        *((b"X-ONE", b"1"), (b"x-two", b"2"), (b"Transfer-Encoding", b"chunked"), (b"a", b"2")),
        *((b"Keep-Alive", b"5"), (b"TE", b"x"), (b"Upgrade", b"h2c"), (b"Proxy-Connection", b"y")),
        *((b"Proxy-Authenticate", b"z"), (b"Proxy-Authentication-Info", b"z")),
        (b"Proxy-Authorization", b"z"),
    ]
    assert storable_fields(headers) == ((b"a", b"1"), (b"a", b"2"))


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_each_field_of_a_connection(name: bytes) -> None:
    """In any case (7.6.1; RFC 9111, 3.1)."""
    assert storable_fields([(name.title(), b"x"), (name + b"-x", b"y")]) == ((name + b"-x", b"y"),)


def test_fields_are_left_out_by_name() -> None:
    """And come out in small letters, as others."""
    assert without(HEADERS, {b"accept"}) == ((b"x", b""),)
    assert without(HEADERS, ()) == ((b"accept", b"a"), (b"x", b""), (b"accept", b"b, c"))
    assert HEADERS[0] == (b"Accept", b"a")


def test_random_bytes_never_raise() -> None:
    """And nothing is lost but commas and blanks."""
    chance = random.Random(1)
    for _ in range(3_000):
        value = bytes(chance.choice(b'",;=\\ \t-a1\xff') for _ in range(chance.randrange(20)))
        found = split_list(value)
        kept = b"".join(found)
        assert all(found)
        assert [byte for byte in kept if byte not in b", \t"] == [
            byte for byte in value if byte not in b", \t"
        ]
        is_token(value)
        storable_fields([(value, value), (b"connection", value)])

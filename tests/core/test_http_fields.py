"""Fields: lines, lists, and what may be stored (RFC 9110, 5; RFC 9111, 3.1)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_fields import (
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
    assert combined(HEADERS, b"accept") == b"a, b, c"
    assert combined(HEADERS, b"x") == b""
    assert combined(HEADERS, b"y") is None
    assert members(HEADERS, b"accept") == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b" , ,, ", []),
        (b"a", [b"a"]),
        (b" a ,\tb\t", [b"a", b"b"]),
        (b'a="x,y", b', [b'a="x,y"', b"b"]),
        (b'"\\",", b', [b'"\\","', b"b"]),
        (b'a="unended, b', [b'a="unended, b']),
        (b'a"b"c, d', [b'a"b"c', b"d"]),
        (b'"', [b'"']),
        (b"\xff,\x00", [b"\xff", b"\x00"]),
    ],
)
def test_lists(value: bytes, expected: list[bytes]) -> None:
    """Quoted commas separate nothing; what is empty does not count (5.6.1)."""
    assert split_list(value) == expected


@pytest.mark.parametrize("value", [b"a" * 100_000, b'"' * 100_001, b",", b'a"' * 50_000, b"\\" * 9])
def test_hostile_lists_end(value: bytes) -> None:
    """In time that grows with their length only."""
    assert isinstance(split_list(value), list)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"etag", True),
        (b"x-1!#$%&'*+.^_`|~", True),
        (b"", False),
        (b"a b", False),
        (b"a:", False),
        (b"\xff", False),
        (b'"', False),
        (b"a\n", False),
    ],
)
def test_tokens(value: bytes, expected: bool) -> None:
    """RFC 9110, 5.6.2."""
    assert is_token(value) is expected


def test_what_belongs_to_one_connection_is_not_stored() -> None:
    """Nor what Connection names, on any line; the rest keeps its order and its duplicates."""
    headers = [
        *((b"A", b"1"), (b"Connection", b"X-One, close"), (b"connection", b"x-two")),
        *((b"X-ONE", b"1"), (b"x-two", b"2"), (b"Transfer-Encoding", b"chunked"), (b"a", b"2")),
        *((b"Keep-Alive", b"5"), (b"TE", b"x"), (b"Upgrade", b"h2c"), (b"Proxy-Connection", b"y")),
        *((b"Proxy-Authenticate", b"z"), (b"Proxy-Authentication-Info", b"z")),
    ]
    assert storable_fields(headers) == ((b"a", b"1"), (b"a", b"2"))


def test_fields_are_left_out_by_name() -> None:
    """And come out in small letters."""
    assert without(HEADERS, {b"accept"}) == ((b"x", b""),)


def test_random_bytes_never_raise() -> None:
    """Whatever a client sends."""
    chance = random.Random(1)
    for _ in range(2_000):
        value = bytes(chance.choice(b'",;=\\ \t-a1\xff') for _ in range(chance.randrange(20)))
        split_list(value)
        is_token(value)

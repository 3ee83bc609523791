"""Validation with the application (RFC 9111, 4.3 and 3.2)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_validation import CONDITIONS, OF_THE_CONTENT, merged, validation_request

Headers = list[tuple[bytes, bytes]]
INM, IMS = b"if-none-match", b"if-modified-since"
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize(
    ("stored", "conditions"),
    [
        ([(b"etag", b'"a"')], ((INM, b'"a"'),)),
        ([(b"etag", b'W/"a"')], ((INM, b'W/"a"'),)),
        ([(b"last-modified", DATE)], ((IMS, DATE),)),
        ([(b"ETag", b'"a"'), (b"Last-Modified", DATE)], ((INM, b'"a"'), (IMS, DATE))),
        ([(b"etag", b"no tag")], ()),
        ([(b"etag", b'"a"'), (b"etag", b'"b"')], ()),
        ([(b"etag", b"no tag"), (b"last-modified", DATE)], ((IMS, DATE),)),
        ([], ()),
    ],
)
def test_the_application_is_asked_with_our_own_conditions(
    stored: Headers, conditions: tuple[tuple[bytes, bytes], ...]
) -> None:
    """The client's are judged on what comes of it (4.3.1)."""
    asked = [(b"Accept", b"a"), *((name, b'"client"') for name in sorted(CONDITIONS))]
    asked += [(name.title(), b'"client"') for name in CONDITIONS]

    assert validation_request(asked, stored) == ((b"accept", b"a"), *conditions)


@pytest.mark.parametrize(
    ("stored", "new", "expected"),
    [
        ([(b"a", b"1")], [], ((b"a", b"1"),)),
        ([(b"a", b"1")], [(b"A", b"2")], ((b"a", b"2"),)),
        ([(b"a", b"1"), (b"a", b"2")], [(b"a", b"3")], ((b"a", b"3"),)),
        ([(b"a", b"1")], [(b"a", b"2"), (b"a", b"3")], ((b"a", b"2"), (b"a", b"3"))),
        ([(b"a", b"1"), (b"b", b"1")], [(b"a", b"")], ((b"b", b"1"), (b"a", b""))),
        ([(b"A", b"1")], [(b"b", b"2")], ((b"a", b"1"), (b"b", b"2"))),
        ([(b"vary", b"a")], [(b"vary", b"b")], ((b"vary", b"b"),)),
    ],
)
def test_a_304_replaces_fields(
    stored: Headers, new: Headers, expected: tuple[tuple[bytes, bytes], ...]
) -> None:
    """Whole fields, all their lines (3.2)."""
    assert merged(stored, new) == expected


@pytest.mark.parametrize("name", sorted(OF_THE_CONTENT))
def test_a_304_does_not_describe_the_content(name: bytes) -> None:
    """It has none: its length would be wrong for what is stored (3.2)."""
    assert merged([(name, b"1")], [(name.upper(), b"2")]) == ((name, b"1"),)
    assert merged([], [(name, b"2")]) == ()


def test_what_belongs_to_the_connection_of_a_304_is_not_taken_over() -> None:
    """RFC 9111, 3.1 and 3.2."""
    new = [(b"Connection", b"c, close"), (b"c", b"2"), (b"keep-alive", b"5"), (b"d", b"1")]
    assert merged([(b"c", b"1")], new) == ((b"c", b"1"), (b"d", b"1"))


def test_random_bytes_never_raise() -> None:
    """Whatever is stored or sent."""
    chance = random.Random(9)
    for _ in range(1_000):
        noise = chance.randbytes(chance.randrange(9))
        fields = [(b"etag", noise), (b"last-modified", noise), (b"connection", noise), (noise, b"")]
        validation_request(fields, fields)
        merged(fields, fields)

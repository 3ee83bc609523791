"""Entity tags (RFC 9110, 8.8.3)."""

from __future__ import annotations

import random
import time

import pytest

from asynccache.core.http_etags import (
    ETag,
    generated_etag,
    is_same_strongly,
    is_same_weakly,
    parse_etag,
    parse_etags,
    weakened,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"a"', ETag(b"a")),
        (b'W/"a"', ETag(b"a", True)),
        (b'""', ETag(b"")),
        (b'W/""', ETag(b"", True)),
        (b' "a,b"\t', ETag(b"a,b")),
        (b'"\\"', ETag(b"\\")),
        (b'"\xff\x80!#~"', ETag(b"\xff\x80!#~")),
        (b'"W/"', ETag(b"W/")),
        *((value, None) for value in (None, b"", b"a", b'"', b'"a', b'a"', b'w/"a"', b"W/a")),
        *((value, None) for value in (b'W/ "a"', b'W "a"', b'"a" x', b'"a b"', b'"a""b"')),
        *((value, None) for value in (b'"a"\n', b'"\x7f"', b'"\x00"', b"*", b'"a", "b"', b"'a'")),
    ],
)
def test_a_tag(value: bytes | None, expected: ETag | None) -> None:
    """Quotes, no blanks, no escapes, and the W in a capital."""
    assert parse_etag(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"*", None),
        (b" *\t", None),
        (b"", []),
        (b" , ,", []),
        (b'"a"', [ETag(b"a")]),
        (b'"a", W/"b"', [ETag(b"a"), ETag(b"b", True)]),
        (b'"a","a"', [ETag(b"a"), ETag(b"a")]),
        (b'"a,b" ,\t"c" ', [ETag(b"a,b"), ETag(b"c")]),
        (b',, "a",,"b", ,', [ETag(b"a"), ETag(b"b")]),
        (b'""', [ETag(b"")]),
        (b'garbage, "a"', [ETag(b"a")]),
        (b'"a", garbage', [ETag(b"a")]),
        (b'"a" "b", "c"', [ETag(b"c")]),
        (b'"a"b, "c"', [ETag(b"c")]),
        (b'w/"a", "c"', [ETag(b"c")]),
        (b'"a b", "c"', [ETag(b"c")]),
        (b'*, "a"', [ETag(b"a")]),
        (b"*,*", []),
        (b'"unended', []),
        (b'"a", "unended', [ETag(b"a")]),
        (b'"a"\n', []),
    ],
)
def test_tags(value: bytes, expected: list[ETag] | None) -> None:
    """What is none is left out; a star among others is none (13.1.1, 13.1.2)."""
    assert parse_etags(value) == expected


@pytest.mark.parametrize(
    ("one", "other", "strongly", "weakly"),
    [
        (b'W/"1"', b'W/"1"', False, True),
        (b'W/"1"', b'W/"2"', False, False),
        (b'W/"1"', b'"1"', False, True),
        (b'"1"', b'"1"', True, True),
        (b'"1"', b'"2"', False, False),
        (b'"a"', b'"A"', False, False),
    ],
)
def test_comparisons(one: bytes, other: bytes, strongly: bool, weakly: bool) -> None:
    """The table of 8.8.3.2, in both directions."""
    first, second = parse_etag(one), parse_etag(other)
    assert first is not None
    assert second is not None
    for left, right in ((first, second), (second, first)):
        assert is_same_strongly(left, right) is strongly
        assert is_same_weakly(left, right) is weakly


def test_generated_tags() -> None:
    """Strong ones, of content and coding; the content in one piece or in several."""
    assert generated_etag(b"ab", None) == generated_etag([b"a", b"", b"b"], None)
    assert generated_etag(b"ab", None) == generated_etag(b"ab", b"identity")
    tags = {
        generated_etag(body, coding)
        for body in (b"", b"ab", b"\0ab", b"gzip\0ab")
        for coding in (None, b"gzip", b"br", b"gzip\0")
    }
    assert len(tags) >= 4 * 3
    for value in tags:
        tag = parse_etag(value)
        assert tag is not None
        assert not tag.is_weak


def test_codings_do_not_share_a_tag() -> None:
    """Nor does what a coding makes of nothing (8.8.3.3)."""
    for body in (b"", b"x"):
        assert len({generated_etag(body, coding) for coding in (None, b"gzip", b"br")}) == 3


@pytest.mark.parametrize(
    "value",
    [
        *(b"," * 100_000, b" " * 100_000, b", " * 50_000 + b"x", b'"' * 100_000, b'",' * 50_000),
        *(b'"a,' * 33_000, b'W/"a" x,' * 12_000, b'"a" ' * 25_000, b'"' + b"a," * 50_000),
        *(b"W/" * 50_000, b'"a",' * 25_000, b'"a"' + b" " * 100_000 + b"x"),
    ],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_lists_end(value: bytes) -> None:
    """In time that grows with their length: a square of it would be minutes."""
    start = time.thread_time()
    parse_etags(value)
    parse_etag(value)
    assert time.thread_time() - start < 5


def test_random_bytes_never_raise() -> None:
    """Whatever a client sends; and tags survive among garbage without quotes."""
    chance = random.Random(6)
    for _ in range(3_000):
        value = bytes(chance.choice(b'W/"a,* \t\\\xff') for _ in range(chance.randrange(14)))
        parse_etag(value)
        parse_etags(value)
        garbage = value.replace(b'"', b"")
        found = parse_etags(garbage + b', "sure"')
        assert found == [ETag(b"sure")]


@pytest.mark.parametrize(
    ("coding", "tag", "expected"),
    [
        (b"gzip", b'"a"', b'W/"a"'),
        (b"gzip", b'W/"a"', b'W/"a"'),
        (b"gzip", b"no tag", b"no tag"),
        (b" identity ", b'"a"', b'"a"'),
        (None, b'"a"', b'"a"'),
    ],
)
def test_coded_responses_have_weak_tags(coding: bytes | None, tag: bytes, expected: bytes) -> None:
    """Two codings never promise the same bytes (RFC 9110, 8.8.3.3)."""
    coded = () if coding is None else ((b"content-encoding", coding),)
    assert weakened(((b"etag", tag), *coded)) == ((b"etag", expected), *coded)

"""Conditions, entity tags, parts and validation (RFC 9110, 8.8, 13 and 14; RFC 9111, 4.3)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_conditional import evaluate, not_modified_fields
from asynccache.core.http_dates import format_date
from asynccache.core.http_etags import (
    ETag,
    generated_etag,
    is_same_strongly,
    is_same_weakly,
    parse_etag,
    parse_etags,
)
from asynccache.core.http_ranges import (
    Answer,
    Part,
    Unsatisfiable,
    Whole,
    parse_range,
    part_fields,
    requested_part,
)
from asynccache.core.http_validation import merged, validation_request

Headers = list[tuple[bytes, bytes]]
NOW = 1_700_000_000.0
OLD, MODIFIED, NEW = (format_date(NOW - ago) for ago in (2_000, 1_000, 500))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"a"', ETag(b"a")),
        (b'W/"a"', ETag(b"a", True)),
        (b'""', ETag(b"")),
        (b' "a,b" ', ETag(b"a,b")),
        (b'"\xff"', ETag(b"\xff")),
        *((value, None) for value in (None, b"a", b'"a', b'a"', b'w/"a"', b'"a" x', b'"a b"')),
    ],
)
def test_a_tag(value: bytes | None, expected: ETag | None) -> None:
    """Quotes, no blanks, and the W in a capital (8.8.3)."""
    assert parse_etag(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"*", None),
        (b"", []),
        (b'"a", W/"b"', [ETag(b"a"), ETag(b"b", True)]),
        (b'"a,b" , "c"', [ETag(b"a,b"), ETag(b"c")]),
        (b'garbage, "a"', [ETag(b"a")]),
        (b'"a" "b", "c"', [ETag(b"c")]),
        (b',, "a",,', [ETag(b"a")]),
        (b'*, "a"', [ETag(b"a")]),
        (b'"unended', []),
    ],
)
def test_tags(value: bytes, expected: list[ETag] | None) -> None:
    """What is none is left out."""
    assert parse_etags(value) == expected


def test_comparisons() -> None:
    """The table of 8.8.3.2."""
    weak, strong, other = ETag(b"1", True), ETag(b"1"), ETag(b"2")
    assert not is_same_strongly(weak, weak)
    assert not is_same_strongly(weak, strong)
    assert is_same_strongly(strong, strong)
    assert is_same_weakly(weak, strong)
    assert not is_same_weakly(strong, other)


def test_generated_tags() -> None:
    """Of content and coding; in one piece or in several."""
    assert generated_etag(b"ab", None) == generated_etag([b"a", b"b"], None)
    assert generated_etag(b"ab", None) != generated_etag(b"ab", b"gzip")
    assert parse_etag(generated_etag(b"", None)) is not None


INM, IMS, IM, IUS = b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since"


@pytest.mark.parametrize(
    ("asked", "verdict"),
    [
        ([], "serve"),
        ([(INM, b'"a"')], "not_modified"),
        ([(INM, b'W/"a"')], "not_modified"),
        ([(INM, b'"b"'), (INM, b'"a"')], "not_modified"),
        ([(INM, b"*")], "not_modified"),
        ([(INM, b'"b"')], "serve"),
        ([(INM, b"")], "serve"),
        ([(IMS, MODIFIED)], "not_modified"),
        ([(IMS, NEW)], "not_modified"),
        ([(IMS, OLD)], "serve"),
        ([(IMS, b"garbage")], "serve"),
        ([(IMS, MODIFIED), (IMS, MODIFIED)], "serve"),
        ([(INM, b'"b"'), (IMS, MODIFIED)], "serve"),
        ([(IM, b'"a"')], "serve"),
        ([(IM, b"*")], "serve"),
        ([(IM, b'W/"a"')], "precondition_failed"),
        ([(IM, b'"b"')], "precondition_failed"),
        ([(IUS, MODIFIED)], "serve"),
        ([(IUS, OLD)], "precondition_failed"),
        ([(IUS, b"garbage")], "serve"),
        ([(IM, b'"a"'), (IUS, OLD)], "serve"),
        ([(IM, b'"b"'), (INM, b'"a"')], "precondition_failed"),
        ([(IM, b'"a"'), (INM, b'"a"')], "not_modified"),
    ],
)
def test_precedence(asked: Headers, verdict: str) -> None:
    """RFC 9110, 13.2.2."""
    found = evaluate("GET", asked, etag=b'"a"', last_modified=MODIFIED, now=NOW)
    assert found == verdict


def test_conditions_without_validators() -> None:
    """A date stands in for Last-Modified (RFC 9111, 4.3.2); nothing stands in for a tag."""
    bare = {"etag": None, "last_modified": None, "now": NOW}
    assert evaluate("GET", [(IMS, NEW)], date=MODIFIED, **bare) == "not_modified"  # type: ignore[arg-type]
    assert evaluate("GET", [(IMS, NEW)], **bare) == "serve"  # type: ignore[arg-type]
    assert evaluate("GET", [(INM, b'"a"')], **bare) == "serve"  # type: ignore[arg-type]
    assert evaluate("GET", [(IM, b'"a"')], **bare) == "precondition_failed"  # type: ignore[arg-type]
    assert evaluate("PUT", [(INM, b"*")], **bare) == "precondition_failed"  # type: ignore[arg-type]
    assert evaluate("PUT", [(IMS, NEW)], date=MODIFIED, **bare) == "serve"  # type: ignore[arg-type]


def test_the_fields_of_a_304() -> None:
    """RFC 9110, 15.4.5; a browser's script needs those of CORS too."""
    kept = [b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"]
    fields = [(name, b"1") for name in [*kept, b"x", b"content-type", b"last-modified"]]
    assert [name for name, _ in not_modified_fields(fields)] == kept
    assert (b"last-modified", b"1") in not_modified_fields([(b"last-modified", b"1")])
    assert not_modified_fields([(b"access-control-allow-origin", b"*")])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-0", Part(0, 1)),
        (b"bytes=2-4", Part(2, 5)),
        (b"bytes=2-", Part(2, 10)),
        (b"bytes=-3", Part(7, 10)),
        (b"bytes=-30", Part(0, 10)),
        (b"bytes=5-99", Part(5, 10)),
        (b"BYTES=0-1", Part(0, 2)),
        (b"bytes=10-", Unsatisfiable()),
        (b"bytes=-0", Unsatisfiable()),
        *((value, Whole()) for value in (b"", b"bytes=", b"bytes=-", b"bytes=4-2", b"bytes=a-b")),
        *((value, Whole()) for value in (b"bytes=0-1,3-4", b"lines=0-1", b"bytes 0-1", b"bytes=1")),
        (b"bytes=0-" + b"9" * 5_000, Whole()),
    ],
)
def test_ranges(value: bytes, expected: Answer) -> None:
    """RFC 9110, 14.1.1 and 14.2: what is not one range of bytes gets all of it."""
    assert parse_range(value, 10) == expected


def test_nothing_of_nothing() -> None:
    """An empty content has no part."""
    assert parse_range(b"bytes=0-", 0) == Unsatisfiable()
    assert parse_range(b"bytes=-5", 0) == Unsatisfiable()


@pytest.mark.parametrize(
    ("if_range", "is_part"),
    [
        (None, True),
        (b'"a"', True),
        (b'"b"', False),
        (b'W/"a"', False),
        (MODIFIED, True),
        (OLD, False),
        (b"garbage", False),
    ],
)
def test_if_range(if_range: bytes | None, is_part: bool) -> None:
    """A strong tag, or the very date, if that is strong (RFC 9110, 13.1.5)."""
    asked = [(b"range", b"bytes=0-1")]
    if if_range is not None:
        asked.append((b"if-range", if_range))
    fields = [(b"etag", b'"a"'), (b"last-modified", MODIFIED)]
    found = requested_part(asked, fields, length=10, now=NOW)
    assert found == (Part(0, 2) if is_part else Whole())


def test_a_date_that_is_too_new_is_weak() -> None:
    """Within a minute it may have changed twice (8.8.2.2)."""
    just = format_date(NOW - 10)
    asked = [(b"range", b"bytes=0-1"), (b"if-range", just)]
    assert requested_part(asked, [(b"last-modified", just)], length=10, now=NOW) == Whole()
    twice = [(b"range", b"bytes=0-1"), (b"range", b"bytes=2-3")]
    assert requested_part(twice, [], length=10, now=NOW) == Whole()


def test_the_fields_of_a_part() -> None:
    """Where it is, and how long (15.3.7)."""
    fields = part_fields([(b"x", b"1"), (b"content-length", b"10")], Part(2, 5), 10)
    assert fields == ((b"x", b"1"), (b"content-range", b"bytes 2-4/10"), (b"content-length", b"3"))


def test_the_application_is_asked_with_our_own_conditions() -> None:
    """The client's are judged on what comes of it (RFC 9111, 4.3.1)."""
    asked = [(b"Accept", b"a"), (INM, b'"client"'), (IMS, OLD), (b"Range", b"bytes=0-1")]
    stored = [(b"etag", b'"ours"'), (b"last-modified", MODIFIED)]
    assert validation_request(asked, stored) == (
        *((b"accept", b"a"), (INM, b'"ours"'), (IMS, MODIFIED)),
    )
    assert validation_request(asked, [(b"etag", b"no tag")]) == ((b"accept", b"a"),)


def test_a_304_replaces_fields() -> None:
    """Whole fields, but not those of the content (RFC 9111, 3.2)."""
    stored = [(b"a", b"1"), (b"b", b"1"), (b"b", b"2"), (b"content-length", b"9"), (b"etag", b"1")]
    new = [
        *((b"B", b"3"), (b"Content-Length", b"0"), (b"Content-Encoding", b"x"), (b"ETag", b"2")),
        *((b"Set-Cookie", b"a"), (b"Connection", b"c"), (b"c", b"1"), (b"d", b"1")),
    ]
    assert merged(stored, new) == (
        *((b"a", b"1"), (b"content-length", b"9"), (b"etag", b"1"), (b"b", b"3"), (b"d", b"1")),
    )


def test_random_bytes_never_raise() -> None:
    """Whatever a client sends."""
    chance = random.Random(6)
    for _ in range(3_000):
        value = bytes(chance.choice(b'W/"a,* =-0bytes\xff') for _ in range(chance.randrange(14)))
        parse_etags(value)
        parse_range(value, chance.randrange(20))
        evaluate("GET", [(INM, value), (IM, value)], etag=value, last_modified=value, now=NOW)

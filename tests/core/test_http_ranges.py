"""Parts of stored responses (RFC 9110, 14, 13.1.5 and 15.3.7)."""

from __future__ import annotations

import random
import time

import pytest

from asynccache.core.http_dates import format_date
from asynccache.core.http_ranges import (
    Answer,
    Part,
    Unsatisfiable,
    Whole,
    parse_range,
    part_fields,
    requested_part,
)

Headers = list[tuple[bytes, bytes]]
NOW = 1_700_000_000.0
OLD, MODIFIED = (format_date(NOW - ago) for ago in (2_000, 1_000))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-0", Part(0, 1)),
        (b"bytes=2-4", Part(2, 5)),
        (b"bytes=4-4", Part(4, 5)),
        (b"bytes=2-", Part(2, 10)),
        (b"bytes=0-", Part(0, 10)),
        (b"bytes=9-", Part(9, 10)),
        (b"bytes=-3", Part(7, 10)),
        (b"bytes=-10", Part(0, 10)),
        (b"bytes=-30", Part(0, 10)),
        (b"bytes=5-9", Part(5, 10)),
        (b"bytes=5-99", Part(5, 10)),
        (b"bytes=005-007", Part(5, 8)),
        (b"bytes=0-999999999999999999", Part(0, 10)),
        (b"BYTES=0-1", Part(0, 2)),
        (b" bytes= 0-1 \t", Part(0, 2)),
        *((value, Unsatisfiable()) for value in (b"bytes=10-", b"bytes=10-12", b"bytes=-0")),
        *((value, Unsatisfiable()) for value in (b"bytes=999999999999999999-", b"bytes=-000")),
    ],
)
def test_one_range(value: bytes, expected: Answer) -> None:
    """RFC 9110, 14.1.2: the first and the last byte, or so many of the last."""
    assert parse_range(value, 10) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"bytes", b"bytes=", b"bytes=-", b"bytes=4-2", b"bytes=a-b", b"bytes=1", b"=0-1"),
        *(b"bytes=0-1,3-4", b"bytes=0-1,", b"bytes=,0-1", b"lines=0-1", b"bytes 0-1", b"bytes:0-1"),
        *(b"bytes=0 - 1", b"bytes=0- 1", b"bytes=--1", b"bytes=-1-", b"bytes=0-1-2", b"bytes=+1-2"),
        *(b"bytes =0-1", b"bytes=0x1-2", b"bytes=1.0-2", b"bytes=0-1;x", b"bytes=\xb2-", b"0-1"),
        *(b"bytes=0-1\n", b"bytes=0-" + b"9" * 19, b"bytes=" + b"9" * 19 + b"-", b"none"),
    ],
)
def test_what_is_not_one_range_gets_all(value: bytes) -> None:
    """What is invalid has to be ignored, what is several may be (14.2)."""
    assert parse_range(value, 10) == Whole()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-", Unsatisfiable()),
        (b"bytes=0-0", Unsatisfiable()),
        (b"bytes=-0", Unsatisfiable()),
        (b"bytes=-5", Whole()),
    ],
)
def test_nothing_of_nothing(value: bytes, expected: Answer) -> None:
    """The last five bytes of nothing are nothing (14.1.2), which no 206 can say."""
    assert parse_range(value, 0) == expected


@pytest.mark.parametrize(
    ("if_range", "is_part"),
    [
        (None, True),
        (b'"a"', True),
        (b' "a" ', True),
        (MODIFIED, True),
        *((value, False) for value in (b'"b"', b'W/"a"', OLD, b"garbage", b"", b"*")),
        *((value, False) for value in (b'"a", "b"', format_date(NOW), MODIFIED.upper())),
    ],
)
def test_if_range(if_range: bytes | None, is_part: bool) -> None:
    """A strong tag, or the very date, if that is strong (13.1.5)."""
    asked = [(b"Range", b"bytes=0-1")]
    if if_range is not None:
        asked.append((b"If-Range", if_range))
    fields = [(b"etag", b'"a"'), (b"last-modified", MODIFIED)]
    found = requested_part(asked, fields, length=10, now=NOW)
    assert found == (Part(0, 2) if is_part else Whole())


@pytest.mark.parametrize(
    ("if_range", "fields"),
    [
        (b'"a"', [(b"etag", b'W/"a"')]),
        (b'W/"a"', [(b"etag", b'W/"a"')]),
        (b'"a"', []),
        (MODIFIED, []),
        (b"", [(b"last-modified", b"")]),
        (b"garbage", [(b"last-modified", b"garbage")]),
        (b'"a"', [(b"etag", b'"a"'), (b"etag", b'"a"')]),
        (MODIFIED, [(b"last-modified", MODIFIED), (b"date", MODIFIED)]),
        (MODIFIED, [(b"last-modified", MODIFIED), (b"date", format_date(NOW - 941))]),
        (format_date(NOW - 59), [(b"last-modified", format_date(NOW - 59))]),
        (format_date(NOW + 99), [(b"last-modified", format_date(NOW + 99))]),
    ],
)
def test_a_weak_validator_proves_nothing(if_range: bytes, fields: Headers) -> None:
    """A response may change twice within the seconds of its date (8.8.2.2)."""
    asked = [(b"range", b"bytes=0-1"), (b"if-range", if_range)]
    assert requested_part(asked, fields, length=10, now=NOW) == Whole()


@pytest.mark.parametrize("date", [[], [(b"date", format_date(NOW - 940))], [(b"date", b"?")]])
def test_an_old_date_is_strong(date: Headers) -> None:
    """A minute before Date it cannot have changed again (8.8.2.2)."""
    asked = [(b"range", b"bytes=0-1"), (b"if-range", MODIFIED)]
    fields = [(b"last-modified", MODIFIED), *date]
    assert requested_part(asked, fields, length=10, now=NOW) == Part(0, 2)


@pytest.mark.parametrize(
    "asked",
    [
        [],
        [(b"if-range", b'"a"')],
        [(b"range", b"bytes=0-1"), (b"Range", b"bytes=2-3")],
        [(b"range", b"bytes=0-1"), (b"range", b"bytes=0-1")],
        [(b"range", b"bytes=20-"), (b"if-range", b'"b"')],
    ],
)
def test_what_gets_all(asked: Headers) -> None:
    """No range, two of them, or one of something else, even beyond the end."""
    assert requested_part(asked, [(b"etag", b'"a"')], length=10, now=NOW) == Whole()


def test_beyond_the_end() -> None:
    """Only where the response is the one that is meant (14.2)."""
    asked = [(b"range", b"bytes=20-"), (b"if-range", b'"a"')]
    found = requested_part(asked, [(b"etag", b'"a"')], length=10, now=NOW)
    assert found == Unsatisfiable()


def test_the_fields_of_a_part() -> None:
    """Where it is, and how long (15.3.7); the rest as it was."""
    fields = [(b"x", b"1"), (b"content-length", b"10"), (b"content-range", b"?"), (b"x", b"2")]
    assert part_fields(fields, Part(2, 5), 10) == (
        *((b"x", b"1"), (b"x", b"2")),
        *((b"content-range", b"bytes 2-4/10"), (b"content-length", b"3")),
    )


@pytest.mark.parametrize(
    "value",
    [b"bytes=" + b" " * 100_000, b"bytes=" + b"0-1," * 25_000, b" " * 100_000, b"9" * 100_000],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_values_end(value: bytes) -> None:
    """In time that grows with their length only."""
    start = time.thread_time()
    assert parse_range(value, 10) == Whole()
    assert time.thread_time() - start < 5


def test_random_bytes_never_raise() -> None:
    """And a part is never empty, nor beyond the content."""
    chance = random.Random(8)
    for _ in range(5_000):
        length = chance.randrange(20)
        value = b"bytes=" + bytes(chance.choice(b"0123-- ,") for _ in range(chance.randrange(6)))
        found = parse_range(value, length)
        if isinstance(found, Part):
            assert 0 <= found.start < found.stop <= length
        noise = chance.randbytes(chance.randrange(20))
        asked = [(b"range", noise), (b"if-range", noise)]
        requested_part(asked, [(b"etag", noise), (b"last-modified", noise)], length=9, now=NOW)

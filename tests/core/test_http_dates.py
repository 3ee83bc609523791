"""HTTP dates (RFC 9110, 5.6.7; RFC 9111, 4.2)."""

from __future__ import annotations

import random
from calendar import timegm
from datetime import UTC, datetime

import pytest

from asynccache.core.http_dates import format_date, parse_date

NOW = 1_700_000_000.0  # 14 November 2023, 22:13:20
MOMENT = 784_111_777.0
"""The RFC's own example."""


def at(*parts: int) -> float:
    """Return a moment in seconds since 1970."""
    return float(timegm(datetime(*parts, tzinfo=UTC).timetuple()))  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    "value",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b" Sun, 06 Nov 1994 08:49:37 GMT\t",
        # Not the right day of the week, which nobody reads.
        b"Mon, 06 Nov 1994 08:49:37 GMT",
        b"Sun Nov 06 08:49:37 1994",
    ],
)
def test_the_three_forms(value: bytes) -> None:
    """All of them have to be understood."""
    assert parse_date(value, NOW) == MOMENT


@pytest.mark.parametrize(
    "value",
    [
        *(b"SUN, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 NOV 1994 08:49:37 GMT"),
        *(b"Sun, 06 nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:37 gMT"),
        *(b"sunday, 06-NOV-94 08:49:37 gmt", b"sUN nOV  6 08:49:37 1994"),
    ],
)
def test_case_does_not_matter_to_a_cache(value: bytes) -> None:
    """RFC 9111, 4.2: though the formats are specified to be case-sensitive."""
    assert parse_date(value, NOW) == MOMENT


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"0", b"-1", b"now", b"Sun, 06 Nov 1994", b"Sun, 06 Nov 1994 08:49:37"),
        *(b"Sun, 06 Nov 1994 08:49:37 UTC", b"Sun, 06 Nov 1994 08:49:37 +0000"),
        *(b"Sun, 06 Nov 1994 08:49:37 AEST", b"Sun, 06 Nov 1994 08:49:37 Z"),
        *(b"Sun, 6 Nov 1994 08:49:37 GMT", b"Sun, 06 Foo 1994 08:49:37 GMT"),
        *(b"Sun 06 Nov 1994 08:49:37 GMT", b"Sun,  06 Nov 1994 08:49:37 GMT"),
        *(b"Sun, 06  Nov  1994 08:49:37 GMT", b"Sun,\t06 Nov 1994 08:49:37 GMT"),
        *(b"Sun, 06-Nov-1994 08:49:37 GMT", b"Sun, 06 Nov 94 08:49:37 GMT"),
        *(b"Sunday, 06 Nov 1994 08:49:37 GMT", b"Sun, 06-Nov-94 08:49:37 GMT"),
        *(b"Sun Nov 6 08:49:37 1994", b"Sun Nov  6 08:49:37 94", b"Sun Nov  6 08:49:37 1994 GMT"),
        *(b"Sun, 06 Nov 1994 8:49:37 GMT", b"Sun, 06 Nov 1994 08:49 GMT"),
        *(b"Sun, 06 Nov 1994 08.49.37 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT, x"),
        *(b"Sun, 06 Nov 1994 08:49:37 GMT; x", b"Sun, 06 Nov 1994 08:49:37 GMT\n"),
        *(b"\xff", b"Sun, \xb2\xb2 Nov 1994 08:49:37 GMT", b"\x00" * 29, b"Sun, " * 20),
    ],
)
def test_what_is_no_date(value: bytes) -> None:
    """The grammar is as strict as it is written: whoever sends less is taken for stale."""
    assert parse_date(value, NOW) is None


@pytest.mark.parametrize(
    "value",
    [
        *("00 Nov 1994 08:49:37", "32 Nov 1994 08:49:37", "31 Nov 1994 08:49:37"),
        *("29 Feb 1995 08:49:37", "29 Feb 1900 08:49:37", "06 Nov 0000 08:49:37"),
        *("06 Nov 1994 24:00:00", "06 Nov 1994 08:60:37", "06 Nov 1994 99:99:99"),
        *("06 Nov 1994 08:49:61", "06 Nov 1994 08:49:99"),
    ],
)
def test_what_no_calendar_has(value: str) -> None:
    """Days, hours, minutes and seconds end somewhere."""
    assert parse_date(f"Sun, {value} GMT".encode(), NOW) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("01 Jan 1970 00:00:00", 0.0),
        ("31 Dec 1969 23:59:59", -1.0),
        ("29 Feb 2000 00:00:00", at(2000, 2, 29)),
        ("19 Jan 2038 03:14:08", 2.0**31),
        ("01 Jan 0001 00:00:00", at(1, 1, 1)),
        ("31 Dec 9999 23:59:59", at(9999, 12, 31, 23, 59, 59)),
        ("31 Dec 2016 23:59:60", at(2016, 12, 31, 23, 59, 59)),
    ],
)
def test_the_ends_of_the_calendar(value: str, expected: float) -> None:
    """And a leap second, which is taken for the one before it (9111, 4.2: never for a later)."""
    assert parse_date(f"Sun, {value} GMT".encode(), NOW) == expected


@pytest.mark.parametrize(
    ("now", "value", "year"),
    [
        ((2023, 11, 14), "06-Nov-24", 2024),
        ((2023, 11, 14), "06-Nov-22", 2022),
        ((2023, 11, 14), "06-Nov-23", 2023),
        ((2023, 11, 14), "14-Nov-73", 2073),
        ((2023, 11, 14), "15-Nov-73", 1973),
        ((2023, 11, 14), "31-Dec-73", 1973),
        ((2023, 11, 14), "01-Jan-74", 1974),
        ((2023, 11, 14), "01-Jan-99", 1999),
        ((2023, 11, 14), "29-Feb-24", 2024),
        ((1999, 12, 31), "01-Jan-00", 2000),
        ((2099, 12, 31), "01-Jan-00", 2100),
        ((2099, 12, 31), "31-Dec-49", 2149),
        ((2099, 12, 31), "31-Dec-50", 2050),
        ((2000, 1, 1), "31-Dec-99", 1999),
    ],
)
def test_years_of_two_digits(now: tuple[int, ...], value: str, year: int) -> None:
    """What seems more than fifty years ahead, to the second, is past (5.6.7)."""
    moment = parse_date(f"Sunday, {value} 00:00:00 GMT".encode(), at(*now))
    full = f"Sun, {value[:-2].replace('-', ' ')}{year} 00:00:00 GMT"
    assert moment == parse_date(full.encode(), NOW)


def test_dates_are_written_and_read() -> None:
    """In the preferred form."""
    assert format_date(MOMENT) == b"Sun, 06 Nov 1994 08:49:37 GMT"
    assert format_date(MOMENT + 0.9) == b"Sun, 06 Nov 1994 08:49:37 GMT"
    chance = random.Random(2)
    for _ in range(500):
        moment = float(chance.randrange(4_000_000_000))
        assert parse_date(format_date(moment), NOW) == moment


def test_random_bytes_never_raise() -> None:
    """Whatever a header holds."""
    chance = random.Random(3)
    templates = [
        *(b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT"),
        b"Sun Nov  6 08:49:37 1994",
    ]
    for _ in range(3_000):
        value = bytearray(chance.choice(templates))
        for _ in range(chance.randrange(4)):
            value[chance.randrange(len(value))] = chance.choice([*b"0123456789", *range(256)])
        parse_date(bytes(value), float(chance.randrange(4_000_000_000)))

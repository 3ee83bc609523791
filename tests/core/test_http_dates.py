"""HTTP dates (RFC 9110, 5.6.7)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_dates import format_date, parse_date

NOW = 1_700_000_000.0  # 14 November 2023
MOMENT = 784_111_777.0
"""The RFC's own example."""


@pytest.mark.parametrize(
    "value",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
        b" Sun, 06 Nov 1994 08:49:37 GMT\t",
    ],
)
def test_the_three_forms(value: bytes) -> None:
    """All of them have to be understood."""
    assert parse_date(value, NOW) == MOMENT


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b"0", b"-1", b"now", b"Sun, 06 Nov 1994", b"Sun, 06 Nov 1994 08:49:37"),
        *(b"Sun, 06 Nov 1994 08:49:37 UTC", b"Sun, 06 Nov 1994 08:49:37 +0000"),
        *(b"Sun, 6 Nov 1994 08:49:37 GMT", b"Sun, 06 nov 1994 08:49:37 GMT"),
        *(b"Sun 06 Nov 1994 08:49:37 GMT", b"Sun,  06 Nov 1994 08:49:37 GMT"),
        *(b"Sun, 06-Nov-1994 08:49:37 GMT", b"Sun, 06 Nov 94 08:49:37 GMT"),
        *(b"Sun, 32 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 24:49:37 GMT"),
        *(b"Sun, 06 Nov 1994 08:60:37 GMT", b"Sun, 06 Nov 0000 08:49:37 GMT"),
        *(b"Sun, 06 Nov 1994 08:49:37 GMT, x", b"\xff", b"Sun, 06 Nov 1994 08.49.37 GMT"),
        b"Sun, 06 Nov 1994 08:49:37 GMT; x",
    ],
)
def test_what_is_no_date(value: bytes) -> None:
    """The grammar is as strict as it is written: whoever sends less is taken for stale."""
    assert parse_date(value, NOW) is None


@pytest.mark.parametrize(("year", "expected"), [("73", 2073), ("74", 1974), ("24", 2024)])
def test_years_of_two_digits(year: str, expected: int) -> None:
    """What seems more than fifty years ahead is past."""
    moment = parse_date(f"Sunday, 06-Nov-{year} 08:49:37 GMT".encode(), NOW)
    assert moment == parse_date(f"Sun, 06 Nov {expected} 08:49:37 GMT".encode(), NOW)


def test_a_leap_second_is_a_date() -> None:
    """It is taken for the second before it."""
    assert parse_date(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW) == 1_483_228_799.0


def test_dates_are_written_and_read() -> None:
    """In the preferred form."""
    assert format_date(MOMENT) == b"Sun, 06 Nov 1994 08:49:37 GMT"
    chance = random.Random(2)
    for _ in range(500):
        moment = float(chance.randrange(4_000_000_000))
        assert parse_date(format_date(moment), NOW) == moment


def test_random_bytes_never_raise() -> None:
    """Whatever a header holds."""
    chance = random.Random(3)
    template = b"Sun, 06 Nov 1994 08:49:37 GMT"
    for _ in range(2_000):
        value = bytearray(template)
        for _ in range(3):
            value[chance.randrange(len(value))] = chance.randrange(256)
        parse_date(bytes(value), NOW)

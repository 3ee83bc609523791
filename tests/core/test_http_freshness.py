"""Freshness, age, and the limits of staleness (RFC 9111, 4.2; RFC 5861)."""

from __future__ import annotations

import itertools
import random

import pytest

from asynccache.core.http_cache_control import CacheControl, parse_cache_control
from asynccache.core.http_dates import format_date
from asynccache.core.http_freshness import (
    HEURISTIC,
    ONE_DAY,
    StaleLimits,
    age_value,
    corrected_initial_age,
    freshness_lifetime,
    stale_limits,
)

NOW = 1_700_000_000.0
Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], 0),
        ([b"10"], 10),
        ([b" 10 "], 10),
        ([b"010"], 10),
        ([b"0"], 0),
        ([b"10, 20"], 10),
        ([b"10", b"20"], 10),
        ([b"", b"20"], 20),
        ([b", 7"], 7),
        ([b"x, 20"], 0),
        ([b"99999999999999"], 2**31),
        ([b"2147483648"], 2**31),
        *(([value], 0) for value in (b"", b"abc", b"-1", b"+1", b"1.5", b"10;x", b"10 x", b'"10"')),
    ],
)
def test_age(lines: list[bytes], expected: float) -> None:
    """The first of several values; what is no number is ignored (5.1)."""
    assert age_value([(b"Age", line) for line in lines]) == expected


@pytest.mark.parametrize(
    ("headers", "delay", "expected"),
    [
        ([], 0, 0),
        ([], 9, 0),
        ([(b"age", b"0")], 9, 0),
        ([(b"age", b"10")], 0, 10),
        ([(b"age", b"10")], 2, 12),
        ([(b"age", b"10")], -2, 10),
        ([(b"age", b"garbage")], 2, 0),
        ([(b"date", format_date(NOW - 30))], 0, 30),
        ([(b"date", format_date(NOW - 30))], 9, 30),
        ([(b"date", format_date(NOW + 30))], 0, 0),
        ([(b"date", b"garbage")], 0, 0),
        ([(b"date", format_date(NOW - 30)), (b"age", b"40")], 5, 45),
        ([(b"date", format_date(NOW - 60)), (b"age", b"40")], 5, 60),
        ([(b"date", format_date(0)), (b"age", b"40")], 5, NOW),
    ],
)
def test_initial_age(headers: Headers, delay: float, expected: float) -> None:
    """The larger of what Date and Age say (4.2.3); the way here adds to what had an age already."""
    age = corrected_initial_age(headers, request_time=NOW - delay, response_time=NOW)
    assert age == expected


def expires(seconds: float) -> tuple[bytes, bytes]:
    """Return an ``Expires`` so many seconds ahead."""
    return (b"Expires", format_date(NOW + seconds))


@pytest.mark.parametrize(
    ("headers", "control", "expected"),
    [
        ([], CacheControl(), None),
        ([expires(60)], CacheControl(), 60),
        ([expires(0)], CacheControl(), 0),
        ([expires(-60)], CacheControl(), 0),
        ([expires(60)], CacheControl(max_age=5), 5),
        ([expires(60)], CacheControl(max_age=0), 0),
        ([expires(60)], CacheControl(s_maxage=0, max_age=5), 0),
        ([], CacheControl(max_age=5, s_maxage=7), 7),
        ([], CacheControl(public=True), None),
        ([expires(60), expires(60)], CacheControl(), 60),
        ([expires(60), expires(90)], CacheControl(), 0),
        ([expires(60), (b"date", format_date(NOW - 40))], CacheControl(), 100),
        ([expires(60), (b"date", format_date(NOW + 100))], CacheControl(), 0),
        ([expires(60), (b"date", b"garbage")], CacheControl(), 60),
        ([(b"expires", b"Fri, 31 Dec 9999 23:59:59 GMT")], CacheControl(), 2**31),
        *(([(b"expires", value)], CacheControl(), 0) for value in (b"0", b"-1", b"", b"never")),
    ],
)
def test_lifetimes(headers: Headers, control: CacheControl, expected: float | None) -> None:
    """S-maxage, max-age, Expires; what is invalid is stale (4.2.1)."""
    assert freshness_lifetime(200, headers, control, response_time=NOW) == expected


@pytest.mark.parametrize("control", [CacheControl(), CacheControl(max_age=5)])
def test_expires_does_not_count_beside_a_targeted_field(control: CacheControl) -> None:
    """RFC 9213, 2.2."""
    found = freshness_lifetime(200, [expires(60)], control, response_time=NOW, use_expires=False)
    assert found == control.max_age


@pytest.mark.parametrize(
    ("status", "control", "ago", "expected"),
    [
        (200, CacheControl(), 1_000, 100),
        (404, CacheControl(), 1_000, 100),
        (302, CacheControl(), 1_000, None),
        (302, CacheControl(public=True), 1_000, 100),
        (503, CacheControl(), 1_000, None),
        (200, CacheControl(), 0, 0),
        (200, CacheControl(), -1_000, 0),
        (200, CacheControl(), 1_000 * ONE_DAY, ONE_DAY),
        (200, CacheControl(max_age=3), 1_000, 3),
    ],
)
def test_the_heuristic(
    status: int, control: CacheControl, ago: float, expected: float | None
) -> None:
    """A tenth of the time since it was modified, a day at most (4.2.2)."""
    headers = [(b"last-modified", format_date(NOW - ago))]
    found = freshness_lifetime(status, headers, control, response_time=NOW, heuristic=0.1)
    assert found == (None if expected is None else pytest.approx(expected))


def test_what_the_heuristic_does_not_know() -> None:
    """Nothing without Last-Modified, nothing beside Expires, and nothing unless it is wanted."""
    old = (b"last-modified", format_date(NOW - 1_000))

    def found(*headers: tuple[bytes, bytes], heuristic: float | None = 0.1) -> float | None:
        return freshness_lifetime(
            200, headers, CacheControl(), response_time=NOW, heuristic=heuristic
        )

    assert found() is None
    assert found((b"last-modified", b"garbage")) is None
    assert found(old, (b"expires", b"0")) == 0
    assert found(old, (b"date", format_date(NOW + 1_000))) == pytest.approx(200)
    assert found(old, heuristic=None) is None
    assert found(old, heuristic=0.0) is None


def test_the_statuses_of_the_heuristic() -> None:
    """RFC 9110, 15.1."""
    assert sorted(HEURISTIC) == [
        *(200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501),
    ]


FORBID = ["must-revalidate", "proxy-revalidate", "s-maxage=5", "s-maxage=0", "no-cache"]


@pytest.mark.parametrize("forbidding", FORBID)
@pytest.mark.parametrize("more", ["", "stale-while-revalidate=7, stale-if-error=7", "public"])
def test_what_forbids_to_serve_stale(forbidding: str, more: str) -> None:
    """It is stronger than any policy, and than RFC 5861 (4.2.4, 5.2.2.2, 5.2.2.8, 5.2.2.10)."""
    for value in (f"{forbidding}, {more}", f"{more}, {forbidding}"):
        control = parse_cache_control([value.encode()])
        found = stale_limits(control, while_revalidate=10, if_error=20)
        assert found == StaleLimits(0, 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", StaleLimits(10, 20)),
        (b"max-age=5, public, immutable", StaleLimits(10, 20)),
        (b'no-cache="x", private="y"', StaleLimits(10, 20)),
        (b"stale-while-revalidate=1, stale-if-error=2", StaleLimits(1, 2)),
        (b"stale-while-revalidate=0", StaleLimits(0, 20)),
        (b"stale-if-error=0", StaleLimits(10, 0)),
        (b"stale-while-revalidate=99", StaleLimits(99, 20)),
        (b"stale-if-error=x", StaleLimits(10, 0)),
    ],
)
def test_a_response_comes_before_the_policy(value: bytes, expected: StaleLimits) -> None:
    """With more or with less (RFC 5861, 3 and 4)."""
    control = parse_cache_control([value])
    assert stale_limits(control, while_revalidate=10, if_error=20) == expected


def test_without_a_policy_nothing_stale_is_served() -> None:
    """It has to be asked for."""
    assert stale_limits(CacheControl()) == StaleLimits(0, 0)
    assert stale_limits(CacheControl(stale_if_error=3)) == StaleLimits(0, 3)


def test_random_bytes_never_raise() -> None:
    """And nothing has a negative age or lifetime."""
    chance = random.Random(14)
    names = (b"age", b"date", b"expires", b"last-modified")
    values = [b"", b"5", b"-5", b"Sun, 06 Nov 1994 08:49:37 GMT", b"\xff", b'"', format_date(NOW)]
    for one, two, three, four in itertools.product(values, repeat=4):
        headers = list(zip(names, (one, two, three, four), strict=True))
        age = corrected_initial_age(headers, request_time=NOW - 1, response_time=NOW)
        lifetime = freshness_lifetime(
            200, headers, CacheControl(), response_time=NOW, heuristic=chance.random()
        )
        assert age >= 0
        assert lifetime is None or lifetime >= 0

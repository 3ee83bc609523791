"""Freshness, age, and the limits of staleness (RFC 9111, 4.2; RFC 5861)."""

from __future__ import annotations

import pytest

from asynccache.core.http_cache_control import CacheControl
from asynccache.core.http_dates import format_date
from asynccache.core.http_freshness import (
    ONE_DAY,
    StaleLimits,
    corrected_initial_age,
    freshness_lifetime,
    stale_limits,
)

NOW = 1_700_000_000.0
Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "delay", "expected"),
    [
        ([], 0, 0),
        ([(b"age", b"10")], 0, 10),
        ([(b"age", b"10")], 2, 12),
        ([(b"age", b"10, 20")], 0, 10),
        ([(b"age", b"10"), (b"age", b"20")], 0, 10),
        ([(b"age", b"abc")], 0, 0),
        ([(b"age", b"-1")], 0, 0),
        ([(b"age", b"1.5")], 0, 0),
        ([(b"age", b"")], 0, 0),
        ([(b"age", b"99999999999999")], 0, 2**31),
        ([(b"date", format_date(NOW - 30))], 0, 30),
        ([(b"date", format_date(NOW + 30))], 0, 0),
        ([(b"date", b"garbage")], 0, 0),
        ([(b"date", format_date(NOW - 30)), (b"age", b"40")], 5, 45),
        ([(b"date", format_date(NOW - 60)), (b"age", b"40")], 5, 60),
    ],
)
def test_initial_age(headers: Headers, delay: float, expected: float) -> None:
    """The larger of what Date and Age say (4.2.3); an Age that is none does not count (5.1)."""
    age = corrected_initial_age(headers, request_time=NOW - delay, response_time=NOW)
    assert age == expected


def expires(seconds: float) -> tuple[bytes, bytes]:
    """Return an ``Expires`` so many seconds ahead."""
    return (b"expires", format_date(NOW + seconds))


@pytest.mark.parametrize(
    ("headers", "control", "expected"),
    [
        ([], CacheControl(), None),
        ([expires(60)], CacheControl(), 60),
        ([expires(-60)], CacheControl(), 0),
        ([expires(60)], CacheControl(max_age=5), 5),
        ([], CacheControl(max_age=5, s_maxage=7), 7),
        ([(b"expires", b"0")], CacheControl(), 0),
        ([(b"expires", b"-1")], CacheControl(), 0),
        ([expires(60), expires(60)], CacheControl(), 60),
        ([expires(60), expires(90)], CacheControl(), 0),
        ([expires(60), (b"date", format_date(NOW - 40))], CacheControl(), 100),
        ([expires(60), (b"date", b"garbage")], CacheControl(), 60),
    ],
)
def test_lifetimes(headers: Headers, control: CacheControl, expected: float | None) -> None:
    """S-maxage, max-age, Expires; what is invalid is stale (4.2.1)."""
    assert freshness_lifetime(200, headers, control, response_time=NOW) == expected


def test_expires_does_not_count_beside_a_targeted_field() -> None:
    """RFC 9213, 2.2."""
    found = freshness_lifetime(
        200, [expires(60)], CacheControl(), response_time=NOW, use_expires=False
    )
    assert found is None


@pytest.mark.parametrize(
    ("status", "control", "ago", "expected"),
    [
        (200, CacheControl(), 1_000, 100),
        (404, CacheControl(), 1_000, 100),
        (302, CacheControl(), 1_000, None),
        (302, CacheControl(public=True), 1_000, 100),
        (200, CacheControl(), -1_000, 0),
        (200, CacheControl(), 1_000 * ONE_DAY, ONE_DAY),
    ],
)
def test_the_heuristic(
    status: int, control: CacheControl, ago: float, expected: float | None
) -> None:
    """A tenth of the time since it was modified, a day at most (4.2.2)."""
    headers = [(b"last-modified", format_date(NOW - ago))]
    found = freshness_lifetime(status, headers, control, response_time=NOW, heuristic=0.1)
    assert found == (None if expected is None else pytest.approx(expected))
    assert freshness_lifetime(status, headers, control, response_time=NOW) is None


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (CacheControl(), StaleLimits(10, 20)),
        (CacheControl(stale_while_revalidate=1, stale_if_error=2), StaleLimits(1, 2)),
        (CacheControl(stale_while_revalidate=0), StaleLimits(0, 20)),
        (CacheControl(must_revalidate=True), StaleLimits(0, 0)),
        (CacheControl(proxy_revalidate=True, stale_if_error=2), StaleLimits(0, 0)),
        (CacheControl(s_maxage=5), StaleLimits(0, 0)),
        (CacheControl(no_cache=True), StaleLimits(0, 0)),
    ],
)
def test_staleness(control: CacheControl, expected: StaleLimits) -> None:
    """What forbids it is stronger than any policy (4.2.4); a response's seconds come first."""
    assert stale_limits(control, while_revalidate=10, if_error=20) == expected


def test_without_a_policy_nothing_stale_is_served() -> None:
    """It has to be asked for."""
    assert stale_limits(CacheControl()) == StaleLimits(0, 0)

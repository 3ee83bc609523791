"""Conditional requests (RFC 9110, 13; RFC 9111, 4.3.2)."""

from __future__ import annotations

import itertools
import random

import pytest

from asynccache.core.http_conditional import evaluate, not_modified_fields
from asynccache.core.http_dates import format_date

Headers = list[tuple[bytes, bytes]]
NOW = 1_700_000_000.0
OLD, MODIFIED, NEW = (format_date(NOW - ago) for ago in (2_000, 1_000, 500))
INM, IMS, IM, IUS = b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since"


def verdict(
    asked: Headers,
    method: str = "GET",
    *,
    etag: bytes | None = b'"a"',
    last_modified: bytes | None = MODIFIED,
    date: bytes | None = None,
) -> str:
    """Return the verdict about a response that has a tag and a date."""
    return evaluate(method, asked, etag=etag, last_modified=last_modified, now=NOW, date=date)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([(INM, b'"a"')], "not_modified"),
        ([(INM, b'W/"a"')], "not_modified"),
        ([(b"If-None-Match", b' "b" , "a" ')], "not_modified"),
        ([(INM, b'"b"'), (INM, b'"a"')], "not_modified"),
        ([(INM, b"*")], "not_modified"),
        ([(INM, b"junk, W/'a', \"a\"")], "not_modified"),
        ([(INM, b'"b"')], "serve"),
        ([(INM, b'"A"')], "serve"),
        ([(INM, b'w/"a"')], "serve"),
        ([(INM, b"a")], "serve"),
        ([(INM, b'"a')], "serve"),
        ([(INM, b"")], "serve"),
        ([(INM, b'*, "b"')], "serve"),
    ],
)
def test_if_none_match(asked: Headers, expected: str) -> None:
    """Weak comparison, lists, a star, and garbage that matches nothing (13.1.2)."""
    assert verdict(asked) == expected
    assert verdict(asked, etag=b'W/"a"') == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([(IMS, MODIFIED)], "not_modified"),
        ([(IMS, NEW)], "not_modified"),
        ([(b"If-Modified-Since", b" " + MODIFIED.upper())], "not_modified"),
        ([(IMS, format_date(NOW + 10_000))], "not_modified"),
        ([(IMS, OLD)], "serve"),
        ([(IMS, b"garbage")], "serve"),
        ([(IMS, b"")], "serve"),
        ([(IMS, b"0")], "serve"),
        ([(IMS, MODIFIED), (IMS, MODIFIED)], "serve"),
        ([(IMS, MODIFIED + b", " + MODIFIED)], "serve"),
    ],
)
def test_if_modified_since(asked: Headers, expected: str) -> None:
    """One valid date, not earlier than the response's; anything else is ignored (13.1.3)."""
    assert verdict(asked) == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([(IM, b'"a"')], "serve"),
        ([(IM, b'"b", "a"')], "serve"),
        ([(IM, b'"b"'), (IM, b'"a"')], "serve"),
        ([(IM, b"*")], "serve"),
        ([(IM, b'W/"a"')], "precondition_failed"),
        ([(IM, b'"b"')], "precondition_failed"),
        ([(IM, b"")], "precondition_failed"),
        ([(IM, b"garbage")], "precondition_failed"),
        ([(IUS, MODIFIED)], "serve"),
        ([(IUS, NEW)], "serve"),
        ([(IUS, OLD)], "precondition_failed"),
        ([(IUS, b"garbage")], "serve"),
        ([(IUS, OLD), (IUS, OLD)], "serve"),
    ],
)
def test_if_match_and_if_unmodified_since(asked: Headers, expected: str) -> None:
    """Strong comparison (13.1.1), and what is no date is ignored (13.1.4)."""
    assert verdict(asked) == expected
    assert verdict(asked, "PUT") == expected


def test_a_weak_tag_never_matches_strongly() -> None:
    """Whatever is asked for (13.1.1); but it is there."""
    assert verdict([(IM, b'"a", W/"a"')], etag=b'W/"a"') == "precondition_failed"
    assert verdict([(IM, b"*")], etag=b'W/"a"') == "serve"


@pytest.mark.parametrize(
    ("first", "second", "third", "fourth"),
    list(itertools.product([None, True, False], repeat=4)),
)
def test_precedence(
    first: bool | None, second: bool | None, third: bool | None, fourth: bool | None
) -> None:
    """RFC 9110, 13.2.2, in all its combinations; None: not asked.

    If-Match replaces If-Unmodified-Since, and If-None-Match replaces If-Modified-Since.
    """
    choices = [
        (IM, first, b'"a"', b'"b"'),
        (IUS, second, MODIFIED, OLD),
        (INM, third, b'"b"', b'"a"'),
        (IMS, fourth, OLD, MODIFIED),
    ]
    asked = [
        (name, yes if chosen else no) for name, chosen, yes, no in choices if chosen is not None
    ]
    fails = first is False or (first is None and second is False)
    is_known = third is False or (third is None and fourth is False)
    expected = "precondition_failed" if fails else "not_modified" if is_known else "serve"

    for method in ("GET", "HEAD"):
        assert verdict(asked, method) == expected
        assert verdict(asked[::-1], method) == expected


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([(INM, b'"a"')], "precondition_failed"),
        ([(INM, b"*")], "precondition_failed"),
        ([(INM, b'"b"')], "serve"),
        ([(IMS, NEW)], "serve"),
        ([(INM, b'"b"'), (IMS, NEW)], "serve"),
    ],
)
def test_other_methods(method: str, asked: Headers, expected: str) -> None:
    """There a match is a failure (13.1.2), and the date does not count (13.1.3)."""
    assert verdict(asked, method) == expected


@pytest.mark.parametrize("etag", [None, b"", b"a", b'"a", "a"', b'"a'])
@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([(INM, b'"a"')], "serve"),
        ([(INM, b'"a"'), (IMS, NEW)], "serve"),
        ([(INM, b"*")], "not_modified"),
        ([(IM, b'"a"')], "precondition_failed"),
        ([(IM, b"*")], "serve"),
    ],
)
def test_a_response_without_a_tag(etag: bytes | None, asked: Headers, expected: str) -> None:
    """Or with what is none: no tag is its own, and only a star matches."""
    assert verdict(asked, etag=etag) == expected


@pytest.mark.parametrize(
    ("last_modified", "date", "expected"),
    [
        (MODIFIED, None, "not_modified"),
        (None, MODIFIED, "not_modified"),
        (None, NEW, "not_modified"),
        (None, format_date(NOW), "serve"),
        (None, b"garbage", "serve"),
        (None, None, "serve"),
        (b"garbage", MODIFIED, "serve"),
        (format_date(NOW), MODIFIED, "serve"),
    ],
)
def test_a_date_stands_in_for_last_modified(
    last_modified: bytes | None, date: bytes | None, expected: str
) -> None:
    """Where there is none at all (RFC 9111, 4.3.2), for a client that has seen it."""
    assert verdict([(IMS, NEW)], last_modified=last_modified, date=date) == expected


def test_without_a_date_nothing_is_too_new() -> None:
    """If-Unmodified-Since is ignored then (13.1.4); Date does not stand in there."""
    assert verdict([(IUS, OLD)], last_modified=None, date=NEW) == "serve"
    assert verdict([(IUS, OLD)], last_modified=b"garbage") == "serve"


def test_who_asks_nothing_is_served() -> None:
    """Whatever else it says."""
    assert verdict([]) == "serve"
    assert verdict([(b"if-range", b'"a"'), (b"x-if-match", b'"b"'), (b"range", b"x")]) == "serve"


def test_the_fields_of_a_304() -> None:
    """RFC 9110, 15.4.5. Cookies are the client's, and its scripts need those of CORS."""
    kept = [b"cache-control", b"content-location", b"date", b"etag", b"expires", b"vary"]
    kept += [b"set-cookie", b"set-cookie", b"access-control-allow-origin"]
    other = [b"content-type", b"content-length", b"content-encoding", b"content-range", b"x"]
    fields = [(name, b"1") for name in [*kept, *other, b"last-modified"]]

    assert [name for name, _ in not_modified_fields(fields)] == kept
    assert not_modified_fields([]) == ()


def test_last_modified_is_sent_where_there_is_no_tag() -> None:
    """It may help to update what the client has (15.4.5)."""
    assert not_modified_fields([(b"last-modified", OLD)]) == ((b"last-modified", OLD),)


def test_random_bytes_never_raise() -> None:
    """Whatever a client asks, and whatever a response has."""
    chance = random.Random(6)
    for _ in range(3_000):
        value = bytes(chance.choice(b'W/"a,* =-0\xff') for _ in range(chance.randrange(14)))
        asked = [(name, value) for name in (INM, IM, IUS, IMS) if chance.random() < 0.5]
        verdict(asked, etag=value, last_modified=value, date=value)
        verdict([(INM, value)], "PUT")

"""Invalidation, cache status, groups, and what is bounded (RFC 9111, 4.4; RFC 9211; RFC 9875)."""

from __future__ import annotations

import pytest

from asynccache.core.http_budget import Budget
from asynccache.core.http_cache_status import CacheStatus, appended
from asynccache.core.http_groups import group_tag, groups, invalidated_groups
from asynccache.core.http_invalidating import invalidated_by
from asynccache.core.http_marks import MOST_MARKS, MOST_PAGES, Marks, Variants

Targets = list[tuple[bytes, bytes]]
OWN: Targets = [(b"/a/b", b"q")]


@pytest.mark.parametrize(
    ("method", "status", "is_any"),
    [
        *((method, 200, False) for method in ("GET", "HEAD", "OPTIONS", "TRACE")),
        *((method, 200, True) for method in ("POST", "PUT", "DELETE", "PATCH", "get", "X")),
        *(("POST", status, True) for status in (201, 204, 301, 399)),
        *(("POST", status, False) for status in (100, 199, 400, 404, 500)),
    ],
)
def test_which_responses_invalidate(method: str, status: int, is_any: bool) -> None:
    """Successes of methods that are not known to be safe."""
    found = invalidated_by(
        method, status, scheme="http", host=b"h", path=b"/a/b", query=b"q", headers=[]
    )
    assert found == (OWN if is_any else [])


@pytest.mark.parametrize(
    ("host", "reference", "target"),
    [
        (b"h", b"/x?y=1#z", (b"/x", b"y=1")),
        (b"h", b"c", (b"/a/c", b"")),
        (b"h", b"../d/./e", (b"/d/e", b"")),
        (b"h", b"?z", (b"/a/b", b"z")),
        (b"h", b"http://h/x", (b"/x", b"")),
        (b"h", b"http://H:80/x", (b"/x", b"")),
        (b"h:8080", b"http://h:8080/x", (b"/x", b"")),
        (b"h", b"//h/x", (b"/x", b"")),
        (b"h", b"http://h", (b"/", b"")),
        (b"[::1]", b"http://[::1]/x", (b"/x", b"")),
        *((b"h", other, None) for other in (b"http://other/x", b"//other/x", b"https://h/x")),
        *((b"h", other, None) for other in (b"http://h:81/x", b"mailto:a@h", b"http://[bad/x")),
        *((b"h", other, None) for other in (b"\xff", b"http://h:port/", b"/" + b"x" * 9_000)),
    ],
)
@pytest.mark.parametrize("name", [b"Location", b"content-location"])
def test_what_else_is_invalid(
    host: bytes, reference: bytes, target: tuple[bytes, bytes] | None, name: bytes
) -> None:
    """What Location and Content-Location name, of the same origin only."""
    found = invalidated_by(
        "POST",
        200,
        scheme="http",
        host=host,
        path=b"/a/b",
        query=b"q",
        headers=[(name, reference)],
    )
    assert found == (OWN if target is None else [*OWN, target])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (CacheStatus(hit=True, ttl=5), b"c; hit; ttl=5"),
        (CacheStatus(hit=True, ttl=-5, collapsed=True), b"c; hit; ttl=-5; collapsed"),
        (
            CacheStatus(fwd="uri-miss", fwd_status=200, stored=True),
            b"c; fwd=uri-miss; fwd-status=200; stored",
        ),
        (CacheStatus(fwd="stale", detail="a b"), b'c; fwd=stale; detail="a b"'),
        (CacheStatus(hit=True, fwd="stale", key='k"'), b'c; hit; key="k\\""'),
    ],
)
def test_cache_status(status: CacheStatus, expected: bytes) -> None:
    """RFC 9211, 2."""
    assert status.serialise("c") == expected


def test_cache_status_is_appended() -> None:
    """Those nearer to the origin come first (RFC 9211, 2)."""
    fields = [(b"a", b"1"), (b"Cache-Status", b"x; hit"), (b"cache-status", b"y")]
    assert appended(fields, "my cache", CacheStatus(hit=True)) == (
        (b"a", b"1"),
        (b"cache-status", b'x; hit, y, "my cache"; hit'),
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"a", "b";x', ("a", "b")),
        (b'token, "b", 5, ("c")', ("b",)),
        (b'"a", &', ()),
        (b'""', ()),
        (b'"' + b"x" * 129 + b'"', ()),
        (
            b", ".join(b'"g%d"' % number for number in range(200)),
            tuple(f"g{number}" for number in range(128)),
        ),
    ],
)
def test_groups(value: bytes, expected: tuple[str, ...]) -> None:
    """Strings of a valid list, so many of them at most."""
    assert groups([(b"Cache-Groups", value)]) == expected
    named = [(b"cache-group-invalidation", value)]
    assert invalidated_groups("POST", named) == expected
    assert invalidated_groups("GET", named) == ()


def test_groups_belong_to_their_origin() -> None:
    """Another's are others."""
    assert group_tag("http://a", "b") != group_tag("http://a b", "")
    assert groups([]) == ()


def test_marks_end_and_are_bounded() -> None:
    """For some seconds; the oldest go first."""
    marks = Marks(5)
    marks.add("a", 100)
    assert marks.holds("a", 104.9)
    assert not marks.holds("a", 105)
    assert len(marks) == 0
    for number in range(MOST_MARKS + 10):
        marks.add(f"k{number}", 100)
    assert len(marks) == MOST_MARKS
    assert not marks.holds("k9", 100)
    assert marks.holds("k10", 100)


def test_variants_make_room() -> None:
    """The one that was not used for longest goes."""
    variants = Variants()
    assert variants.add("p", "a", 2) == []
    assert variants.add("p", "b", 2) == []
    variants.touch("p", "a")
    variants.touch("p", "unknown")
    assert variants.add("p", "c", 2) == ["b"]
    assert variants.add("p", "c", 2) == []


def test_pages_make_room_with_all_their_variants() -> None:
    """What is no longer counted may not stay."""
    variants = Variants()
    variants.add("first", "v1", 9)
    variants.add("first", "v2", 9)
    gone = [each for number in range(MOST_PAGES) for each in variants.add(f"p{number}", "v", 9)]
    assert gone == ["v1", "v2"]


def test_a_budget() -> None:
    """What L1 has evicted by itself is not counted for long; the oldest go."""
    kept = {"a", "b", "c", "d"}
    budget = Budget(100, kept.__contains__)
    assert budget.add("a", 40) == []
    assert budget.add("b", 40) == []
    assert budget.add("a", 50) == []
    kept.discard("b")
    assert budget.add("c", 40) == []
    assert (budget.total, len(budget)) == (90, 2)
    assert budget.add("d", 60) == ["a"]
    assert budget.add("huge", 500) == ["c", "d", "huge"]
    assert (budget.total, len(budget)) == (0, 0)

"""``Cache-Status`` (RFC 9211)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_cache_status import CacheStatus, appended
from asynccache.core.http_structured import parse_list

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (CacheStatus(), b"c"),
        (CacheStatus(hit=True), b"c; hit"),
        (CacheStatus(hit=True, ttl=5), b"c; hit; ttl=5"),
        (CacheStatus(hit=True, ttl=0), b"c; hit; ttl=0"),
        (CacheStatus(hit=True, ttl=-5), b"c; hit; ttl=-5"),
        (CacheStatus(fwd="bypass"), b"c; fwd=bypass"),
        (CacheStatus(fwd="stale", fwd_status=304), b"c; fwd=stale; fwd-status=304"),
        (
            CacheStatus(fwd="uri-miss", fwd_status=200, stored=True, ttl=7, collapsed=True),
            b"c; fwd=uri-miss; fwd-status=200; ttl=7; stored; collapsed",
        ),
        (CacheStatus(fwd="stale", detail="a b"), b'c; fwd=stale; detail="a b"'),
        (CacheStatus(fwd="vary-miss", detail="word"), b"c; fwd=vary-miss; detail=word"),
        (CacheStatus(hit=True, key='k"\\'), b'c; hit; key="k\\"\\\\"'),
        (CacheStatus(hit=True, key="token"), b'c; hit; key="token"'),
        (CacheStatus(hit=True, key="ä\r\nb"), b'c; hit; key="b"'),
    ],
)
def test_members(status: CacheStatus, expected: bytes) -> None:
    """Each parameter of section 2, of its type: a key is always a string (2.7)."""
    assert status.serialise("c") == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (CacheStatus(hit=True, fwd="stale"), b"c; hit"),
        (CacheStatus(hit=True, fwd_status=200), b"c; hit"),
        (CacheStatus(hit=True, stored=True), b"c; hit"),
        (CacheStatus(fwd_status=200, stored=True), b"c"),
    ],
)
def test_what_means_nothing_is_left_out(status: CacheStatus, expected: bytes) -> None:
    """What is hit did not go forward (2.2), and only then is there a status to tell (2.3, 2.5)."""
    assert status.serialise("c") == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("a/b:1", b"a/b:1"), ("my cache", b'"my cache"'), ("1st", b'"1st"'), ("", b'""')),
        *(("*", b"*"), ('a"', b'"a\\""'), ("a,b", b'"a,b"'), ("a;b", b'"a;b"')),
    ],
)
def test_the_name_of_the_cache(name: str, expected: bytes) -> None:
    """A token where it can be one, else a string (2)."""
    assert CacheStatus().serialise(name) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], b"c; hit"),
        ([(b"cache-status", b"x; fwd=miss")], b"x; fwd=miss, c; hit"),
        ([(b"Cache-Status", b"x"), (b"cache-status", b"y;hit")], b"x, y;hit, c; hit"),
        ([(b"cache-status", b"")], b"c; hit"),
        ([(b"cache-status", b" \t"), (b"cache-status", b"y")], b"y, c; hit"),
    ],
)
def test_those_nearer_to_the_origin_come_first(fields: Headers, expected: bytes) -> None:
    """RFC 9211, 2. A line with nothing in it would make the whole list invalid."""
    assert appended(fields, "c", CacheStatus(hit=True)) == ((b"cache-status", expected),)


def test_other_fields_stay() -> None:
    """In their order, with names in small letters."""
    fields = [(b"A", b"1"), (b"cache-status", b"x"), (b"a", b"2"), (b"cache-status-x", b"3")]
    assert appended(fields, "c", CacheStatus()) == (
        *((b"a", b"1"), (b"a", b"2"), (b"cache-status-x", b"3"), (b"cache-status", b"x, c")),
    )
    assert len(fields) == 4


def test_whatever_is_told_is_one_member_of_a_list() -> None:
    """No name, key or detail can add another, or end the field."""
    chance = random.Random(12)
    for _ in range(2_000):
        name, key, detail = (
            "".join(chance.choices('ab1,;="\\ \r\n\x00ä\u20ac*/:', k=chance.randrange(8)))
            for _ in range(3)
        )
        value = CacheStatus(fwd="miss", key=key, detail=detail, stored=True).serialise(name)
        found = parse_list(value)
        assert found is not None
        assert len(found) == 1
        assert set(found[0].parameters) == {"fwd", "stored", "key", "detail"}

"""What forbids storing, and what a response is stored as (RFC 9111, 3; RFC 9213)."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.core.http_cache_control import CacheControl, parse_cache_control
from asynccache.core.http_decision import Kept, Rules, decide
from asynccache.core.http_storing import why_not_store
from asynccache.core.http_targeted import targeted_control

Headers = list[tuple[bytes, bytes]]
NOW = 1_700_000_000.0
RFC = Rules(is_rfc=True, statuses=None)


@pytest.mark.parametrize(
    ("control", "more", "reason"),
    [
        (b"", {}, None),
        (b"no-store", {}, "no-store"),
        (b"private", {}, "private"),
        (b'private="x"', {}, None),
        (b"no-store, must-understand", {}, None),
        (b"must-understand", {"status": 299}, "must-understand"),
        (b"private, must-understand", {}, "private"),
        (b"", {"status": 206}, "status"),
        (b"", {"status": 304}, "status"),
        (b"", {"status": 103}, "status"),
        (b"", {"status": 404}, None),
        (b"", {"status": 404, "statuses": frozenset({200})}, "status"),
        (b"", {"headers": [(b"Set-Cookie", b"a")]}, "set-cookie"),
        (b"", {"headers": [(b"Set-Cookie", b"a")], "allow_set_cookie": True}, None),
        (b"", {"headers": [(b"content-type", b"Text/Event-Stream;x")]}, "event-stream"),
        (b"", {"has_authorization": True}, "authorization"),
        (b"max-age=5", {"has_authorization": True}, "authorization"),
        (b"public", {"has_authorization": True}, None),
        (b"s-maxage=0", {"has_authorization": True}, None),
        (b"must-revalidate", {"has_authorization": True}, None),
        (b"", {"has_authorization": True, "vary_authorization": True}, None),
    ],
)
def test_vetoes(control: bytes, more: dict[str, Any], reason: str | None) -> None:
    """RFC 9111, 3 and 3.5; and what we refuse besides."""
    facts: dict[str, Any] = {"status": 200, "headers": [], **more}
    assert why_not_store(control=parse_cache_control([control]), **facts) == reason


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"x", b"")], None),
        ([(b"x", b"max-age=10")], CacheControl(max_age=10)),
        ([(b"x", b"max-age=10"), (b"X", b"no-store")], CacheControl(max_age=10, no_store=True)),
        ([(b"x", b"max-age=10, &&"), (b"y", b"max-age=3")], CacheControl(max_age=3)),
        ([(b"x", b"MAX-AGE=10")], None),
        ([(b"x", b'max-age="10"')], CacheControl()),
        ([(b"x", b"max-age=1.5, private=?0, no-cache")], CacheControl(no_cache=True)),
        ([(b"x", b"max-age=-5")], CacheControl(max_age=0)),
        ([(b"x", b"max-age=99999999999")], CacheControl(max_age=2**31)),
        ([(b"y", b"no-store"), (b"x", b"max-age=1")], CacheControl(max_age=1)),
        ([(b"z", b"max-age=10")], None),
    ],
)
def test_targeted_fields(headers: Headers, expected: CacheControl | None) -> None:
    """The first valid one of the list decides, and nothing that is not in it (RFC 9213, 2.2)."""
    assert targeted_control(headers, [b"x", b"y"]) == expected


def decided(rules: Rules, headers: Headers, **more: Any) -> Kept | str:
    """Return the decision about a response that comes at once."""
    facts: dict[str, Any] = {"status": 200, "has_credentials": False, **more}
    return decide(rules, headers=headers, request_time=NOW, response_time=NOW, **facts)


def cc(value: str) -> tuple[bytes, bytes]:
    """Return a ``Cache-Control``."""
    return (b"cache-control", value.encode())


@pytest.mark.parametrize(
    ("rules", "headers", "more", "lifetime"),
    [
        (Rules(ttl=60), [], {}, 60),
        (Rules(ttl=60), [cc("max-age=5")], {}, 60),
        (Rules(ttl=60), [cc("max-age=5")], {"ttl": 7.0}, 7),
        (Rules(default_ttl=60), [], {}, 60),
        (Rules(default_ttl=60), [cc("max-age=5")], {}, 5),
        (Rules(ttl=60, targets=(b"x",)), [(b"x", b"max-age=9")], {}, 9),
        (Rules(ttl=60, targets=(b"x",)), [(b"x", b"foo")], {}, 60),
        (Rules(ttl=60), [(b"age", b"100")], {}, 160),
        (RFC, [cc("max-age=5, s-maxage=6")], {}, 6),
        (RFC, [cc("max-age=5")], {"ttl": 7.0}, 7),
        (Rules(is_rfc=True, statuses=None, ttl=60), [cc("max-age=5")], {}, 5),
        (RFC, [(b"etag", b'"a"')], {}, "stale"),
        (Rules(is_rfc=True, keep=9), [(b"etag", b'"a"')], {}, 0),
        (Rules(is_rfc=True, keep=9), [(b"etag", b'"a"'), cc("no-cache, max-age=5")], {}, 0),
        (RFC, [cc("max-age=5")], {"status": 500}, 5),
        (RFC, [], {}, "no-lifetime"),
        (RFC, [cc("max-age=0")], {}, "stale"),
        (RFC, [cc("max-age=5"), (b"age", b"5")], {}, "stale"),
        (RFC, [cc("max-age=5, stale-if-error=9"), (b"age", b"5")], {}, 5),
        (Rules(), [], {}, "no-lifetime"),
        (Rules(ttl=60), [cc("no-cache")], {}, "no-cache"),
        (Rules(ttl=60), [cc("no-store")], {}, "no-store"),
        (Rules(ttl=60), [(b"vary", b"a, *")], {}, "vary"),
        (Rules(ttl=60), [(b"vary", b",".join(b"x%d" % n for n in range(17)))], {}, "vary"),
        (Rules(ttl=60), [], {"status": 404}, "status"),
        (Rules(ttl=60, statuses=frozenset({503})), [], {"status": 503}, "status"),
        (Rules(ttl=60, targets=(b"x",)), [(b"x", b"no-store")], {}, "no-store"),
        (Rules(ttl=60, targets=(b"x",)), [(b"x", b"max-age=9"), cc("no-store")], {}, 9),
    ],
)
def test_who_decides(
    rules: Rules, headers: Headers, more: dict[str, Any], lifetime: float | str
) -> None:
    """Vetoes, targeted fields, handler or policy, the header, the default."""
    found = decided(rules, headers, **more)
    assert (found if isinstance(found, str) else found.lifetime) == lifetime


def test_what_is_kept() -> None:
    """Without what belongs to a connection, a client, or a moment."""
    headers = [
        cc('max-age=60, no-cache="X-A", private=x-b, stale-while-revalidate=5'),
        *((b"X-A", b"1"), (b"X-B", b"1"), (b"X-C", b"1"), (b"Connection", b"close")),
        *((b"Age", b"3"), (b"Set-Cookie", b"a=b"), (b"Vary", b"Accept, accept")),
    ]
    found = decided(Rules(allow_set_cookie=True), headers)
    assert isinstance(found, Kept)
    assert [name for name, _ in found.fields] == [b"cache-control", b"x-c", b"vary"]
    assert found.names == {b"accept"}
    assert (found.age, found.while_revalidate, found.if_error, found.grace) == (3, 5, 0, 5)
    assert not found.shared


@pytest.mark.parametrize("value", ["public", "s-maxage=60", "must-revalidate, max-age=60"])
def test_what_may_answer_requests_with_credentials(value: str) -> None:
    """RFC 9111, 3.5."""
    found = decided(Rules(ttl=60), [cc(value)])
    assert isinstance(found, Kept)
    assert found.shared

"""What forbids storing (RFC 9111, 3; and what is refused besides)."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.core.http_cache_control import parse_cache_control
from asynccache.core.http_storing import NEVER, UNDERSTOOD, why_not_store


def why(control: bytes = b"", **more: Any) -> str | None:
    """Return what forbids to store a response to which nothing else happens."""
    facts: dict[str, Any] = {"status": 200, "headers": [], **more}
    return why_not_store(control=parse_cache_control([control]), **facts)


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        (b"", None),
        (b"public, max-age=60", None),
        (b"no-cache", None),
        (b"No-Store", "no-store"),
        (b"max-age=60, no-store", "no-store"),
        (b"PRIVATE", "private"),
        (b'private=""', "private"),
        (b'private="x"', None),
        (b'private="x", private', "private"),
        (b"private; max-age=60", "private"),
        (b"public, private", "private"),
        (b"no-store, private", "no-store"),
    ],
)
def test_what_the_response_says(control: bytes, reason: str | None) -> None:
    """RFC 9111, 5.2.2.5 and 5.2.2.7."""
    assert why(control) == reason


@pytest.mark.parametrize(
    ("control", "status", "reason"),
    [
        (b"must-understand", 200, None),
        (b"must-understand", 299, "must-understand"),
        (b"must-understand, no-store", 200, None),
        (b"no-store, must-understand", 404, None),
        (b"no-store, must-understand", 599, "must-understand"),
        (b"private, must-understand", 200, "private"),
    ],
)
def test_must_understand(control: bytes, status: int, reason: str | None) -> None:
    """Who understands the status ignores no-store beside it (5.2.2.3)."""
    assert why(control, status=status) == reason


@pytest.mark.parametrize(
    ("status", "statuses", "reason"),
    [
        *((status, None, "status") for status in (100, 101, 103, 199, 206, 304)),
        *((status, None, None) for status in (200, 204, 299, 302, 404, 500, 599)),
        (404, frozenset({200}), "status"),
        (404, frozenset({200, 404}), None),
        (206, frozenset({206}), "status"),
        (304, frozenset({304}), "status"),
        (103, frozenset({103}), "status"),
        (200, frozenset(), "status"),
    ],
)
def test_statuses(status: int, statuses: frozenset[int] | None, reason: str | None) -> None:
    """Final ones only, and never a part or an answer to a condition (3, 3.3)."""
    assert why(status=status, statuses=statuses) == reason


def test_what_is_never_stored_is_not_understood() -> None:
    """So that no combination of directives can have it stored."""
    assert not NEVER & UNDERSTOOD
    assert min(UNDERSTOOD) >= 200


@pytest.mark.parametrize(
    ("allow", "headers", "reason"),
    [
        (False, [(b"Set-Cookie", b"a")], "set-cookie"),
        (False, [(b"set-cookie", b"")], "set-cookie"),
        (True, [(b"Set-Cookie", b"a")], None),
        (False, [(b"cookie", b"a"), (b"set-cookie2", b"a")], None),
    ],
)
def test_cookies(allow: bool, headers: list[tuple[bytes, bytes]], reason: str | None) -> None:
    """The RFC would allow it (7.3); we do not."""
    assert why(b"public", headers=headers, allow_set_cookie=allow) == reason


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        *((value, "event-stream") for value in (b"text/event-stream", b"Text/Event-Stream;x=y")),
        (b" text/event-stream", "event-stream"),
        *((value, None) for value in (b"", b"text/plain", b"x-text/event-stream", b"text/event")),
    ],
)
def test_streams_without_an_end(value: bytes, reason: str | None) -> None:
    """Nobody would live to see them stored."""
    assert why(headers=[(b"Content-Type", value)]) == reason


@pytest.mark.parametrize(
    ("control", "reason"),
    [
        *((control, "authorization") for control in (b"", b"max-age=5", b"proxy-revalidate")),
        *((control, "authorization") for control in (b"no-cache", b'private="x"', b"immutable")),
        *((control, None) for control in (b"public", b"s-maxage=0", b"must-revalidate")),
        (b"private, public", "private"),
        (b"no-store, public", "no-store"),
    ],
)
def test_credentials(control: bytes, reason: str | None) -> None:
    """Three directives allow it (3.5)."""
    assert why(control, has_authorization=True) == reason
    assert why(control, has_authorization=True, vary_authorization=True) == (
        None if reason == "authorization" else reason
    )

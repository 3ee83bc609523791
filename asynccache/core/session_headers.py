"""What a response says to caches about a session: RFC 9111, 3 and 5.2.2; RFC 9110, 12.5.5."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from asynccache.core.http_fields import field_lines, members, without

Headers = list[tuple[bytes, bytes]]


def with_session(
    headers: Iterable[tuple[bytes, bytes]], *, accessed: bool, cookies: Sequence[bytes]
) -> Headers:
    """Return a response's fields, with what its session adds.

    A response for which the session was looked at is for its owner: it varies by the cookie, and,
    as some shared caches heed no ``Vary``, is private unless the application has spoken of caches.
    One that hands out a cookie is not stored at all.

    Args:
        headers: The application's.
        accessed: The session was looked at.
        cookies: Values of ``Set-Cookie``.
    """
    result = [(name, value) for name, value in headers]
    if not accessed and not cookies:
        return result
    if cookies:
        result = [*without(result, {b"cache-control"}), (b"cache-control", b"no-store")]
    elif not field_lines(result, b"cache-control"):
        result.append((b"cache-control", b"private"))
    result = _varying(result)
    result += [(b"set-cookie", cookie) for cookie in cookies]
    return result


def _varying(headers: Headers) -> Headers:
    names = members(headers, b"vary")
    if any(name.lower() in (b"cookie", b"*") for name in names):
        return headers
    return [*without(headers, {b"vary"}), (b"vary", b", ".join([*names, b"Cookie"]))]

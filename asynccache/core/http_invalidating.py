"""What a response to an unsafe method makes invalid (RFC 9111, 4.4)."""

from __future__ import annotations

from typing import Final
from urllib.parse import SplitResult, urlsplit

from asynccache.core.http_fields import Headers, field_lines

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""RFC 9110, 9.2.1. A method that nobody knows is not safe."""

_PORTS: Final = {"http": 80, "https": 443}
LONGEST: Final = 8_192


def invalidated_by(
    method: str,
    status: int,
    *,
    scheme: str,
    host: bytes,
    path: bytes,
    query: bytes,
    headers: Headers,
) -> list[tuple[bytes, bytes]]:
    """Return the paths and queries, of the request's own origin, that have become invalid.

    Args:
        method: The request's method.
        status: The response's status code.
        scheme: The request's scheme.
        host: Its host.
        path: Its path, as it was sent.
        query: Its query, likewise.
        headers: The response's fields.
    """
    if method in SAFE or not 200 <= status < 400:
        return []
    targets = [(path, query)]
    own = (path.decode("latin-1"), query.decode("latin-1"))
    for name in (b"location", b"content-location"):
        for line in field_lines(headers, name)[:1]:
            target = _target(f"{scheme}://{host.decode('latin-1')}", own, line)
            if target is not None and target not in targets:
                targets.append(target)
    return targets


def _target(origin: str, own: tuple[str, str], reference: bytes) -> tuple[bytes, bytes] | None:
    """Return what a reference names, if it is of the origin (RFC 3986, 5.2.2).

    Args:
        origin: The request's.
        own: Its path and query.
        reference: Where it says that something is.
    """
    if len(reference) > LONGEST:
        return None
    try:
        text = reference.decode("ascii").strip()
        base = urlsplit(origin)
        other = urlsplit(text, base.scheme)
        if other.scheme != base.scheme or (other.netloc and _server(other) != _server(base)):
            return None
    except ValueError:  # no text, no URL, no port
        return None
    path, query = other.path, other.query
    if not other.netloc and not path:
        path, query = own[0], query if "?" in text.partition("#")[0] else own[1]
    elif not other.netloc and not path.startswith("/"):
        path = own[0][: own[0].rfind("/") + 1] + path
    return _without_dots(path).encode("latin-1"), query.encode("latin-1")


def _server(url: SplitResult) -> tuple[str | None, int | None]:
    return url.hostname, url.port or _PORTS.get(url.scheme)


def _without_dots(path: str) -> str:
    """Return a path as clients ask for it (RFC 3986, 5.2.4)."""
    if "/." not in path:
        return path or "/"
    kept: list[str] = []
    _, *segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)

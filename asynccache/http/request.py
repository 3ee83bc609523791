"""A request as the output cache sees it: what its key is made of, and what forbids an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from asynccache.http.policy import Scope

Headers = Sequence[tuple[bytes, bytes]]

OVERRIDES: Final = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
"""A GET with one of them is something else for the application."""

REWRITES: Final = frozenset({
    *(b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-scheme", b"x-forwarded-port"),
    *(b"x-forwarded-prefix", b"x-forwarded-server", b"x-original-url", b"x-rewrite-url"),
    b"x-host",
})  # fmt: skip
"""What applications build URLs of. Nothing else names them in the key, so that a response that
reflects them would be served to everybody: they tell responses apart by default."""

NOTED: Final = frozenset({
    *(b"host", b"authorization", b"range", b"content-length", b"transfer-encoding"),
    *(b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range"),
})  # fmt: skip

_PORTS: Final = {"http": b":80", "https": b":443"}

_CONDITIONS: Final = frozenset({
    *(b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range"),
    b"range",
})  # fmt: skip

_PATH_CHARACTERS: Final = "/:@!$&'()*+,;=~-._%"


@dataclass(slots=True)
class Request:
    """What there is to know of a request before the application sees it.

    Attributes:
        method: Its method, in capitals.
        scheme: ``http`` or ``https``.
        host: What it was sent to, in small letters.
        path: The path as it was sent, with its escapes.
        query: The query as it was sent.
        headers: All of its fields, as they are in the ASGI scope.
        has_credentials: It has ``Authorization``.
        has_body: It carries content, or says so.
        has_range: It asks for a part.
        is_conditional: It has a precondition, or asks for a part.
        is_overridden: It pretends to have another method.
        rewrites: Its fields among `REWRITES`.
    """

    method: str
    scheme: str
    host: bytes
    path: bytes
    query: bytes
    headers: Headers
    has_credentials: bool = False
    has_body: bool = False
    has_range: bool = False
    is_conditional: bool = False
    is_overridden: bool = False
    rewrites: tuple[tuple[bytes, bytes], ...] = ()


def read_request(scope: Scope, rewrites: frozenset[bytes] = REWRITES) -> Request:
    """Return what there is to know of a request.

    Args:
        scope: Its ASGI scope.
        rewrites: Fields that tell responses apart wherever they are sent.
    """
    headers: Headers = scope["headers"]
    path: bytes = scope.get("raw_path") or quote(scope["path"], safe=_PATH_CHARACTERS).encode()
    request = Request(
        method=scope["method"],
        scheme=scope.get("scheme", "http"),
        host=b"",
        path=path,
        query=scope.get("query_string", b""),
        headers=headers,
    )
    host: bytes | None = None
    for name, value in headers:
        if name in NOTED:
            if name == b"host":
                # Of two hosts, a server in front and the application may each believe another.
                host = value if host is None else b"%b,%b" % (host, value)
            elif name == b"authorization":
                request.has_credentials = True
            elif name == b"content-length":
                request.has_body = request.has_body or value.strip(b"0 \t") != b""
            elif name == b"transfer-encoding":
                request.has_body = True
            else:
                request.is_conditional = True
                request.has_range = request.has_range or name == b"range"
        elif name in rewrites:
            request.rewrites = (*request.rewrites, (name, value))
        elif name in OVERRIDES:
            request.is_overridden = True
    if host is None:
        name_, port = scope.get("server") or ("", None)
        host = f"{name_}:{port}".encode() if port else str(name_).encode()
    request.host = canonical_host(request.scheme, host)
    return request


def canonical_host(scheme: str, host: bytes) -> bytes:
    """Return a host in small letters, without the port that its scheme has anyway."""
    return host.lower().removesuffix(_PORTS.get(scheme, b" "))


def without_conditions(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Return a request's fields without those that ask for less than the whole response."""
    return [field for field in headers if field[0] not in _CONDITIONS]


def cookies_named(headers: Headers, names: Iterable[str]) -> list[tuple[bytes, bytes | None]]:
    """Return the values of some cookies, in the order of their names; None: not sent."""
    wanted = {name.encode("utf-8", "surrogateescape"): None for name in names}
    found: dict[bytes, bytes | None] = dict(wanted)
    for field, line in headers:
        if field == b"cookie":
            for pair in line.split(b";"):
                name, _, value = pair.partition(b"=")
                if (name := name.strip()) in found:
                    found[name] = value.strip()
    return list(found.items())

"""Asking the application whether a stored response is still right (RFC 9111, 4.3)."""

from __future__ import annotations

from typing import Final

from asynccache.core.http_etags import parse_etag
from asynccache.core.http_fields import Fields, Headers, combined, storable_fields, without

CONDITIONS: Final = frozenset({
    *(b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"),
    *(b"if-range", b"range"),
})  # fmt: skip

OF_THE_CONTENT: Final = frozenset({
    *(b"content-encoding", b"content-length", b"content-range", b"content-md5"),
    *(b"set-cookie", b"etag"),
})  # fmt: skip
"""What a 304 does not change: it describes the content that is stored, which the 304 has not
(RFC 9111, 3.2), or belongs to one client."""


def validation_request(headers: Headers, stored: Headers) -> Fields:
    """Return the fields of a request that asks whether a response is still right (4.3.1).

    The client's own conditions are left out: they are judged on what comes of it.

    Args:
        headers: The client's fields.
        stored: The stored response's.
    """
    asked = without(headers, CONDITIONS)
    etag, modified = combined(stored, b"etag"), combined(stored, b"last-modified")
    if parse_etag(etag) is not None and etag is not None:
        asked = (*asked, (b"if-none-match", etag))
    if modified is not None:
        asked = (*asked, (b"if-modified-since", modified))
    return asked


def merged(stored: Headers, not_modified: Headers) -> Fields:
    """Return a stored response's fields, replaced by those of a 304 (RFC 9111, 3.2).

    Args:
        stored: The stored response's fields.
        not_modified: The 304's.
    """
    new = without(storable_fields(not_modified), OF_THE_CONTENT)
    names = {name for name, _ in new}
    return (*without(stored, names), *new)

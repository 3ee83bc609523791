"""Entity tags: reading, comparing and making them (RFC 9110, 8.8.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from asynccache.core.http_fields import Fields, combined

_ETAG: Final = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_BLANK: Final = re.compile(rb"[ \t,]*")
_MEMBER: Final = re.compile(rb'((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|\Z)')


@dataclass(frozen=True, slots=True)
class ETag:
    """An entity tag.

    Attributes:
        opaque: What is between its quotes.
        is_weak: It stands for an equivalent content, not for the same bytes.
    """

    opaque: bytes
    is_weak: bool = False


def parse_etag(value: bytes | None) -> ETag | None:
    """Return an entity tag; None: it is none."""
    match = None if value is None else _ETAG.fullmatch(value.strip(b" \t"))
    return None if match is None else ETag(match[2], match[1] is not None)


def parse_etags(value: bytes) -> list[ETag] | None:
    """Return the entity tags of a condition, without what is none; None: it is ``*``."""
    if value.strip(b" \t") == b"*":
        return None
    found: list[ETag] = []
    at = 0
    while at >= 0:
        blank = _BLANK.match(value, at)
        at = at if blank is None else blank.end()
        match = _MEMBER.match(value, at)
        tag = None if match is None else parse_etag(match[1])
        if match is None or tag is None:
            at = value.find(b",", at)
        else:
            found.append(tag)
            at = match.end() if match.end() < len(value) else -1
    return found


def is_same_weakly(one: ETag, other: ETag) -> bool:
    """Compare weakly (RFC 9110, 8.8.3.2): equivalent is enough."""
    return one.opaque == other.opaque


def is_same_strongly(one: ETag, other: ETag) -> bool:
    """Compare strongly: the same bytes, and both say so."""
    return one.opaque == other.opaque and not (one.is_weak or other.is_weak)


def weakened(fields: Fields) -> Fields:
    """Return the fields of a coded response with a weak tag, if it has a strong one.

    Middleware that compresses leaves the tag as it was, so that two codings would share one that
    promises the same bytes (RFC 9110, 8.8.3.3). Weak, it still validates, and no parts are put
    together by it.

    Args:
        fields: The response's fields.
    """
    coding = combined(fields, b"content-encoding")
    if coding is None or coding.strip(b" \t").lower() in {b"", b"identity"}:
        return fields
    return tuple(
        (name, b"W/" + value.strip(b" \t"))
        if name == b"etag" and (tag := parse_etag(value)) is not None and not tag.is_weak
        else (name, value)
        for name, value in fields
    )


def generated_etag(body: bytes | Iterable[bytes], coding: bytes | None) -> bytes:
    """Return a strong tag of content as it is stored.

    Args:
        body: The content, after its coding.
        coding: Its coding: two codings never share a tag, also of content that is empty.
    """
    hashed = blake2b(coding or b"identity", digest_size=16)
    hashed.update(b"\0")
    for chunk in (body,) if isinstance(body, bytes) else body:
        hashed.update(chunk)
    return b'"%b"' % hashed.hexdigest().encode()

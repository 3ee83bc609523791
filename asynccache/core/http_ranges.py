"""A part of a stored response (RFC 9110, 14): one range of bytes, or all of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from asynccache.core.http_dates import parse_date
from asynccache.core.http_etags import is_same_strongly, parse_etag
from asynccache.core.http_fields import Fields, Headers, combined, field_lines, without

_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)

_ONE_MINUTE: Final = 60.0
"""Seconds by which ``Last-Modified`` has to be older than ``Date`` to be strong (RFC 9110, 8.8.2.2
asks for at least one, and allows for more)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes ``start`` to before ``stop`` of the content."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Whole:
    """All of the content: nothing else was asked for, or nothing that could be understood."""


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """What was asked for is beyond the content."""


Answer: TypeAlias = Part | Whole | Unsatisfiable


def parse_range(value: bytes, length: int) -> Answer:
    """Return what ``Range`` asks for.

    Several ranges get the whole response, as RFC 9110, 14.2 allows.

    Args:
        value: The field's value.
        length: Bytes of the content.
    """
    match = _RANGE.fullmatch(value.strip(b" \t"))
    if match is None:
        return Whole()
    first, last = match[1], match[2]
    if not first:
        if not last:
            return Whole()
        size = int(last)
        if size and not length:
            return Whole()  # satisfiable (14.1.2), but nothing says where a part of nothing is
        return Part(max(0, length - size), length) if size else Unsatisfiable()
    start = int(first)
    if last and int(last) < start:
        return Whole()  # invalid (14.1.1), so that it is ignored
    if start >= length:
        return Unsatisfiable()
    return Part(start, min(int(last) + 1, length) if last else length)


def requested_part(request_headers: Headers, fields: Headers, *, length: int, now: float) -> Answer:
    """Return what a GET asks for of a complete stored 200, its ``If-Range`` considered.

    Args:
        request_headers: The request's fields.
        fields: The response's.
        length: Bytes of its content.
        now: The present, in seconds since 1970.
    """
    lines = field_lines(request_headers, b"range")
    if len(lines) != 1:
        return Whole()
    if_range = combined(request_headers, b"if-range")
    if if_range is not None and not _is_still(if_range, fields, now):
        return Whole()
    return parse_range(lines[0], length)


def _is_still(if_range: bytes, fields: Headers, now: float) -> bool:
    """Tell whether the response is the one that the client has a part of (RFC 9110, 13.1.5)."""
    asked = parse_etag(if_range)
    if asked is not None:
        own = parse_etag(combined(fields, b"etag"))
        return own is not None and is_same_strongly(asked, own)
    modified = combined(fields, b"last-modified")
    if modified is None or if_range.strip(b" \t") != modified.strip(b" \t"):
        return False
    moment = parse_date(modified, now)
    date = parse_date(combined(fields, b"date") or b"", now)
    reference = now if date is None else date
    return moment is not None and reference - moment >= _ONE_MINUTE


def part_fields(fields: Headers, part: Part, length: int) -> Fields:
    """Return the fields of a 206.

    Args:
        fields: The whole response's.
        part: Its part.
        length: Bytes of the whole content.
    """
    kept = without(fields, {b"content-length", b"content-range"})
    return (
        *kept,
        (b"content-range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, length)),
        (b"content-length", b"%d" % (part.stop - part.start)),
    )

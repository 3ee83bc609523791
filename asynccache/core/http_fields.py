"""Header fields as they come from clients and applications: lines, lists, what may be stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

Headers: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Fields in their order, duplicates kept; names in any case."""

Fields: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""The same with names in small letters, and immutable."""

HOP_BY_HOP: Final = frozenset({
    *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade"),
    *(b"proxy-authenticate", b"proxy-authentication-info", b"proxy-authorization"),
})  # fmt: skip
"""What belongs to one connection (RFC 9110, 7.6.1; RFC 9111, 3.1)."""

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PIECE: Final = re.compile(rb'[^",]+|"(?:[^"\\]|\\.)*("?)|,', re.DOTALL)


def is_token(value: bytes) -> bool:
    """Tell whether bytes are a token (RFC 9110, 5.6.2)."""
    return _TOKEN.fullmatch(value) is not None


def field_lines(headers: Headers, name: bytes) -> list[bytes]:
    """Return the values of a field, one for each line.

    Args:
        headers: The fields.
        name: The field's name, in small letters.
    """
    return [value for key, value in headers if key == name or key.lower() == name]


def combined(headers: Headers, name: bytes) -> bytes | None:
    """Return a field's value, its lines joined with commas (RFC 9110, 5.3); None: it is absent."""
    lines = field_lines(headers, name)
    if len(lines) == 1:
        return lines[0]
    return b", ".join(lines) if lines else None


def split_list(value: bytes) -> list[bytes]:
    """Return the members of a list (RFC 9110, 5.6.1); commas in quoted strings separate nothing.

    A quote that never ends quotes nothing: what comes after it is not hidden by it.
    """
    found: list[bytes] = []
    start = quote = 0
    if b'"' in value:
        for match in _PIECE.finditer(value):
            quote = match.end()
            if match[0] == b",":
                found.append(value[start : match.start()])
                start = quote
            elif match[1] == b"":
                quote = match.start()
                break
    first, *others = value[quote:].split(b",")
    found += [value[start:quote] + first, *others]
    return [member for each in found if (member := each.strip(b" \t"))]


def members(headers: Headers, name: bytes) -> list[bytes]:
    """Return the members of a list field, of all its lines."""
    return [member for line in field_lines(headers, name) for member in split_list(line)]


def without(headers: Headers, names: Collection[bytes]) -> Fields:
    """Return the fields but for some, with their names in small letters."""
    lowered = ((name.lower(), value) for name, value in headers)
    return tuple((name, value) for name, value in lowered if name not in names)


def storable_fields(headers: Headers) -> Fields:
    """Return the fields that a cache may store (RFC 9111, 3.1)."""
    named = {member.lower() for member in members(headers, b"connection")}
    return without(headers, HOP_BY_HOP | named)

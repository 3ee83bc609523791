"""``Vary``: which fields of a request a response depends on, and what they are (RFC 9111, 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import TypeAlias

from asynccache.core.http_fields import Headers, combined, field_lines, is_token

Variant: TypeAlias = tuple[tuple[bytes, bytes | None], ...]
"""Fields of a request and their values; None: absent, which is not the same as empty."""

Normalise: TypeAlias = Callable[[bytes | None], bytes | None]


def vary_names(headers: Headers) -> frozenset[bytes] | None:
    """Return the fields that a response names, in small letters; None: everything matters.

    So it does where something is no name: who knows what it was meant to be.
    """
    listed = b",".join(field_lines(headers, b"vary")).lower().split(b",")
    names = frozenset(name for each in listed if (name := each.strip(b" \t")))
    return None if b"*" in names or not all(map(is_token, names)) else names


def variant_of(
    names: Iterable[bytes], request_headers: Headers, normalise: Mapping[bytes, Normalise]
) -> Variant:
    """Return a request's values of some fields, in the order of their names.

    Args:
        names: The fields, in small letters.
        request_headers: The request's fields.
        normalise: What brings a field's value into its one spelling.
    """
    values: list[tuple[bytes, bytes | None]] = []
    for name in sorted(set(names)):
        value = combined(request_headers, name)
        if name in normalise:
            value = normalise[name](value)
        values.append((name, value if value is None else value.strip(b" \t")))
    return tuple(values)


def variant_digest(variant: Variant) -> bytes:
    """Return sixteen bytes that no other variant has."""
    hashed = blake2b(digest_size=16)
    for name, value in variant:
        for part in (name, value):
            hashed.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return hashed.digest()

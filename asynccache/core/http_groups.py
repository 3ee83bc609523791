"""Cache groups: responses of an origin that become invalid together (RFC 9875)."""

from __future__ import annotations

from typing import Final

from asynccache.core.http_fields import Headers, combined
from asynccache.core.http_invalidating import SAFE
from asynccache.core.http_structured import parse_list

MOST_GROUPS: Final = 128
LONGEST_GROUP: Final = 128
"""A cache has to take 128 groups of 32 characters."""


def groups(headers: Headers, name: bytes = b"cache-groups") -> tuple[str, ...]:
    """Return the groups that a response belongs to; none, if the field is not valid."""
    value = combined(headers, name)
    listed = None if value is None else parse_list(value)
    return tuple(
        member.value
        for member in (listed or ())[:MOST_GROUPS]
        if type(member.value) is str  # no token, no display string
        and 0 < len(member.value) <= LONGEST_GROUP
    )


def invalidated_groups(method: str, headers: Headers) -> tuple[str, ...]:
    """Return the groups that a response makes invalid; those to safe methods make none."""
    return () if method in SAFE else groups(headers, b"cache-group-invalidation")


def group_tag(origin: str, group: str) -> str:
    """Return the tag of an origin's group; an origin has no blank."""
    return f"http-group {origin} {group}"

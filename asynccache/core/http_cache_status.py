"""``Cache-Status``: what a cache did with a request (RFC 9211)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from asynccache.core.http_fields import Fields, Headers, field_lines, without
from asynccache.core.http_structured import serialise_string, serialise_token_or_string

Forward: TypeAlias = Literal[
    "bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"
]
"""Why a request went further (RFC 9211, 2.2)."""


@dataclass(frozen=True, slots=True)
class CacheStatus:
    """What was done.

    Attributes:
        hit: It was answered without going further.
        ttl: Seconds for which the response is still fresh; negative: since when it is stale.
        fwd: Why it went further.
        fwd_status: The status code that came back.
        stored: The response was stored.
        collapsed: It waited for another request's response.
        key: The response's key; it tells internals.
        detail: What else there is to say.
    """

    hit: bool = False
    ttl: int | None = None
    fwd: Forward | None = None
    fwd_status: int | None = None
    stored: bool = False
    collapsed: bool = False
    key: str | None = None
    detail: str | None = None

    def serialise(self, name: str) -> bytes:
        """Return the list member.

        Args:
            name: The cache's name.
        """
        parts = [serialise_token_or_string(name)]
        if self.hit:
            parts.append(b"hit")
        went = self.fwd is not None and not self.hit
        if self.fwd is not None and went:
            parts.append(b"fwd=" + self.fwd.encode())
        if self.fwd_status is not None and went:
            parts.append(b"fwd-status=%d" % self.fwd_status)
        if self.ttl is not None:
            parts.append(b"ttl=%d" % self.ttl)
        parts += [b"stored"] if self.stored and went else []
        parts += [b"collapsed"] if self.collapsed else []
        if self.key is not None:
            parts.append(b"key=" + serialise_string(self.key))
        if self.detail is not None:
            parts.append(b"detail=" + serialise_token_or_string(self.detail))
        return b"; ".join(parts)


def appended(fields: Headers, name: str, status: CacheStatus) -> Fields:
    """Return fields with a member more: those of caches nearer to the origin come first.

    Args:
        fields: The response's fields.
        name: The cache's name.
        status: What it did.
    """
    member = status.serialise(name)
    former = [line for line in field_lines(fields, b"cache-status") if line.strip(b" \t")]
    value = b", ".join([*former, member])
    return (*without(fields, {b"cache-status"}), (b"cache-status", value))

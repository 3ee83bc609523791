"""Targeted cache control (RFC 9213): fields for one kind of cache, before ``Cache-Control``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from asynccache.core.http_cache_control import (
    FORBIDDING,
    MOST_SECONDS,
    CacheControl,
    attribute_of,
    field_names,
)
from asynccache.core.http_fields import Headers, combined
from asynccache.core.http_structured import Member, parse_dictionary

_FLAGS: Final = {"public", "must-understand", "no-transform", "immutable"}
_QUALIFIED: Final = {"no-cache", "private"}
_SECONDS: Final = {"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"}


def targeted_control(headers: Headers, targets: Sequence[bytes]) -> CacheControl | None:
    """Return what the first valid field of a target list says; None: there is none.

    A field that is empty or no structured dictionary is ignored, and so is a directive whose value
    has the wrong type (RFC 9213, 2.1 and 2.2), unless it forbids something.

    Args:
        headers: The response's fields.
        targets: The names of the fields that count, in small letters, the first first.
    """
    for target in targets:
        value = combined(headers, target)
        if value is None:
            continue
        dictionary = parse_dictionary(value)
        if dictionary:
            return _control(dictionary)
    return None


def _control(dictionary: dict[str, Member]) -> CacheControl:
    said: dict[str, Any] = {}
    for key, member in dictionary.items():
        name, value = attribute_of(key), member.value
        if key in _QUALIFIED and isinstance(value, str) and (fields := field_names(value.encode())):
            said[f"{name}_fields"] = fields
        elif (key in _FLAGS and value is True) or (name in FORBIDDING and value is not False):
            said[name] = True
        elif key in _SECONDS and type(value) is int:
            said[name] = min(max(value, 0), MOST_SECONDS)
    return CacheControl(**said)

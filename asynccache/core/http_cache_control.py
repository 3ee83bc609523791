"""``Cache-Control``, of responses and requests (RFC 9111, 5.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from asynccache.core.http_fields import is_token, split_list

MOST_SECONDS: Final = 2**31
"""What is larger is taken for this (RFC 9111, 1.2.2)."""

_DIRECTIVE: Final = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:[ \t]*=[ \t]*(?:(\"(?:[^\"\\]|\\.)*\")|(.*)))?", re.DOTALL
)

_FLAGS: Final = {
    *("no_store", "public", "must_revalidate", "proxy_revalidate", "must_understand"),
    *("no_transform", "immutable", "only_if_cached"),
}
_SECONDS: Final = {
    *("max_age", "s_maxage", "stale_while_revalidate", "stale_if_error", "min_fresh"),
}

FORBIDDING: Final = frozenset({
    *("no_store", "no_cache", "private", "must_revalidate", "proxy_revalidate"),
})  # fmt: skip
"""Directives that are believed however badly they are written."""

_WORD: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class CacheControl:
    """The directives that a cache acts on; the others are ignored, as they have to be.

    Attributes:
        no_cache: Unqualified: not to be served without validation.
        no_cache_fields: Qualified: fields, in small letters, that are not to be.
        private: For one client, unqualified.
        private_fields: Fields that are.
        max_stale_any: ``max-stale`` without an argument.
    """

    no_store: bool = False
    no_cache: bool = False
    no_cache_fields: frozenset[bytes] = frozenset()
    private: bool = False
    private_fields: frozenset[bytes] = frozenset()
    public: bool = False
    must_revalidate: bool = False
    proxy_revalidate: bool = False
    must_understand: bool = False
    no_transform: bool = False
    immutable: bool = False
    only_if_cached: bool = False
    max_age: int | None = None
    s_maxage: int | None = None
    stale_while_revalidate: int | None = None
    stale_if_error: int | None = None
    min_fresh: int | None = None
    max_stale: int | None = None
    max_stale_any: bool = False


def parse_cache_control(lines: Iterable[bytes]) -> CacheControl:
    """Return the directives of a field.

    Of a repeated directive with seconds the first counts. Seconds that are no number are none at
    all: 0 (RFC 9111, 4.2.1, "encouraged to consider responses that have invalid freshness
    information to be stale"). A member that is no directive is ignored, but not what it forbids:
    ``private; max-age=60`` was not meant for everybody.

    Args:
        lines: The field's lines.
    """
    said: dict[str, Any] = {}
    for line in lines:
        for member in split_list(line):
            match = _DIRECTIVE.fullmatch(member)
            if match is None or not is_token(match[3] or b"-"):
                words = {attribute_of(word.decode()) for word in _WORD.findall(member)}
                said |= dict.fromkeys(words & FORBIDDING, True)
            if match is None:
                continue
            name = attribute_of(match[1].decode())
            quoted, plain = match[2], match[3]
            argument = _unquoted(quoted) if quoted is not None else plain
            _note(said, name, argument)
    return CacheControl(**said)


def _note(said: dict[str, Any], name: str, argument: bytes | None) -> None:
    if name in _FLAGS:
        said[name] = True
    elif name in _SECONDS:
        said.setdefault(name, seconds(argument))
    elif name in {"no_cache", "private"}:
        fields = field_names(argument)
        if fields:
            said[f"{name}_fields"] = fields | said.get(f"{name}_fields", frozenset())
        else:
            said[name] = True
    elif name == "max_stale":
        if argument is None:
            said["max_stale_any"] = True
        else:
            said.setdefault(name, seconds(argument))


def attribute_of(name: str) -> str:
    """Return the attribute of a directive; nothing has that of a name that is only similar."""
    return name.lower().replace("_", " ").replace("-", "_")


def field_names(argument: bytes | None) -> frozenset[bytes]:
    """Return the fields that a qualified directive names, in small letters.

    None are named by one that is not qualified, or by what is no list of names: it is about all of
    the response then.
    """
    fields = frozenset(field.lower() for field in split_list(argument or b""))
    return fields if all(is_token(field) for field in fields) else frozenset()


def seconds(argument: bytes | None) -> int:
    """Return an argument in seconds; 0, if it is no number of them (RFC 9111, 1.2.2)."""
    if argument is None or not argument.isdigit():
        return 0
    digits = argument.lstrip(b"0")
    return MOST_SECONDS if len(digits) > 10 else min(int(digits or b"0"), MOST_SECONDS)


def _unquoted(value: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", value[1:-1], flags=re.DOTALL)

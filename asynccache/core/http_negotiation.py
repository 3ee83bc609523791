"""One spelling for all ``Accept-Encoding`` and ``Accept-Language`` that get the same response.

RFC 9110, 12.5.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from asynccache.core.http_fields import split_list

KNOWN: Final = (b"zstd", b"br", b"gzip")
"""Codings that applications use for responses that are made as they are asked for."""

_MEMBER: Final = re.compile(
    rb"(\*|[!#$%&'+\-.^_`|~0-9A-Za-z]+)[ \t]*(?:;[ \t]*q[ \t]*=[ \t]*([01](?:\.\d{0,3})?))?",
    re.IGNORECASE,
)
_BEFORE_WEIGHT: Final = re.compile(rb"(?<![ \t])[ \t]*;[ \t]*")
_ALIASES: Final = {b"x-gzip": b"gzip"}


def normalised_accept_encoding(
    value: bytes | None, available: Sequence[bytes] = KNOWN
) -> bytes | None:
    """Return the spelling that stands for a value.

    It names the known codings that the client takes, in an order of ours and without weights, and
    the application is asked with it. So whatever the application chooses, every client for whose
    value it stands can decode: it never names a coding that the client has not named or has
    refused, not even once of several times. ``*`` names none: applications that look for ``gzip``
    do not find it there either, and identity is right for everybody. Weights are lost: an
    application that would honour them sends a coding that the client likes less, and can decode.

    Args:
        value: The field's value; None: absent.
        available: The codings that count.

    Returns:
        ``identity`` where the client takes no known coding; None where the field is absent, which
        allows any.
    """
    if value is None:
        return None
    taken: dict[bytes, bool] = {}
    for member in split_list(value):
        match = _MEMBER.fullmatch(member)
        if match is None:
            continue
        coding = match[1].lower()
        weight = float(match[2]) if match[2] is not None else 1.0
        coding = _ALIASES.get(coding, coding)
        taken[coding] = weight > 0 and taken.get(coding, True)
    return b", ".join(coding for coding in available if taken.get(coding)) or b"identity"


def normalised_accept_language(value: bytes | None) -> bytes | None:
    """Return ``Accept-Language`` in small letters, without blanks around members and weights.

    Language ranges are compared without regard to case (RFC 4647, 2); the order stays.
    """
    if value is None:
        return None
    return b",".join(_BEFORE_WEIGHT.sub(b";", member).lower() for member in split_list(value))

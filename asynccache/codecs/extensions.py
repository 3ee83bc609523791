"""What MessagePack has no form for, each as bytes under an extension code of its own.

The codes are part of what is stored: they are never given another meaning.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Context, Decimal, InvalidOperation
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asynccache.errors import DecodeError, EncodeError

DEEPEST = 32
"""Extensions inside one another, in both directions: each one is a call from C to Python and back,
and what holds itself has to end somewhere. Instances in tuples may form a tree of 16 levels."""

COLLECTIONS: Mapping[type, int] = {tuple: 1, set: 2, frozenset: 3}
"""Containers, whose data is a packed list."""

INSTANCE = 12
"""An instance of a registered type, whose data is a packed list of its name and its parts."""

_DELTA = struct.Struct(">iii")
_COMPLEX = struct.Struct(">dd")

# Reading a number must fail on bad text even where the application's own context is lenient.
_EXACT = Context(traps=[InvalidOperation])

# A key becomes a path below the zone database: no dots, so that no key leads out of it.
_ZONE_KEY = re.compile(r"[A-Za-z0-9_+-]{1,32}(/[A-Za-z0-9_+-]{1,32}){0,3}")


def _bytes_of_int(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True)


def _int_of_bytes(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _bytes_of_moment(value: datetime | time) -> bytes:
    """Write the ISO form; where that loses something, the zone and the fold after it.

    ``2024-10-27T02:30:00[Europe/Berlin]1`` is the second half past two of that night.
    """
    zone = value.tzinfo
    if not value.fold and (zone is None or type(zone) is timezone):
        return value.isoformat().encode()
    key = _zone_key(zone)
    if key:
        value = value.replace(tzinfo=None)
    elif zone is not None and value.utcoffset() is None:
        raise EncodeError("value", type(zone), "store a datetime whose tzinfo is a ZoneInfo")
    return f"{value.isoformat()}[{key}]{value.fold}".encode()


def _zone_key(zone: tzinfo | None) -> str:
    key = zone.key if type(zone) is ZoneInfo else None
    return key if key and _ZONE_KEY.fullmatch(key) else ""


def _datetime_of_bytes(data: bytes) -> datetime:
    stamp, bracket, rest = data.decode().partition("[")
    value = datetime.fromisoformat(stamp)
    return value.replace(**_zone_and_fold(rest)) if bracket else value


def _time_of_bytes(data: bytes) -> time:
    stamp, bracket, rest = data.decode().partition("[")
    value = time.fromisoformat(stamp)
    return value.replace(**_zone_and_fold(rest)) if bracket else value


def _zone_and_fold(text: str) -> dict[str, Any]:
    key, bracket, fold = text.partition("]")
    if not bracket or fold not in {"0", "1"}:
        raise DecodeError("payload: a moment's zone is malformed")
    if not key:
        return {"fold": int(fold)}
    if not _ZONE_KEY.fullmatch(key):
        raise DecodeError("payload: a moment's zone is not a key of the zone database")
    return {"fold": int(fold), "tzinfo": ZoneInfo(key)}


def _date_of_bytes(data: bytes) -> date:
    return date.fromisoformat(data.decode())


def _bytes_of_delta(value: timedelta) -> bytes:
    return _DELTA.pack(value.days, value.seconds, value.microseconds)


def _delta_of_bytes(data: bytes) -> timedelta:
    return timedelta(*_DELTA.unpack(data))


def _decimal_of_bytes(data: bytes) -> Decimal:
    return Decimal(data.decode(), _EXACT)


def _bytes_of_complex(value: complex) -> bytes:
    return _COMPLEX.pack(value.real, value.imag)


def _complex_of_bytes(data: bytes) -> complex:
    return complex(*_COMPLEX.unpack(data))


TO_BYTES: Mapping[type, tuple[int, Callable[[Any], bytes]]] = {
    int: (4, _bytes_of_int),  # only those beyond 64 bits come here
    datetime: (5, _bytes_of_moment),
    date: (6, lambda value: value.isoformat().encode()),
    time: (7, _bytes_of_moment),
    timedelta: (8, _bytes_of_delta),
    Decimal: (9, lambda value: str(value).encode()),
    UUID: (10, lambda value: value.bytes),
    complex: (11, _bytes_of_complex),
}
"""Each type's code and its way to bytes."""

FROM_BYTES: Mapping[int, Callable[[bytes], Any]] = {
    4: _int_of_bytes,
    5: _datetime_of_bytes,
    6: _date_of_bytes,
    7: _time_of_bytes,
    8: _delta_of_bytes,
    9: _decimal_of_bytes,
    10: lambda data: UUID(bytes=data),
    11: _complex_of_bytes,
}
"""Each code's way back."""

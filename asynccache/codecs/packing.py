"""From values to bytes.

Each container that MessagePack lacks (a tuple, a set, a registered instance) is packed by itself
and becomes the data of an extension, so that plain values never pay for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgpack

from asynccache.codecs.extensions import COLLECTIONS, DEEPEST, INSTANCE, TO_BYTES
from asynccache.codecs.registry import Registration
from asynccache.errors import EncodeError

FREELY_NESTED = 4
"""Extensions inside one another in which only the C library's limit applies: 511 lists or dicts
inside one another. It counts anew in each extension, and each list takes 430 bytes of the C stack:
32 times 511 would be 7 MB."""

MOST_NESTED = 64
"""Lists or dicts inside one another in an extension that is deeper than that."""

# What ExtType() does, without its checks: the codes and data here are right by construction.
_extension = partial(tuple.__new__, msgpack.ExtType)


class Packing:
    """A packer, and the one for what is inside its extensions, made when first needed."""

    __slots__ = ("_depth", "_inside", "_known", "_packer")

    def __init__(self, known: Mapping[type, Registration], depth: int) -> None:
        self._known = known
        self._depth = depth
        self._inside: Packing | None = None
        self._packer = msgpack.Packer(default=self._extend, strict_types=True).pack

    def pack(self, value: object) -> bytes:
        payload: bytes = self._packer(value)
        # The C library takes buffers for bytes and asks nobody. Looking for the marks of bytes is
        # cheap; the value itself, which is not, is looked through only where there is one.
        if 0xC4 in payload or 0xC5 in payload or 0xC6 in payload:
            _refuse_buffers(value)
        return payload

    def _extend(self, value: Any) -> tuple[int, bytes]:
        kind = type(value)
        scalar = TO_BYTES.get(kind)
        if scalar is not None:
            return _extension((scalar[0], scalar[1](value)))
        code = COLLECTIONS.get(kind)
        if code is not None:
            return _extension((code, self._pack_inside(value, list(value))))
        registration = self._known.get(kind)
        if registration is not None:
            parts = _take_apart(registration, value)
            return _extension((INSTANCE, self._pack_inside(value, parts)))
        raise EncodeError("value", kind, _remedy(kind))

    def _pack_inside(self, value: object, parts: list[Any]) -> bytes:
        if self._inside is None:
            if self._depth == DEEPEST:
                raise EncodeError("value", type(value), _TOO_DEEP)
            self._inside = Packing(self._known, self._depth + 1)
        if self._depth >= FREELY_NESTED and _is_nested_beyond(MOST_NESTED, parts):
            raise EncodeError("value", type(value), _TOO_DEEP)
        return self._inside.pack(parts)


def _take_apart(registration: Registration, value: object) -> list[Any]:
    try:
        return [registration.name, registration.adapter.encode(value)]
    except EncodeError:
        raise
    except Exception as error:
        remedy = f"taking it apart failed with {type(error).__qualname__}"
        raise EncodeError("value", type(value), remedy) from error


def _refuse_buffers(value: object) -> None:
    """Raise if there is a bytearray or memoryview; other types were packed as what they are."""
    pending: list[Any] = [[value]]
    while pending:
        item = pending.pop()
        parts = [*item, *item.values()] if type(item) is dict else item
        kinds = set(map(type, parts))
        if not kinds.isdisjoint(_BUFFERS):
            raise EncodeError("value", (kinds & _BUFFERS).pop(), "store bytes(value) instead")
        if not kinds.isdisjoint(_PACKED_CONTAINERS):
            pending += [part for part in parts if type(part) in _PACKED_CONTAINERS]


_BUFFERS = frozenset({bytearray, memoryview})
_PACKED_CONTAINERS = frozenset({list, dict})


def _is_nested_beyond(limit: int, parts: list[Any]) -> bool:
    layer: Iterable[Any] = [parts]
    for _ in range(limit):
        # By identity: what contains itself twice would double with each layer.
        inner = {
            id(part): part
            for item in layer
            for part in (item.values() if type(item) is dict else item)
            if type(part) is list or type(part) is dict
        }
        if not inner:
            return False
        layer = inner.values()
    return True


_TOO_DEEP = "it is nested too deep, or contains itself; store it in a flatter form"


def encode_error(value: object, error: Exception) -> EncodeError:
    if isinstance(error, UnicodeEncodeError):
        return EncodeError("value", str, "it holds a lone surrogate; store it as bytes")
    if isinstance(error, RecursionError) or str(error).startswith("recursion limit"):
        return EncodeError("value", type(value), _TOO_DEEP)
    return EncodeError("value", type(value), f"packing it failed with {type(error).__qualname__}")


def _remedy(kind: type) -> str:
    with suppress(TypeError):
        if issubclass(kind, Awaitable):
            return "await it and store its result"
    return (
        f"register it with cache.codec.register({kind.__name__}), "
        "or use a region or @cached, which register their types"
    )

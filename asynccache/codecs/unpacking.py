"""From bytes, which may be anyone's, to values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgpack

from asynccache.codecs.extensions import COLLECTIONS, DEEPEST, FROM_BYTES, INSTANCE
from asynccache.codecs.registry import Registration
from asynccache.errors import DecodeError

DEEPEST_ON_STACK = 4
"""``unpackb`` keeps 40 KiB on the C stack. Bytes that nest deeper go to an Unpacker, which keeps
them on the heap, so that hostile ones overrun no stack, not even the 256 KiB of a small thread."""

_CODES: Mapping[int, type] = {code: kind for kind, code in COLLECTIONS.items()}


class Unpacking:
    """Unpacks, and knows the one for what is inside its extensions. It keeps no state between."""

    __slots__ = ("_depth", "_inside", "_known", "restore")

    def __init__(self, known: Mapping[str, Registration], depth: int) -> None:
        self._known = known
        self._depth = depth
        self._inside: Unpacking | None = None
        self.restore = self._restore  # bound once: it goes with every call

    def unpack(self, data: bytes) -> Any:
        if self._depth < DEEPEST_ON_STACK:
            return msgpack.unpackb(data, ext_hook=self.restore, strict_map_key=False)
        return self._unpack_on_heap(data)

    def _unpack_on_heap(self, data: bytes) -> Any:
        # Every length in the bytes is bounded by theirs, as unpackb does it.
        unpacker = msgpack.Unpacker(
            ext_hook=self.restore, strict_map_key=False, max_buffer_size=len(data)
        )
        unpacker.feed(data)
        value = unpacker.unpack()
        if unpacker.tell() != len(data):
            raise DecodeError("payload: bytes are left over after a value")
        return value

    def _restore(self, code: int, data: bytes) -> Any:
        from_bytes = FROM_BYTES.get(code)
        if from_bytes is not None:
            return from_bytes(data)
        collection = _CODES.get(code)
        if collection is not None:
            return collection(self._unpack_inside(data))
        if code == INSTANCE:
            return _put_together(self._known, self._unpack_inside(data))
        raise DecodeError(f"payload: extension code {code} is not one of ours")

    def _unpack_inside(self, data: bytes) -> list[Any]:
        if self._inside is None:
            if self._depth == DEEPEST:
                raise DecodeError("payload: extensions are nested too deep")
            self._inside = Unpacking(self._known, self._depth + 1)
        items = self._inside.unpack(data)
        if type(items) is not list:
            raise DecodeError("payload: an extension does not hold a list")
        return items


def _put_together(known: Mapping[str, Registration], items: list[Any]) -> Any:
    name, parts = items
    registration = known.get(name) if type(name) is str else None
    if registration is None:
        raise DecodeError("payload: it names a type that is not registered")
    try:
        return registration.adapter.decode(parts)
    except Exception as error:
        raise DecodeError(
            f"payload: {name} cannot be put together ({type(error).__qualname__})"
        ) from error

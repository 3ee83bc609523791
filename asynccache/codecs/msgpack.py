"""The default codec: MessagePack, with extension types for what it has no form for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from msgpack import unpackb

from asynccache.codecs.packing import Packing, encode_error
from asynccache.codecs.registry import TypeRegistry
from asynccache.codecs.unpacking import Unpacking
from asynccache.errors import DecodeError, EncodeError

T = TypeVar("T")

_LARGEST_KEPT = 1_048_576
"""A packer never gives its buffer back; one that grew beyond this is dropped."""


class MsgpackCodec:
    """Encodes with MessagePack and keeps each value's type.

    Known by itself: None, bool, int of any size, float, complex, str, bytes, list, dict with keys
    of any known type, tuple, set, frozenset, datetime, date, time, timedelta, Decimal and UUID,
    and instances of registered types. A subclass of these is another type: it has to be registered.
    A datetime keeps its ``ZoneInfo``; any other tzinfo comes back as a fixed offset from UTC.
    A bytearray and a memoryview are refused: they would come back as bytes.

    Args:
        registry: The types whose instances it encodes; None: a new, empty registry.
    """

    identifier: Final = 1

    __slots__ = ("_idle", "_restore", "registry")

    def __init__(self, registry: TypeRegistry | None = None) -> None:
        self.registry: TypeRegistry = registry or TypeRegistry()
        # Taken and given back in one step each, so that threads and re-entrant calls never share.
        self._idle: list[Packing] = []
        self._restore = Unpacking(self.registry.by_name, 0).restore

    def encode(self, value: object) -> bytes:
        """Return a value's bytes.

        Args:
            value: The value.

        Raises:
            EncodeError: The value, or one inside it, has a type that is not known or is nested
                too deep, perhaps because it contains itself.
        """
        try:
            packing = self._idle.pop()
        except IndexError:
            packing = Packing(self.registry.by_type, 0)
        try:
            payload = packing.pack(value)
        except EncodeError:
            raise
        except Exception as error:
            raise encode_error(value, error) from error
        if len(payload) <= _LARGEST_KEPT:
            self._idle.append(packing)
        return payload

    def decode(self, payload: bytes) -> Any:
        """Return the value that the bytes stand for, a new object for each call.

        Args:
            payload: What ``encode`` returned, or any bytes at all.

        Raises:
            DecodeError: The bytes are not exactly one value, or name a type that is not registered.
        """
        try:
            # Called here, with its keywords, because a hit in L1 costs little more than this call.
            return unpackb(payload, ext_hook=self._restore, strict_map_key=False)
        except DecodeError:
            raise
        except Exception as error:
            # Only the kind of error: its text may show what the bytes hold.
            raise DecodeError(f"payload: not a value of ours ({type(error).__name__})") from error

    def register(
        self,
        type_: type[T],
        *,
        name: str | None = None,
        encode: Callable[[T], object] | None = None,
        decode: Callable[[Any], T] | None = None,
    ) -> type[T]:
        """Make a type known; usable as a decorator. See `TypeRegistry.register`."""
        return self.registry.register(type_, name=name, encode=encode, decode=decode)

    def register_hint(self, hint: object) -> None:
        """Make the types in a type hint known. See `TypeRegistry.register_hint`."""
        self.registry.register_hint(hint)

    def __repr__(self) -> str:
        return f"MsgpackCodec({self.registry!r})"

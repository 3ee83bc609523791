"""What the cache asks of a codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Codec(Protocol):
    """Turns values into bytes and bytes into equal values of the same types.

    A codec decodes every value that it encodes, and is safe on any bytes at all: decoding runs no
    code that the bytes name, except to construct types that were registered.

    Attributes:
        identifier: One byte, 1 to 255, kept in each record: another codec's payload is a miss.
    """

    @property
    def identifier(self) -> int: ...

    def encode(self, value: object) -> bytes:
        """Return a value's bytes.

        Raises:
            EncodeError: The value, or one inside it, has a type that the codec does not know, or
                is nested too deep. The error holds the inner type and says what to do.
        """
        ...

    def decode(self, payload: bytes) -> Any:
        """Return the value that the bytes stand for, a new object for each call.

        Raises:
            DecodeError: The bytes are not exactly one value that this codec writes.
        """
        ...

    def register(
        self,
        type_: type[T],
        *,
        name: str | None = None,
        encode: Callable[[T], object] | None = None,
        decode: Callable[[Any], T] | None = None,
    ) -> type[T]:
        """Make a type known; usable as a decorator. See `TypeRegistry.register`."""
        ...

    def register_hint(self, hint: object) -> None:
        """Make the types in a type hint known, as far as they can be. Never raises."""
        ...

"""The ghost: which keys have been evicted lately, as fingerprints in an array.

S3-FIFO needs to know whether a key that comes back has left only a moment ago. A dict of a million
keys would cost more than some caches; here a key is 8 bytes: 32 bits of its hash, and when it
left. Two places are possible for each; the older of the two gives way. A wrong answer, once in
billions, puts a key into the wrong queue.
"""

from __future__ import annotations

from array import array
from typing import Final

_WORD: Final = 0xFFFF_FFFF
_PLACES_PER_KEY: Final = 2
"""With twice as many places as keys, and two for each, one key in ten is forgotten early."""

_FEWEST: Final = 64


class Ghost:
    """A bounded memory of keys.

    Args:
        capacity: How many keys to remember.
    """

    __slots__ = ("_capacity", "_clock", "_mask", "_places")

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        size = 1 << (max(_FEWEST, capacity * _PLACES_PER_KEY) - 1).bit_length()
        self._mask = size - 1
        self._places = array("Q", bytes(8 * size))
        self._clock = capacity + 1  # so that an empty place is too old

    def add(self, key: str) -> None:
        """Remember a key that leaves now."""
        hashed = hash(key)
        places, clock = self._places, self._clock
        first, second = hashed & self._mask, (hashed & self._mask) ^ 1
        older = second if self._age(places[second]) > self._age(places[first]) else first
        places[older] = ((hashed >> 20) & _WORD) << 32 | clock
        self._clock = (clock + 1) & _WORD

    def take(self, key: str) -> bool:
        """Tell whether a key has left lately, and forget it."""
        hashed = hash(key)
        places = self._places
        fingerprint = (hashed >> 20) & _WORD
        for place in (hashed & self._mask, (hashed & self._mask) ^ 1):
            word = places[place]
            if word >> 32 == fingerprint and self._age(word) <= self._capacity:
                places[place] = 0
                return True
        return False

    def clear(self) -> None:
        """Forget everything."""
        self._places = array("Q", bytes(8 * len(self._places)))
        self._clock = self._capacity + 1

    def _age(self, word: int) -> int:
        # The clock wraps round after four billion evictions.
        return (self._clock - (word & _WORD)) & _WORD

    def __repr__(self) -> str:
        return f"<Ghost of {self._capacity} keys, {8 * len(self._places)} bytes>"

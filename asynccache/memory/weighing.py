"""How heavy an entry is: by the user's function, or by an estimate of its bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import chain, islice
from typing import Any, Final, TypeAlias

from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument

Weigher: TypeAlias = Callable[[str, Any], int]

OVERHEAD: Final = 200
"""Bytes of an entry besides its key and value: the object, and its places in a dict, a deque and a
bucket."""

MOST_OBJECTS: Final = 1_000
"""Objects inside a value that are looked at; the rest of a larger one is taken to be like them."""


def estimated_weight(key: str, value: Any) -> int:
    """Return about how many bytes a key and its value take in this process.

    Exact, but for some bytes, for what is kept encoded and for text, bytes and numbers. An object
    that is kept as it is (``share=True``) is estimated by what can be seen of it: containers, and
    the attributes of other objects.
    """
    return OVERHEAD + sys.getsizeof(key) + _size_of(value)


def _size_of(value: Any) -> int:
    if isinstance(value, str | bytes | int | float | None):
        return sys.getsizeof(value)
    seen: set[int] = set()
    total = 0
    level: list[Any] = [value]
    while level and len(seen) < MOST_OBJECTS:
        new = list({id(each): each for each in level if id(each) not in seen}.values())
        looked_at = new[: MOST_OBJECTS - len(seen)]
        seen.update(map(id, looked_at))
        size = sum(map(sys.getsizeof, looked_at))
        total += size if len(looked_at) == len(new) else size * len(new) // len(looked_at)
        level = list(islice(chain.from_iterable(map(_parts_of, looked_at)), 100 * MOST_OBJECTS))
    return total


def _parts_of(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return chain(value.keys(), value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    kind = type(value)
    names: Any = getattr(kind, "__struct_fields__", None) or getattr(kind, "__slots__", ())
    slots = () if isinstance(names, str) else [getattr(value, name, None) for name in names]
    return chain(getattr(value, "__dict__", {}).values(), slots)


def checked_weight(weight: int) -> int:
    """Return a weight, unless it would make the sum of all weights meaningless.

    Raises:
        ArgumentTypeError: It is no whole number.
        InvalidArgument: It is negative.
    """
    if not isinstance(weight, int):
        raise wrong_type("weigher", weight, "a function that returns a whole number")
    if weight < 0:
        raise InvalidArgument("weigher", f"must return a number of at least 0, got {weight!r}")
    return weight

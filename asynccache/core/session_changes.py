"""What a request has changed in its session: no more than that is written, so others' stays."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any, Protocol


class Serializer(Protocol):
    """Values of a session to bytes and back. It must never run what it reads."""

    def dumps(self, value: Any) -> bytes:
        """Encode a value.

        Raises:
            TypeError: It cannot be encoded.
        """
        ...

    def loads(self, raw: bytes) -> Any:
        """Decode what `dumps` returned.

        Raises:
            ValueError: It is nothing of the kind.
        """
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What is to be written.

    Attributes:
        sets: New values, encoded.
        deletes: Keys that go.
        clear: All others go too.
    """

    sets: Mapping[str, bytes] = field(default_factory=dict)
    deletes: tuple[str, ...] = ()
    clear: bool = False

    def __bool__(self) -> bool:
        return bool(self.sets or self.deletes or self.clear)

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that are set or deleted by name."""
        return (*self.sets, *self.deletes)

    def applied_to(self, data: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return what data are after it."""
        kept = {} if self.clear else {k: v for k, v in data.items() if k not in self.deletes}
        return {**kept, **self.sets}


def changes_of(
    loaded: Mapping[str, bytes],
    current: Mapping[str, Any],
    touched: Set[str],
    *,
    cleared: bool,
    serializer: Serializer,
) -> Changes:
    """Return what has changed since a session was loaded.

    What was assigned is written even if it is what it was: another request may have written since.
    What can be changed in place (a list, a dict) is encoded again and compared.

    Args:
        loaded: What was loaded, encoded.
        current: The session now.
        touched: The keys that were assigned or deleted.
        cleared: It was emptied in between.
        serializer: Encodes.

    Raises:
        TypeError: A value cannot be encoded; its key is named.
    """
    if cleared:
        sets = {key: encoded(key, value, serializer) for key, value in current.items()}
        return Changes(sets, clear=True)
    sets = {key: encoded(key, current[key], serializer) for key in current if key in touched}
    for key, value in current.items():
        if key in touched or isinstance(value, str | int | float | bool | None):
            continue
        raw, before = encoded(key, value, serializer), loaded.get(key)
        # Another release of the serializer may have written the same in other bytes.
        if raw != before and (before is None or raw != serializer.dumps(serializer.loads(before))):
            sets[key] = raw
    deletes = tuple(key for key in loaded if key in touched and key not in current)
    return Changes(sets, deletes)


def encoded(key: str, value: Any, serializer: Serializer) -> bytes:
    """Return a value's bytes.

    Raises:
        TypeError: It cannot be encoded; its key is named.
    """
    try:
        return serializer.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        kind = type(value).__qualname__
        raise TypeError(f"session[{key!r}]: cannot encode a {kind}: {error}") from None

"""Whether a value can be handed to many callers as it is, because none of them can change it."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import cached_property, lru_cache
from typing import Any, Generic, Protocol
from uuid import UUID

MOST_PARTS = 64
"""Beyond this many parts looking is dearer than encoding, which is safe for every value."""

_SCALARS = frozenset(
    {type(None), bool, int, float, complex, str, bytes}
    | {Decimal, UUID, datetime, date, time, timedelta}
)


def is_immutable(value: object) -> bool:
    """Tell whether a value is immutable, through and through.

    Immutable are numbers, str, bytes, None, the standard value types, Enum members, and tuples,
    frozensets, frozen dataclasses and frozen msgspec Structs of immutable values only. Anything
    else is taken for mutable: subclasses of those types, and what has more than 64 parts.

    Args:
        value: Any value.
    """
    return type(value) in _SCALARS or _is_immutable_throughout(value)


def _is_immutable_throughout(value: object) -> bool:
    pending: list[Any] = [value]
    left = MOST_PARTS
    while pending:
        part = pending.pop()
        kind: type = type(part)
        if kind in _SCALARS or isinstance(part, Enum):
            continue
        if kind is tuple or kind is frozenset:
            parts = part
        else:
            names = _frozen_fields(kind)
            if names is None or not all(hasattr(part, name) for name in names):
                return False
            parts = [getattr(part, name) for name in names]
        left -= len(parts)
        if left < 0:
            return False
        pending.extend(parts)
    return True


@lru_cache(maxsize=512)
def _frozen_fields(kind: type) -> tuple[str, ...] | None:
    """Return the fields that hold all of an instance's state, or None if it may change."""
    for base in kind.__mro__:
        # What it caches is handed out as well, and may be a list.
        if any(isinstance(attribute, cached_property) for attribute in vars(base).values()):
            return None
    config = getattr(kind, "__struct_config__", None)
    if config is not None:
        fields: tuple[str, ...] = kind.__struct_fields__  # type: ignore[attr-defined]  # a Struct
        return fields if config.frozen else None
    # A plain base class could keep state of its own, in what its __init__ sets.
    bases = [base for base in kind.__mro__ if base not in _STATELESS]
    if not bases or not all(_is_frozen_dataclass(base) for base in bases):
        return None
    return tuple(field.name for field in dataclasses.fields(kind))


_STATELESS = frozenset({object, Generic, Protocol})


def _is_frozen_dataclass(base: type) -> bool:
    # Its own decorator counts: an undecorated subclass can take new attributes.
    parameters = vars(base).get("__dataclass_params__")
    return parameters is not None and parameters.frozen

"""The few types that everything shares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum
from typing import Final, Literal, TypeAlias, TypeVar

T = TypeVar("T")

Duration: TypeAlias = int | float | timedelta
"""A length of time: seconds, or a timedelta."""

Loader: TypeAlias = Callable[[], Awaitable[T]]
"""A function of no arguments whose awaited result is the value of a key."""


class Missing(Enum):
    """The type of ``MISSING``."""

    MISSING = "MISSING"

    def __repr__(self) -> str:
        return "MISSING"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return False


MISSING: Final[Literal[Missing.MISSING]] = Missing.MISSING
"""What ``get`` returns for a key that is not there: ``None`` is a value like any other."""

"""What a read or a write says about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome of a write or an invalidation.

    Attributes:
        acknowledged: Redis has done it, and the other processes are being told. If False, Redis
            could not be asked in time: this process behaves as if it were done, keeps the keys in
            its journal and deletes them in Redis as soon as that is back; until then another
            process may go on serving what it has, for the rest of that value's ttl.
        affected: How many keys it changed, as far as is known.
    """

    acknowledged: bool
    affected: int


@dataclass(frozen=True, slots=True)
class LoadResult(Generic[T]):
    """A value, and what is known of it.

    Attributes:
        value: The value.
        level: Where it was found: in this process, in Redis, or with its loader.
        stale: It is past its lifetime: it stands in for a load that has failed or takes too long.
        age: Seconds since it was loaded or stored, as far as this process knows.
    """

    value: T
    level: Literal["L1", "L2", "loader"]
    stale: bool
    age: float

"""What a write says about itself."""

from __future__ import annotations

from dataclasses import dataclass


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

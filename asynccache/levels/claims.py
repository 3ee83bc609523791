"""What a run takes from Redis before it loads: leases, tokens, and what they tell of the source.

All of it is older than the load. What is stored with it is refused, or found to be invalid, by
whatever has been invalidated since.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping, Sequence

from asynccache.levels.leases import LEASE_MS
from asynccache.levels.shared import SecondLevel
from asynccache.levels.store import Lease


class Claims:
    """The claims of one run.

    Attributes:
        token: What the run's leases are known by; empty: it has asked for none.
        tokens: Those of the values' tags and of the namespace.
        clock: That of the tags when the leases were granted; None: it cannot be told.
        stamps: In which life of its server a key's lease was granted: a later one may have got the
            lease back with an old snapshot, and not the delete that took it away (race 15).
        unkept: Keys whose source is about to be changed.
        settling: Keys whose source may be old, and for how many seconds.
    """

    __slots__ = ("clock", "settling", "stamps", "token", "tokens", "unkept")

    def __init__(self) -> None:
        self.token = b""  # most runs find the value, and need none
        self.tokens: Mapping[str, bytes] = {}
        self.clock: int | None = None
        self.stamps: dict[str, bytes] = {}
        self.unkept: set[str] = set()
        self.settling: dict[str, float] = {}

    async def ask(
        self, keys: Sequence[str], second: SecondLevel, *, steal: bool = False
    ) -> list[Lease]:
        """Ask for leases.

        Args:
            keys: The keys.
            second: Where the leases are.
            steal: Take them from whoever holds them.

        Raises:
            Unavailable: Redis cannot be asked.
        """
        self.token = self.token or secrets.token_bytes(16)
        try:
            leases = await second.store.acquire(keys, self.token, LEASE_MS, steal=steal)
        except asyncio.CancelledError:
            # They may be granted all the same, and would keep others waiting for nobody.
            second.leases.release_soon(keys, self.token)
            raise
        self.stamps |= {key: second.store.stamp(key) for key in keys}
        for key, lease in zip(keys, leases, strict=True):
            self.clock = lease.clock
            if lease.is_written:
                self.unkept.add(key)
            if lease.settling_ms:
                self.settling[key] = lease.settling_ms / 1000
        return leases

    def sorted_out(
        self, keys: Sequence[str], leases: Sequence[Lease], still_open: Collection[str]
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        """Return the keys to load with a lease, those without one, and leases that are not needed.

        Args:
            keys: The keys.
            leases: Their leases, in order.
            still_open: The keys without a value; some may have been filled since we looked.
        """
        granted = {key for key, lease in zip(keys, leases, strict=True) if lease.granted}
        # Under an intent everybody loads for himself, and keeps nothing.
        denied = {
            key
            for key, lease in zip(keys, leases, strict=True)
            if lease.denied or (lease.is_written and key in still_open)
        }
        wanted = set(still_open)
        in_vain = (granted - wanted) | (granted & denied)
        return (
            frozenset((granted - denied) & wanted),
            frozenset(denied & wanted),
            frozenset(in_vain),
        )

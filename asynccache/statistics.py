"""What a cache has done: plain counters inside, a frozen snapshot outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Tracked: TypeAlias = Literal["on", "off", "refused", "none"]


class Counters:
    """The running counts of one cache; plain ints, owned by its event loop."""

    __slots__ = (
        "damaged",
        "eager_refreshes",
        "fills_refused",
        "gaps",
        "invalidations_received",
        "l2_hits",
        "load_failures",
        "loads",
        "misses",
        "stale_served",
    )

    def __init__(self) -> None:
        self.l2_hits = 0
        self.misses = 0
        self.loads = 0
        self.load_failures = 0
        self.stale_served = 0
        self.eager_refreshes = 0
        self.damaged = 0
        self.fills_refused = 0
        self.invalidations_received = 0
        self.gaps = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a cache has done since it was started, and its state now.

    A request that waits for another one's load counts as ``coalesced`` and as nothing else, so
    ``l1_hits + l2_hits + misses + coalesced`` is the number of keys that were asked for.

    Attributes:
        l1_hits: Keys answered by this process.
        l2_hits: Keys answered by Redis.
        misses: Keys found in neither level.
        coalesced: Keys answered by waiting for a read or load that somebody else had started.
        loads: Keys that a loader was run for.
        load_failures: Of those, how many ended in an exception.
        stale_served: Failed and slow loads in whose place a value in its grace was served.
        eager_refreshes: Refreshes that were begun in the background before a value had expired.
        damaged: Records that could not be read: each was a miss, and was replaced.
        fills_refused: Loaded values that were not stored because something newer had happened.
        invalidations_sent: Messages sent to the other processes.
        invalidations_received: Messages received from them.
        pushes_received: Changed keys that Redis itself has told of, our own among them.
        gaps: How often messages may have been lost, so that L1 was emptied.
        unavailable: Redis operations that failed or were not tried because Redis was down.
        evictions: Entries that left L1 to keep its bound.
        expirations: Entries that left L1 because they were of no use any more.
        l1_entries: Entries in L1.
        l1_weight: The sum of their weights: bytes where a byte bound is set, else entries.
        flights: Loads that are running.
        journal: Keys whose invalidation has yet to reach Redis.
        unproven_served: Values served beyond ``max_staleness`` because Redis was down and the cache
            was made with ``outage="stale"``.
        bus_lag: Seconds since the moment up to which all invalidations are known to be applied;
            None: nothing was proved since the last gap, or there is no bus.
        breaker: Whether Redis is being asked; "none" without Redis.
        bus: Whether L1 may answer on the strength of the bus; "none" without Redis.
        tracking: Whether Redis itself tells what changes: "on": it does; "off": it is not asked,
            or has not done so yet; "refused": it does not; "none": there is no bus.
    """

    l1_hits: int
    l2_hits: int
    misses: int
    coalesced: int
    loads: int
    load_failures: int
    stale_served: int
    eager_refreshes: int
    damaged: int
    fills_refused: int
    invalidations_sent: int
    invalidations_received: int
    pushes_received: int
    gaps: int
    unavailable: int
    evictions: int
    expirations: int
    l1_entries: int
    l1_weight: int
    flights: int
    journal: int
    unproven_served: int
    bus_lag: float | None
    breaker: Literal["closed", "open", "none"]
    bus: Literal["open", "closed", "none"]
    tracking: Tracked

    @property
    def requests(self) -> int:
        """Keys that were asked for."""
        return self.l1_hits + self.l2_hits + self.misses + self.coalesced

    @property
    def hit_ratio(self) -> float:
        """The share of requests answered without their own load, 0 to 1; 0 before the first."""
        return 1.0 - self.misses / self.requests if self.requests else 0.0

"""Whether a cache does all that it can, for a readiness probe and for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asynccache.statistics import Tracked


@dataclass(frozen=True, slots=True)
class Health:
    """The state of a cache at one moment.

    A degraded cache is slower and right all the same: an application that is ready without its
    cache stays ready.

    Attributes:
        status: "ok": both levels answer; "degraded": one of them does not, or something is unsaid
            to Redis; "closed": the cache is not running.
        redis: Whether Redis is being asked; "none": there is none.
        bus: Whether L1 may answer on the strength of the bus; "none": there is none.
        tracking: Whether Redis itself tells what changes: "on": it does; "off": it is not asked,
            or has not done so yet; "refused": it does not; "none": there is no bus.
        lag: Seconds since the moment up to which all invalidations are known to be applied; None:
            nothing was proved since the last gap, or there is no bus.
        journal: Keys and tags whose invalidation has yet to reach Redis.
        reasons: What is not well, for people.
    """

    status: Literal["ok", "degraded", "closed"]
    redis: Literal["up", "down", "none"]
    bus: Literal["open", "closed", "none"]
    tracking: Tracked
    lag: float | None
    journal: int
    reasons: tuple[str, ...]

    @property
    def is_ok(self) -> bool:
        """Whether all is well."""
        return self.status == "ok"


def diagnose(
    *,
    is_running: bool,
    redis: Literal["up", "down", "none"],
    bus: Literal["open", "closed", "none"],
    tracking: Tracked,
    lag: float | None,
    journal: int,
    last_error: str | None,
) -> Health:
    """Return the health that some observations amount to."""
    reasons: list[str] = []
    if not is_running:
        reasons.append("the cache is not running")
    if redis == "down":
        reasons.append(f"Redis is not asked: {last_error or 'it was given up'}")
    if bus == "closed":
        reasons.append("it is not proved that invalidations are heard: L1 does not answer")
    if tracking == "refused":
        reasons.append("Redis does not push what changes: L1 hears of changes by caches alone")
    if journal:
        reasons.append(f"Redis does not know of {journal} invalidations yet")
    status: Literal["ok", "degraded", "closed"] = "degraded" if reasons else "ok"
    return Health(
        status=status if is_running else "closed",
        redis=redis,
        bus=bus,
        tracking=tracking,
        lag=lag,
        journal=journal,
        reasons=tuple(reasons),
    )

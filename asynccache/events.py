"""What an observer of a cache is told: what is rare and worth a line in a log or an alarm.

What happens on every request is counted instead; see `Cache.statistics`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

logger = logging.getLogger("asynccache")


@dataclass(frozen=True, slots=True)
class RedisLost:
    """Redis is not asked until it answers a probe: calls fail at once, readers load.

    Attributes:
        address: Where it is.
        reason: Why it was given up.
    """

    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class RedisBack:
    """Redis is asked again.

    Attributes:
        address: Where it is.
    """

    address: str


@dataclass(frozen=True, slots=True)
class BusOpened:
    """It is proved that invalidations are heard: the first level answers."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Invalidations may have been missed: the first level was emptied.

    Attributes:
        reason: What happened.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Unacknowledged:
    """A write or an invalidation did not reach Redis, and is in the journal.

    Attributes:
        journal: How many keys and tags are in it now.
    """

    journal: int


@dataclass(frozen=True, slots=True)
class StaleServed:
    """Values past their lifetime stood in for a load that failed.

    Attributes:
        keys: Their keys.
        error: What the loader raised.
    """

    keys: tuple[str, ...]
    error: Exception


@dataclass(frozen=True, slots=True)
class Damaged:
    """Bytes in Redis were no record of ours, and count as a miss.

    Attributes:
        key: Their key.
        why: What is wrong with them.
    """

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Inconsistent:
    """A level says something else than the source, longer after an invalidation than it may.

    Attributes:
        key: The key.
        level: Which level.
        after: Seconds since the invalidation.
    """

    key: str
    level: str
    after: float


Event: TypeAlias = (
    RedisLost | RedisBack | BusOpened | Gap | Unacknowledged | StaleServed | Damaged | Inconsistent
)

Observer: TypeAlias = Callable[[Event], object]


class Events:
    """Tells an observer, if there is one.

    Args:
        observer: Called at once, in the event loop. What it raises is logged and disturbs nobody.
    """

    __slots__ = ("_observer",)

    def __init__(self, observer: Observer | None = None) -> None:
        self._observer = observer

    def emit(self, event: Event) -> None:
        """Tell of an event."""
        if self._observer is None:
            return
        try:
            self._observer(event)
        except Exception:
            logger.exception("the observer failed at %r", event)

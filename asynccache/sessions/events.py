"""What happens to sessions, for logs and alarms: it names sessions, and never opens one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

logger = logging.getLogger("asynccache")

Kind: TypeAlias = Literal[
    "created",
    "rotated",
    "destroyed",
    "rejected",  # an identifier that is unknown, or no longer known
    "stale",  # one whose verifier is wrong, or superseded
    "dropped",  # what was written came too late: the session had ended, or was another's
    "damaged",
    "ambiguous",  # several cookies of the name
    "store-error",
]


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Something that has happened to a session.

    Attributes:
        kind: What.
        public_id: To which; empty: to none that has a name.
        detail: More about it.
    """

    kind: Kind
    public_id: str = ""
    detail: str = ""


Listener: TypeAlias = Callable[[SessionEvent], object]

WARNED = {"stale", "dropped", "damaged", "ambiguous"}
"""Not that the store is away: its link says so once, and each request would say it again."""


def tell(listener: Listener | None, event: SessionEvent) -> None:
    """Log an event, and tell a listener; what it raises disturbs nobody."""
    level = logging.WARNING if event.kind in WARNED else logging.DEBUG
    logger.log(level, "session %s %s %s", event.public_id or "-", event.kind, event.detail)
    if listener is None:
        return
    try:
        listener(event)
    except Exception:
        logger.exception("the listener failed at %r", event)

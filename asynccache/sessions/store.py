"""The port to where sessions are kept. Every method is atomic, and does what it does whole or not.

A store never makes a session from an identifier that it does not know, and never changes one whose
verifier it was not shown: so nothing that is under way brings an ended session back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Literal, Protocol

from asynccache.core.session_changes import Changes
from asynccache.core.session_record import SessionRecord, Tombstone

TOMBSTONE_MS: Final = 60_000
"""How long it is known that a session was ended, and not just absent: for those who look into it.
Nothing depends on it."""


class Outcome(Enum):
    """What became of a write."""

    DONE = 1
    EMPTIED = 2  # nothing was left of the session: it was ended
    ENDED = 3  # it had been ended before
    REFUSED = 4  # the verifier is not, or no longer, the session's
    TOO_LARGE = 6
    MERGED = 7  # written, but another request had rotated the identifier before
    CONFLICT = 8  # another request has changed the same keys
    NO_NUMBER = 9
    MISSING = 0


@dataclass(frozen=True, slots=True)
class Found:
    """What was read.

    Attributes:
        record: The session; None: there is none, or nothing that could be understood.
        ttl: Milliseconds that it lives; less than 0: for ever.
        now: The store's time, milliseconds since 1970.
    """

    record: SessionRecord | Tombstone | None
    ttl: int
    now: int


@dataclass(frozen=True, slots=True)
class Reply:
    """What a write was answered.

    Attributes:
        outcome: What became of it.
        now: The store's time, milliseconds since 1970.
        deadline: When the session ends, whatever happens; 0: unknown.
        value: What `increment` and `take` return, encoded.
    """

    outcome: Outcome
    now: int
    deadline: int = 0
    value: bytes | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a session may hold.

    Attributes:
        most_bytes: In all keys and values.
        most_fields: How many keys.
    """

    most_bytes: int = 65_536
    most_fields: int = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Another identifier.

    Attributes:
        digest: Of the new verifier.
        mode: What the old one opens for the time of the grace: everything ("g") or nothing ("s").
        grace: Milliseconds.
        generation: Of tokens; empty: as it was.
    """

    digest: bytes = field(repr=False)
    mode: Literal["g", "s"]
    grace: int
    generation: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What is to become of a session.

    Attributes:
        changes: Of its values.
        expected: What the changed keys must hold (None: nothing); None: whatever they do.
        rotation: Another identifier; None: the same.
        rekeyed: The same verifier's digest by a newer key; empty: as it is.
        absolute: Milliseconds from now until it ends, whatever happens; 0: as it was.
        idle: Milliseconds that it lives without a request; 0: as it was.
        user: Whose it is; empty: nobody's; None: as it was.
    """

    changes: Changes = field(default_factory=Changes)
    expected: Mapping[str, bytes | None] | None = None
    rotation: Rotation | None = None
    rekeyed: bytes = field(default=b"", repr=False)
    absolute: int = 0
    idle: int = 0
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One of a user's sessions.

    Attributes:
        public_id: Where it is.
        record: What it holds.
        ttl: Milliseconds that it lives.
        now: The store's time, milliseconds since 1970.
    """

    public_id: str
    record: SessionRecord
    ttl: int
    now: int


class SessionStore(Protocol):
    """Keeps sessions. ``place`` is a public id; ``digest`` is a verifier's.

    Every method raises `Unavailable` when the store cannot be asked.
    """

    async def load(self, place: str) -> Found:
        """Return what is kept there; nothing is changed."""
        ...

    async def touch(self, place: str, digest: bytes) -> None:
        """Let a session live for its idle time from now on, never past its deadline."""
        ...

    async def create(
        self, place: str, digest: bytes, write: Write, limits: Limits, generation: str
    ) -> Reply:
        """Keep a new session; ``write`` has its lifetimes. What is there already is not changed."""
        ...

    async def commit(self, place: str, digest: bytes, write: Write, limits: Limits) -> Reply:
        """Change a session."""
        ...

    async def destroy(self, place: str, digest: bytes | None, user: str = "") -> bool:
        """End a session, for good; None: whatever its verifier. Tell whether there was one."""
        ...

    async def increment(
        self, place: str, digest: bytes, key: str, by: int, limits: Limits
    ) -> Reply:
        """Add to a whole number; a missing one is 0."""
        ...

    async def take(self, place: str, digest: bytes, key: str) -> Reply:
        """Remove a value and return it."""
        ...

    async def list(self, user: str) -> Sequence[Listed]:
        """Return a user's sessions, the latest login first."""
        ...

    async def close(self) -> None:
        """Hang up. May be called repeatedly."""
        ...

"""The states of the model: two processes, one key with one tag, Redis, and the source of truth.

Values are the versions of the source that they were loaded from. Time is left out: what is bounded
by time in the cache is a step here that may happen at any moment (a lease expires, a message is
late, a proof runs out).
"""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """What Redis keeps for the key: a value, and what it counts under (P5, P7, tags)."""

    value: int
    stamp: int
    token: int


class Redis(NamedTuple):
    """The server.

    Attributes:
        record: The key's record.
        lease: The token of whoever may fill (P1).
        token: The tag's token; 0: it has none.
        stamp: Which life this is (P5).
        marks: The processes that have announced a change (P6).
        snapshot: What a restart would bring back.
    """

    record: Record | None = None
    lease: int = 0
    token: int = 1
    stamp: int = 1
    marks: frozenset[int] = frozenset()
    snapshot: tuple[Record | None, int] | None = None


class Flight(NamedTuple):
    """A load under way in a process (P2).

    Attributes:
        stage: "look", "claim", "load", "fill" or "install".
        lease: The token that it was granted; 0: none.
        value: What was read or loaded; -1: nothing yet.
        token: The tag's token that the value will be stored under.
        stamp: The life of the server that it spoke to.
        intact: No invalidation has overtaken it.
        joinable: Newcomers may wait for it.
        floor: The oldest value that may be given to those who wait.
        unkept: Somebody has announced a change: nothing is to be kept.
    """

    stage: str = "look"
    lease: int = 0
    value: int = -1
    token: int = 0
    stamp: int = 0
    intact: bool = True
    joinable: bool = True
    floor: int = 0
    unkept: bool = False


class Write(NamedTuple):
    """A change under way in a process, at the stage "mark", "commit", "drop", "send" (or "tell" and
    then "change") or "return"."""

    stage: str
    kind: str
    version: int = 0
    acknowledged: bool = False


class Process(NamedTuple):
    """A process.

    Attributes:
        l1: What it keeps; -1: nothing.
        flight: The load that can be joined, or the newest one.
        write: What it changes.
        inbox: Messages that are on their way to it: "key" or "tag".
        has_lost: One of them was lost, which it will find out (P3).
        journal: What Redis has yet to be told: "key", "tag" or nothing (P4).
        floor: The newest version that a write of its own has returned for.
        reads: How many more reads begin here.
        writes: How many more changes begin here.
        stamp: The life of the server that it knows.
    """

    l1: int = -1
    flight: Flight | None = None
    write: Write | None = None
    inbox: tuple[str, ...] = ()
    has_lost: bool = False
    journal: str = ""
    floor: int = 0
    reads: int = 0
    writes: int = 0
    stamp: int = 1


class World(NamedTuple):
    """Everything.

    Attributes:
        source: The version that the source has.
        redis: The server.
        processes: Two of them.
        faults: How many more things go wrong.
    """

    source: int
    redis: Redis
    processes: tuple[Process, Process]
    faults: int = 0

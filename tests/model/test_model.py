"""Every order of the steps keeps the promises; without any one mechanism, some order does not."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import pytest

from tests.model.protocol import MECHANISMS, Protocol, Violation
from tests.model.state import Process, Redis, World


@dataclass(frozen=True)
class Configuration:
    """A small world, and how much happens in it."""

    protocol: Protocol
    reads: tuple[int, int] = (2, 2)
    writes: tuple[int, int] = (0, 1)
    faults: int = 0
    least_states: int = 100

    def start(self) -> World:
        """Return the world before anything has happened."""
        first, second = (
            Process(reads=reads, writes=writes)
            for reads, writes in zip(self.reads, self.writes, strict=True)
        )
        return World(0, Redis(), (first, second), faults=self.faults)


CONFIGURATIONS = {
    "deletes": Configuration(Protocol(), reads=(2, 2), least_states=5_000),
    "tags": Configuration(Protocol(kinds=("tag",)), writes=(0, 1)),
    "late tags": Configuration(Protocol(kinds=("tag",), late_tag=True)),
    "keys and tags": Configuration(Protocol(kinds=("key", "tag")), writes=(1, 1), reads=(1, 0)),
    "lost messages": Configuration(Protocol(faults=frozenset({"lose"})), faults=1),
    "unreachable": Configuration(
        Protocol(faults=frozenset({"unreachable"})), reads=(1, 3), faults=1
    ),
    "expiry": Configuration(
        Protocol(faults=frozenset({"expire", "evict"})), reads=(1, 2), faults=1
    ),
    "restarts": Configuration(Protocol(faults=frozenset({"restart"})), reads=(0, 2), faults=1),
    "crashes": Configuration(
        Protocol(kinds=("intent",), faults=frozenset({"crash", "expire"})),
        reads=(2, 0),
        writes=(0, 1),
        faults=2,
    ),
    "two announced writers": Configuration(
        Protocol(kinds=("intent",), faults=frozenset({"crash", "expire"})),
        reads=(0, 1),
        writes=(1, 1),
        faults=2,
    ),
}
MOST_STATES = 400_000
WHERE = {
    "a gap empties": "lost messages",
    "the journal": "unreachable",
    "the bypass": "unreachable",
    "the stamp": "restarts",
    "the token is from before the load": "late tags",
    "an intent is seen": "crashes",
    "intents are counted": "two announced writers",
}
"""The configuration in which a mechanism is missed, if that is not "deletes"."""


def explore(configuration: Configuration, protocol: Protocol) -> tuple[int, list[str]]:
    """Return how many states there are, and the shortest way to a broken promise, if any."""
    start = configuration.start()
    origin: dict[World, tuple[World, str] | None] = {start: None}
    to_visit = deque([start])
    while to_visit:
        world = to_visit.popleft()
        try:
            following = list(protocol.steps(world))
            if not following:
                check_end(world, protocol)
        except Violation as violation:
            return len(origin), [*way_to(world, origin), f"VIOLATION: {violation}"]
        for label, after in following:
            if after not in origin:
                origin[after] = (world, label)
                to_visit.append(after)
        assert len(origin) < MOST_STATES
    return len(origin), []


def check_end(world: World, protocol: Protocol) -> None:
    """Look at a world in which nothing more happens: nothing may be stale for ever."""
    record = protocol._readable(world)
    if record is not None and record.value != world.source:
        raise Violation(f"Redis keeps {record.value}, the source has {world.source}")
    for name, process in zip("AB", world.processes, strict=True):
        if process.l1 not in (-1, world.source):
            raise Violation(f"{name} keeps {process.l1}, the source has {world.source}")


def way_to(world: World, origin: dict[World, tuple[World, str] | None]) -> list[str]:
    """Return the labels of the steps to a world."""
    labels: list[str] = []
    while (came_from := origin[world]) is not None:
        world, label = came_from
        labels.append(label)
    return labels[::-1]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_every_order_keeps_the_promises(name: str) -> None:
    """In the end nothing is stale, and nobody reads something older than its own write."""
    configuration = CONFIGURATIONS[name]

    states, trace = explore(configuration, configuration.protocol)

    assert trace == []
    assert states >= configuration.least_states


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_without_a_mechanism_an_order_breaks_them(mechanism: str) -> None:
    """So each is needed, and the model can tell."""
    configuration = CONFIGURATIONS[WHERE.get(mechanism, "deletes")]
    mutant = replace(configuration.protocol, without=frozenset({mechanism}))

    _, trace = explore(configuration, mutant)

    assert trace

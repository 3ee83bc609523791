"""Thousands of schedules hold what is promised, and that they would tell if it did not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from asynccache.core.echoes import Written
from asynccache.levels.pushes import Pushes
from tests.simulation.faults import LASTING, LOSSES
from tests.simulation.mutants import MUTANTS
from tests.simulation.run import run_seeds
from tests.simulation.schedule import run_schedule

SCHEDULES = 6_000
PARTS = 6
"""So that they are spread over the processes that run tests. ``nox -s simulation`` runs more."""

TRACKED = 1_200
TRACKED_PARTS = 2

PATIENCE = 3_000
"""Schedules in which a mutant must be noticed, from its seed on."""


@pytest.mark.parametrize("part", range(PARTS))
def test_every_schedule_holds(part: int) -> None:
    """Bounded staleness, own writes, monotonic reads, agreement in the end, no foreign end."""
    summary = run_seeds(range(part, SCHEDULES, PARTS))

    assert summary.violations == []
    assert summary.schedules == SCHEDULES // PARTS
    assert summary.reads > 5 * summary.schedules
    assert summary.faults.keys() == {*LASTING, *LOSSES}


@pytest.mark.parametrize("part", range(TRACKED_PARTS))
def test_every_schedule_with_foreign_changes_holds(part: int) -> None:
    """Whoever changes a record, and whatever else happens at the same moment."""
    summary = run_seeds(range(part, TRACKED, TRACKED_PARTS), tracked=True)

    assert summary.violations == []


def _stands(self: Written, value: object, pttl: object, now: float) -> bool:
    return True


def _ignore(self: Pushes, names: Sequence[bytes]) -> None:
    self.received += len(names)


@pytest.mark.parametrize(
    ("part", "method", "broken"), [(Written, "stands", _stands), (Pushes, "pushed", _ignore)]
)
def test_pushes_that_are_not_looked_into_are_missed(
    part: type, method: str, broken: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither those for other keys, nor those that might be echoes."""
    monkeypatch.setattr(part, method, broken)

    assert any(run_schedule(seed, tracked=True).verdict.violations for seed in range(100))


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mechanism_that_is_taken_away_is_missed(name: str) -> None:
    """Else the schedules would prove nothing about it."""
    seed, broken = MUTANTS[name]
    seeds = range(seed, seed + PATIENCE)

    assert any(run_schedule(each, broken).verdict.violations for each in seeds)


def test_a_seed_tells_everything() -> None:
    """The same one gives the same history, to the microsecond."""
    first, second = (run_schedule(7) for _ in range(2))

    assert first.history == second.history
    assert first.happened == second.happened
    assert run_schedule(8).history != first.history


def test_schedules_differ() -> None:
    """Values are loaded, found, written and lost, in different orders."""
    kinds = Counter(
        type(line).__name__ for seed in range(50) for line in run_schedule(seed).history
    )

    assert kinds["Read"] > kinds["Load"] > 50
    assert kinds["Write"] > 100

"""The judge: what it has to let pass, and what it has to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.checker import Verdict, judge
from tests.faults.history import Final, Line, Load, Log, Note, Read, Write, lines
from tests.faults.report import report, shortcomings

WRITE = Write("a", 7, 10.0, 10.1, 2, True)


def verdict_on(*history: Line, end: int = 2) -> Verdict:
    """Return the verdict on a history that ends well."""
    return judge([*history, Final("a", 7, end)], bound=1.0, truth={7: 2})


@pytest.mark.parametrize(
    "line",
    [
        Read("b", 7, 10.05, 12.0, 1),  # it began before the acknowledgement
        Read("b", 7, 11.0, 11.0, 1),  # within the bound
        Read("b", 7, 12.0, 12.0, 2),
        Read("b", 7, 12.0, 12.0, 3),  # newer than what was invalidated
        Read("a", 7, 10.05, 10.2, 1),
        Read("b", 8, 12.0, 12.0, 1),
    ],
)
def test_what_may_be(line: Line) -> None:
    """Nothing is held against it."""
    assert verdict_on(WRITE, line).violations == {}


@pytest.mark.parametrize(
    ("kind", "history"),
    [
        ("stale", [Read("b", 7, 11.2, 11.3, 1)]),
        ("own write missed", [Read("a", 7, 10.2, 10.3, 1)]),
        ("went back", [Read("b", 7, 10.2, 10.3, 2), Read("b", 7, 10.4, 10.5, 1)]),
        ("slow", [Read("b", 7, 9.0, 12.5, 1)]),
        ("error", [Note("b", "error", "ValueError()")]),
        ("foreign cancellation", [Note("b", "foreign cancellation", "7")]),
        ("tasks left", [Note("b", "tasks left", "[]")]),
        ("stale for ever", [Final("b", 7, 1)]),
    ],
)
def test_what_must_not_be(kind: str, history: list[Line]) -> None:
    """It is found, and nothing else is."""
    assert list(verdict_on(WRITE, *history).violations) == [kind]


def test_an_own_write_counts_without_acknowledgement() -> None:
    """In its own process; elsewhere nothing was promised."""
    unsaid = WRITE._replace(acknowledged=False)

    assert verdict_on(unsaid, Read("b", 7, 20.0, 20.1, 1)).violations == {}
    assert "own write missed" in verdict_on(unsaid, Read("a", 7, 20.0, 20.1, 1)).violations


def test_an_end_that_nobody_saw_is_no_proof() -> None:
    """Nor is a run that reads little."""
    verdict = judge([], bound=1.0, truth={})

    assert list(verdict.violations) == ["vacuous"]
    assert any("only 0 reads" in line for line in shortcomings(verdict, 10))


def test_figures() -> None:
    """The histogram, and what counts as without faults."""
    history: list[Line] = [
        WRITE,
        *(Read("b", 7, 10.102 + n / 100, 10.2 + n / 100, 1) for n in range(3)),
        *(Load("b", 7, moment, version) for moment, version in ((1, 1), (2, 1), (3, 2), (50, 1))),
        *(Read("b", 7, moment, moment, 2) for moment in (20.0, 50.0)),
        Note("b", "operations", "read=5"),
    ]
    verdict = judge([*history, Final("a", 7, 2)], bound=1.0, truth={7: 2}, faults=[(49.0, 51.0)])

    assert dict(verdict.staleness) == {0.01: 1, 0.05: 2}
    assert 0.021 < verdict.worst < 0.023
    assert (verdict.reads, verdict.calm_reads, verdict.calm_loads) == (5, 4, 3)
    assert verdict.loads_per_version == 1.5
    assert verdict.hit_ratio == 0.25
    text = report(verdict, history, {"cut": 2}, 1.0)
    assert "operations: read 5" in text
    assert "faults: cut 2" in text
    assert "a hit ratio of 0.250" in text


def test_lines_come_back_as_they_were_written(tmp_path: Path) -> None:
    """But for the one that a kill has cut short."""
    history: list[Line] = [
        WRITE,
        Read("a", 1, 1.5, 1.25, 3),
        Load("a", 1, 0.1, 3),
        Final("a", 1, 3),
        Note("a", "error", "two words"),
    ]
    log = Log(tmp_path / "log")
    for line in history:
        log.write(line)
    log.close()
    with (tmp_path / "log").open("ab") as file:
        file.write(b"R\ta\t1\t1.")

    assert list(lines([tmp_path / "log"])) == history

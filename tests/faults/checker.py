"""The judgement: what the history of a run must not contain."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults.history import Final, Line, Load, Note, Read, Write

BUCKETS = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Upper ends of the staleness histogram, in seconds."""


@dataclass
class Verdict:
    """What was found.

    Attributes:
        violations: Sentences by kind.
        staleness: How many reads were how many seconds behind an acknowledged invalidation.
        worst: The most seconds.
        reads: Reads in all; the same in the part without faults, as for the next two.
        calm_reads: Those there.
        calm_loads: Loads there.
        loads_per_version: Loads for each (key, version) that was loaded between two faults.
        latencies: Seconds that reads took, sorted.
    """

    violations: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    staleness: Counter[float] = field(default_factory=Counter)
    worst: float = 0.0
    reads: int = 0
    calm_reads: int = 0
    calm_loads: int = 0
    loads_per_version: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def hit_ratio(self) -> float:
        """The share of reads without a load, in the part without faults."""
        return 1.0 - self.calm_loads / self.calm_reads if self.calm_reads else 0.0


def judge(
    history: Iterable[Line],
    *,
    bound: float,
    truth: Mapping[int, int],
    faults: Sequence[tuple[float, float]] = (),
    patience: float = 3.0,
) -> Verdict:
    """Return what a history says.

    Args:
        history: Its lines, in any order.
        bound: Seconds after which no read may be older than an acknowledged invalidation.
        truth: The version of each key in the end.
        faults: Beginnings and ends of the times that do not count for the hit ratio.
        patience: Seconds that a read may take.
    """
    verdict = Verdict()
    lines = list(history)
    _judge_reads(lines, verdict, bound=bound, patience=patience)
    _judge_end(lines, verdict, truth)
    _judge_calm(lines, verdict, faults)
    return verdict


class _Steps:
    """The newest version of a key that was invalidated by each moment."""

    def __init__(self, writes: Iterable[Write]) -> None:
        self.ends: list[float] = []
        self.versions: list[int] = []
        for write in sorted(writes, key=lambda each: each.end):
            if not self.versions or write.version > self.versions[-1]:
                self.ends.append(write.end)
                self.versions.append(write.version)

    def newest(self, moment: float) -> int:
        """Return it; 0: none."""
        place = bisect_right(self.ends, moment)
        return self.versions[place - 1] if place else 0

    def outdated_since(self, version: int) -> float:
        """Return when a version was outdated."""
        return self.ends[bisect_right(self.versions, version)]


def _judge_reads(lines: Sequence[Line], verdict: Verdict, *, bound: float, patience: float) -> None:
    acknowledged: dict[int, list[Write]] = defaultdict(list)
    own: dict[tuple[str, int], list[Write]] = defaultdict(list)
    reads: list[Read] = []
    for line in lines:
        if isinstance(line, Write):
            own[line.process, line.key].append(line)
            if line.acknowledged:
                acknowledged[line.key].append(line)
        elif isinstance(line, Read):
            reads.append(line)
    all_steps = {key: _Steps(writes) for key, writes in acknowledged.items()}
    own_steps = {key: _Steps(writes) for key, writes in own.items()}
    seen: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
    for read in sorted(reads, key=lambda each: each.begin):
        place = (read.process, read.key)
        steps, mine = all_steps.get(read.key), own_steps.get(place)
        if steps is not None and steps.newest(read.begin) > read.version:
            behind = read.begin - steps.outdated_since(read.version)
            verdict.worst = max(verdict.worst, behind)
            verdict.staleness[next((end for end in BUCKETS if behind <= end), float("inf"))] += 1
            if behind > bound:
                verdict.violations["stale"].append(f"{behind:.3f} s behind: {read}")
        if mine is not None and mine.newest(read.begin) > read.version:
            verdict.violations["own write missed"].append(str(read))
        if read.end - read.begin > patience:
            verdict.violations["slow"].append(f"{read.end - read.begin:.3f} s: {read}")
        seen[place].append((read.end, read.version))
    verdict.reads = len(reads)
    verdict.latencies = sorted(read.end - read.begin for read in reads)
    _judge_order(reads, all_steps, verdict)


def _judge_order(reads: Sequence[Read], steps: Mapping[int, _Steps], verdict: Verdict) -> None:
    """Look for reads that go back behind what the same process has seen and was acknowledged."""
    newest: dict[tuple[str, int], int] = defaultdict(int)
    events = sorted(
        [(read.end, 1, read) for read in reads] + [(read.begin, 0, read) for read in reads],
        key=lambda event: event[:2],
    )
    due: dict[int, int] = {}
    for _, kind, read in events:
        place = (read.process, read.key)
        if kind == 0:
            due[id(read)] = newest[place]
            continue
        step = steps.get(read.key)
        floor = due.pop(id(read))
        if read.version < floor and step is not None and step.newest(read.begin) >= floor:
            verdict.violations["went back"].append(f"saw {floor} before: {read}")
        newest[place] = max(newest[place], read.version)


def _judge_end(lines: Sequence[Line], verdict: Verdict, truth: Mapping[int, int]) -> None:
    finals = [line for line in lines if isinstance(line, Final)]
    if not finals:
        verdict.violations["vacuous"].append("nobody was asked in the end")
    for final in finals:
        if final.version != truth[final.key]:
            verdict.violations["stale for ever"].append(f"{final}, should be {truth[final.key]}")
    for line in lines:
        if isinstance(line, Note) and line.kind in ("error", "foreign cancellation", "tasks left"):
            verdict.violations[line.kind].append(f"{line.process}: {line.text}")


def _judge_calm(
    lines: Sequence[Line], verdict: Verdict, faults: Sequence[tuple[float, float]]
) -> None:
    def is_calm(moment: float) -> bool:
        return not any(begin <= moment <= end for begin, end in faults)

    def period(moment: float) -> int:
        # What a fault has removed is loaded again after it.
        return sum(end <= moment for _, end in faults)

    verdict.calm_reads = sum(isinstance(line, Read) and is_calm(line.begin) for line in lines)
    loads = Counter(
        (line.key, line.version, period(line.at))
        for line in lines
        if isinstance(line, Load) and is_calm(line.at)
    )
    verdict.calm_loads = loads.total()
    verdict.loads_per_version = loads.total() / len(loads) if loads else 0.0

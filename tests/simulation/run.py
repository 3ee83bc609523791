"""Many schedules, one seed each: ``python -m tests.simulation.run --count 200000``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.schedule import run_schedule

BATCH = 250


@dataclass
class Summary:
    """What many schedules came to.

    Attributes:
        schedules: How many there were.
        reads: How often somebody read.
        faults: How often each kind of fault happened.
        violations: What was found, with the seed in front.
    """

    schedules: int = 0
    reads: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)

    def add(self, other: Summary) -> None:
        """Add what others came to."""
        self.schedules += other.schedules
        self.reads += other.reads
        self.faults += other.faults
        self.violations += other.violations

    def __str__(self) -> str:
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.faults.items()))
        lines = [f"{self.schedules} schedules, {self.reads} reads", f"faults: {faults}"]
        return "\n".join([*lines, *self.violations, f"{len(self.violations)} violations"])


def run_seeds(seeds: Iterable[int], *, tracked: bool = False) -> Summary:
    """Run a schedule for each seed; see `run_schedule`."""
    summary = Summary()
    for seed in seeds:
        outcome = run_schedule(seed, tracked=tracked)
        summary.schedules += 1
        summary.reads += outcome.verdict.reads
        summary.faults += Counter(fault.split(maxsplit=1)[1] for fault in outcome.happened)
        summary.violations += [
            f"seed {seed}: {kind}: {first}"
            for kind, (first, *_) in outcome.verdict.violations.items()
        ]
    return summary


def main() -> int:
    """Run them in all processors; return 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--tracked", action="store_true", help="with changes by who is no cache")
    options = parser.parse_args()
    end = options.first + options.count
    batches = (range(start, min(end, start + BATCH)) for start in range(options.first, end, BATCH))
    summary = Summary()
    with ProcessPoolExecutor() as pool:
        for each in pool.map(partial(run_seeds, tracked=options.tracked), batches):
            summary.add(each)
    print(summary)
    return 1 if summary.violations else 0


if __name__ == "__main__":
    sys.exit(main())

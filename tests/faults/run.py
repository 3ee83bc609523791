"""A run from its beginning to its verdict: ``python -m tests.faults.run --seconds 600``."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from tests.faults.checker import judge
from tests.faults.conductor import FAULTS, Conductor, Plan
from tests.faults.history import Line, lines
from tests.faults.report import report, shortcomings
from tests.faults.source import SharedSource

ALLOWANCE = 0.25
"""Seconds beyond the bound: the reader's own clock is read some time before its cache's is, and the
processes are more than the machine's processors."""


async def run(plan: Plan) -> tuple[list[str], str]:
    """Run a plan; return what is wrong, and the report."""
    with tempfile.TemporaryDirectory(prefix="asynccache-faults-") as name:
        directory = Path(name)
        with closing(SharedSource(directory / "source", plan.keys)) as source:
            conductor = Conductor(plan, directory)
            await conductor.run()
            history = _history(directory)
            verdict = judge(
                history,
                bound=plan.bound + ALLOWANCE,
                truth={key: source.read(key) for key in range(plan.keys)},
                faults=conductor.windows,
                patience=5.0,
            )
    wrong = shortcomings(verdict, plan.seconds)
    return wrong, report(verdict, history, conductor.done, plan.seconds)


def _history(directory: Path) -> list[Line]:
    return list(lines(sorted(directory.glob("*.log"))))


def main() -> int:
    """Run as the command line says; return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--faults", default=",".join(FAULTS), help=", ".join(FAULTS))
    given = parser.parse_args()
    kinds = [kind for kind in given.faults.split(",") if kind]
    plan = Plan(given.seconds, given.workers, given.seed, rate=given.rate, faults=kinds)
    wrong, text = asyncio.run(run(plan))
    print(f"seed {given.seed}\n{text}")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())

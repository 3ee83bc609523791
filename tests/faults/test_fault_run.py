"""A short run; ``nox -s faults`` is a long one."""

from __future__ import annotations

import pytest

from tests.faults.conductor import Plan
from tests.faults.run import run

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


async def test_a_short_run_has_no_violation() -> None:
    """Three processes, a few faults: what was promised holds, and the cache is of use."""
    kinds = ("hold", "kill_worker", "restart_from_snapshot", "garbage")
    plan = Plan(9, workers=3, seed=11, keys=60, rate=150, bound=0.6, faults=kinds, pause=0.3)

    wrong, text = await run(plan)

    # What a busy machine is too slow for is measured by the long run.
    assert [line for line in wrong if "hit ratio" not in line and "loads for" not in line] == []
    assert "faults: " in text

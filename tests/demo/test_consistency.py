"""How the demo judges what its visitors see."""

from __future__ import annotations

import pytest

from asynccache.demo.consistency import EXAMPLES_KEPT, STALENESS_BOUND, Consistency


@pytest.mark.parametrize(("seen", "stale"), [(6, 1), (7, 0), (8, 0)])
def test_the_writer_must_see_its_write(seen: int, stale: int) -> None:
    """After version 7 was written, only an older version is stale: somebody may have gone on."""
    consistency = Consistency()
    consistency.seen_by_writer(42, 7, seen)
    assert (consistency.own_checked, consistency.own_stale) == (1, stale)
    assert consistency.violations == stale == len(consistency.examples)


@pytest.mark.parametrize(
    ("seen", "began", "done", "stale"),
    [
        (6, 0.0, False, 0),
        (6, STALENESS_BOUND - 0.01, False, 0),
        (6, STALENESS_BOUND, True, 1),
        (7, STALENESS_BOUND + 1, True, 0),
        (8, 0.0, True, 0),
    ],
)
def test_the_other_worker_must_see_it_in_time(
    seen: int, began: float, done: bool, stale: int
) -> None:
    """Another worker may show the older version only to reads that began within the bound."""
    consistency = Consistency()
    ended = consistency.seen_by_other(42, 7, seen, began=began, ended=began + 0.1)
    assert ended is done
    assert (consistency.others_checked, consistency.others_stale) == (int(done), stale)
    assert consistency.delays == ([began + 0.1] if done and not stale else [])


def test_only_a_few_examples_are_kept() -> None:
    """A cache that is always wrong is counted in full and quoted in part."""
    consistency = Consistency()
    for product in range(20):
        consistency.seen_by_writer(product, 2, 1)
    assert consistency.own_stale == 20
    assert len(consistency.examples) == EXAMPLES_KEPT
    assert consistency.examples[0] == "product 0: wrote version 2, then read version 1"

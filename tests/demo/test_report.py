"""The demo's table: every figure comes from the measurements."""

from __future__ import annotations

import io
from collections import Counter

import pytest
from rich.console import Console

from asynccache.demo.consistency import Consistency
from asynccache.demo.measurement import Figures, Measurement, percentile
from asynccache.demo.report import findings, show

ORDERED = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("share", "value"), [(0.01, 0.1), (0.25, 0.1), (0.5, 0.2), (0.51, 0.3), (0.99, 0.4), (1, 0.4)]
)
def test_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    """A percentile is the smallest value that enough of the values do not exceed."""
    assert percentile(ORDERED, share) == value


def worker(queries: int, **cache: int) -> dict[str, object]:
    """Return what a worker would say about itself."""
    counted = {"l1_hits": 0, "l2_hits": 0, "misses": 0, "loads": 0, "coalesced": 0, "gaps": 3}
    return {"pid": 1, "database_queries": queries, "cache": counted | cache}


def test_figures_are_summed_and_subtracted() -> None:
    """The figures of a window are what all workers counted at its end less at its beginning."""
    before = Figures.summed([worker(10, l1_hits=1), worker(20, misses=2)])
    after = Figures.summed([worker(15, l1_hits=5), worker(40, misses=4, loads=1)])
    window = after.since(before)
    assert window.database_queries == 25
    assert window.cache == {"l1_hits": 4, "l2_hits": 0, "misses": 2, "loads": 1, "coalesced": 0}


def test_workers_without_a_cache_have_no_cache_figures() -> None:
    """Without a cache there is nothing to count but the database's queries."""
    alone = {"pid": 1, "database_queries": 7, "cache": None}
    figures = Figures.summed([alone, alone])
    assert figures == Figures(14, None)
    assert figures.since(figures) == Figures(0, None)


def measured(
    latencies: list[float], figures: Figures, consistency: Consistency | None = None
) -> Measurement:
    """Return a run of two seconds."""
    return Measurement(
        2.0, latencies, Counter(), figures, consistency or Consistency(own_checked=3)
    )


WITHOUT = measured([0.2] * 50, Figures(100, None))
WITH = measured(
    [0.001] * 500,
    Figures(40, {"l1_hits": 880, "l2_hits": 30, "misses": 70, "loads": 60, "coalesced": 20}),
)


def printed(without: Measurement, cached: Measurement, *, redis: bool) -> dict[str, list[str]]:
    """Return the table's cells by their row's label, as a log would show them."""
    out = io.StringIO()
    show(Console(file=out, width=100), without, cached, redis=redis)
    assert "\x1b" not in out.getvalue()
    rows = [line.strip("│").split("│") for line in out.getvalue().splitlines() if "│" in line]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_the_table_is_computed() -> None:
    """Rates, latencies, ratios and what was saved follow from the two measurements."""
    table = printed(WITHOUT, WITH, redis=True)
    assert table == {
        "": ["without cache", "with cache", "gain"],
        "requests/s": ["25", "250", "10 x"],
        "latency p50": ["200 ms", "1.0 ms", "200 x"],
        "latency p99": ["200 ms", "1.0 ms", "200 x"],
        "hit ratio L1 (memory)": ["-", "88.0%", ""],
        "hit ratio L2 (Redis), when asked": ["-", "30.0%", ""],
        "loads": ["-", "60", ""],
        "loads coalesced": ["-", "20", ""],
        "database queries": ["100", "40", ""],
        "queries per 1,000 requests": ["2,000", "80", "25 x"],
        "database queries saved": ["-", "960", "96.0%"],
        "stale after a write, same worker": ["0 of 3", "0 of 3", ""],
        "failed requests": ["0", "0", ""],
    }


def test_without_redis_there_is_no_second_level() -> None:
    """A cache in memory alone shows no hit ratio for Redis."""
    table = printed(WITHOUT, WITH, redis=False)
    assert table["hit ratio L2 (Redis), when asked"] == ["-", "no Redis", ""]


def test_two_workers_show_what_the_other_saw() -> None:
    """What was followed to another worker is shown with how long it took."""
    seen = Consistency(own_checked=3, others_checked=3, delays=[0.02, 0.01, 0.2])
    table = printed(WITHOUT, measured([0.001], WITH.figures, seen), redis=True)
    assert table["stale after 2 s, other worker"] == ["0 of 0", "0 of 3", ""]
    assert table["seen at the other worker, p50"] == ["-", "20.0 ms", ""]
    assert table["seen at the other worker, max"] == ["-", "200 ms", ""]


def test_violations_and_failures_are_named() -> None:
    """Whatever was wrong is printed instead of the good news."""
    wrong = measured([0.001], WITH.figures, Consistency())
    wrong.consistency.seen_by_writer(42, 7, 6)
    wrong.failures["HTTP 500"] += 2
    assert findings(WITHOUT, wrong) == [
        "STALE with cache: product 42: wrote version 7, then read version 6",
        "FAILED with cache: HTTP 500, 2 times",
    ]
    assert findings(WITHOUT, WITH) == [
        "3 price changes, each seen at once by the worker that made it."
    ]

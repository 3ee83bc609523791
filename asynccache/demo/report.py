"""The table: what the shop was like without the cache, and what it is like with it."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table

from asynccache.demo.consistency import STALENESS_BOUND, Consistency
from asynccache.demo.measurement import Measurement, percentile

Row = tuple[str, str, str, str]

NOTHING = "-"


def show(console: Console, without: Measurement, cached: Measurement, *, redis: bool) -> None:
    """Print the table and what was checked.

    Args:
        console: Where to print.
        without: The run without the cache.
        cached: The run with the cache.
        redis: Whether the cache had a second level.
    """
    table = Table(box=box.ROUNDED)
    table.add_column("")
    table.add_column("without cache", justify="right", no_wrap=True)
    table.add_column("with cache", justify="right", no_wrap=True)
    table.add_column("gain", justify="right", no_wrap=True, style="bold green")
    for rows in (
        speed(without, cached),
        hits(cached, redis=redis),
        database(without, cached),
        checks(without, cached),
    ):
        for row in rows:
            table.add_row(*row)
        table.add_section()
    console.print(table)
    for line in findings(without, cached):
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def speed(without: Measurement, cached: Measurement) -> list[Row]:
    """Return the rows on what a visitor feels."""
    slow, fast = without.rate, cached.rate
    table: list[Row] = [("requests/s", f"{slow:,.0f}", f"{fast:,.0f}", _times(fast, slow))]
    for label, share in (("latency p50", 0.5), ("latency p99", 0.99)):
        slow, fast = (percentile(run.latencies, share) for run in (without, cached))
        table.append((label, _ms(slow), _ms(fast), _times(slow, fast)))
    return table


def hits(cached: Measurement, *, redis: bool) -> list[Row]:
    """Return the rows on what the cache did."""
    cache = cached.figures.cache or {}
    to_redis = cache["l2_hits"] + cache["misses"]
    reads = cache["l1_hits"] + cache["coalesced"] + to_redis
    second = _share(cache["l2_hits"], to_redis) if redis else "no Redis"
    return [
        ("hit ratio L1 (memory)", NOTHING, _share(cache["l1_hits"], reads), ""),
        ("hit ratio L2 (Redis), when asked", NOTHING, second, ""),
        ("loads", NOTHING, f"{cache['loads']:,}", ""),
        ("loads coalesced", NOTHING, f"{cache['coalesced']:,}", ""),
    ]


def database(without: Measurement, cached: Measurement) -> list[Row]:
    """Return the rows on what the database had to do."""
    before, after = without.queries_per_request, cached.queries_per_request
    expected = before * len(cached.latencies)
    saved = expected - cached.figures.database_queries
    return [
        (
            "database queries",
            f"{without.figures.database_queries:,}",
            f"{cached.figures.database_queries:,}",
            "",
        ),
        (
            "queries per 1,000 requests",
            f"{before * 1_000:,.0f}",
            f"{after * 1_000:,.0f}",
            _times(before, after),
        ),
        ("database queries saved", NOTHING, f"{saved:,.0f}", _share(saved, expected)),
    ]


def checks(without: Measurement, cached: Measurement) -> list[Row]:
    """Return the rows on whether the answers were right."""
    before, after = without.consistency, cached.consistency
    table: list[Row] = [
        (
            "stale after a write, same worker",
            f"{before.own_stale} of {before.own_checked:,}",
            f"{after.own_stale} of {after.own_checked:,}",
            "",
        )
    ]
    if after.others_checked:
        table += [
            (
                f"stale after {STALENESS_BOUND:g} s, other worker",
                f"{before.others_stale} of {before.others_checked:,}",
                f"{after.others_stale} of {after.others_checked:,}",
                "",
            ),
            ("seen at the other worker, p50", _delay(before, 0.5), _delay(after, 0.5), ""),
            ("seen at the other worker, max", _delay(before, 1.0), _delay(after, 1.0), ""),
        ]
    failed = [f"{run.failures.total():,}" for run in (without, cached)]
    return [*table, ("failed requests", failed[0], failed[1], "")]


def findings(without: Measurement, cached: Measurement) -> list[str]:
    """Return what was found wrong, or the sentence that nothing was."""
    lines = []
    for name, run in (("without", without), ("with", cached)):
        lines += [f"STALE {name} cache: {example}" for example in run.consistency.examples]
        lines += [f"FAILED {name} cache: {why}, {n} times" for why, n in run.failures.most_common()]
    if lines:
        return lines
    seen = cached.consistency
    line = f"{seen.own_checked:,} price changes, each seen at once by the worker that made it"
    if seen.others_checked:
        line += f"; {seen.others_checked:,} of them followed to the other worker, none stale there"
    return [f"{line}."]


def _delay(seen: Consistency, share: float) -> str:
    return f"{_ms(percentile(sorted(seen.delays), share))}" if seen.delays else NOTHING


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1_000
    return f"{milliseconds:,.0f} ms" if milliseconds >= 100 else f"{milliseconds:.1f} ms"


def _times(larger: float, smaller: float) -> str:
    if smaller <= 0:
        return NOTHING
    gain = larger / smaller
    return f"{gain:,.0f} x" if gain >= 10 else f"{gain:.1f} x"


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole > 0 else NOTHING

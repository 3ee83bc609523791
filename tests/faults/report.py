"""What a run has shown, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from tests.faults.checker import Verdict
from tests.faults.history import Line, Note

HIT_RATIO = 0.95
LOADS_PER_VERSION = 1.1
LEAST_READS = 50
"""Per second of the run, in all processes: one that reads nothing proves nothing."""


def shortcomings(verdict: Verdict, seconds: float) -> list[str]:
    """Return what is wrong, a line each; none: the run has passed."""
    found = [
        f"{kind}: {len(texts)}, such as {texts[0]}" for kind, texts in verdict.violations.items()
    ]
    if verdict.reads < LEAST_READS * seconds:
        found.append(f"only {verdict.reads} reads")
    if verdict.hit_ratio < HIT_RATIO:
        found.append(f"a hit ratio of {verdict.hit_ratio:.3f} without faults")
    if verdict.loads_per_version > LOADS_PER_VERSION:
        found.append(f"{verdict.loads_per_version:.3f} loads for each (key, version)")
    return found


def report(
    verdict: Verdict, history: Iterable[Line], faults: Mapping[str, int], seconds: float
) -> str:
    """Return the report of a run."""
    operations: Counter[str] = Counter()
    for line in history:
        if isinstance(line, Note) and line.kind == "operations":
            kind, _, count = line.text.partition("=")
            operations[kind] += int(count)
    latencies = verdict.latencies or [0.0]
    p50, p99 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    histogram = ", ".join(
        f"<= {end * 1000:g} ms: {count}" for end, count in sorted(verdict.staleness.items())
    )
    return "\n".join(
        [
            f"{seconds:.0f} s, {verdict.reads} reads",
            "operations: " + ", ".join(f"{k} {n}" for k, n in operations.most_common()),
            "faults: " + (", ".join(f"{k} {n}" for k, n in sorted(faults.items())) or "none"),
            f"reads behind an acknowledged invalidation: {histogram or 'none'}",
            f"worst: {verdict.worst * 1000:.1f} ms",
            (
                f"without faults: {verdict.calm_reads} reads, hit ratio {verdict.hit_ratio:.4f}, "
                f"{verdict.loads_per_version:.3f} loads for each (key, version)"
            ),
            (
                f"latency: p50 {p50 * 1000:.2f} ms, p99 {p99 * 1000:.1f} ms, "
                f"max {latencies[-1] * 1000:.0f} ms"
            ),
            *(shortcomings(verdict, seconds) or ["no violation"]),
        ]
    )

"""Whether readers saw what was written, judged by version numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

STALENESS_BOUND = 2.0
"""Seconds after which every process must show an acknowledged write: `max_staleness`'s default."""

EXAMPLES_KEPT = 5


@dataclass
class Consistency:
    """What was checked and what was wrong.

    A row's version only grows, so a reader that is shown an older version than the one that was
    acknowledged before its request began was shown a stale page, whoever wrote meanwhile.

    Attributes:
        own_checked: Reads on the worker that had made a change.
        own_stale: How many of them showed something older.
        others_checked: Changes that were looked for on another worker.
        others_stale: How many of them were not to be seen there in time.
        delays: Seconds from a change to the end of the first read that saw it elsewhere; the
            request's own time included, so the change was there earlier than that.
        examples: A few of the violations, in words.
    """

    own_checked: int = 0
    own_stale: int = 0
    others_checked: int = 0
    others_stale: int = 0
    delays: list[float] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """How often the promise was broken."""
        return self.own_stale + self.others_stale

    def seen_by_writer(self, product: int, written: int, seen: int) -> None:
        """Judge a read that began after the write, on the worker that wrote."""
        self.own_checked += 1
        if seen < written:
            self.own_stale += 1
            self._keep(f"product {product}: wrote version {written}, then read version {seen}")

    def seen_by_other(
        self, product: int, written: int, seen: int, *, began: float, ended: float
    ) -> bool:
        """Judge a read on another worker; return whether there is nothing more to wait for.

        Args:
            product: The product that was written and read.
            written: The version that was acknowledged.
            seen: The version that was read.
            began: When the read began, in seconds after the acknowledgement.
            ended: When its answer was here.
        """
        if seen >= written:
            self.others_checked += 1
            self.delays.append(ended)
            return True
        if began < STALENESS_BOUND:
            return False
        self.others_checked += 1
        self.others_stale += 1
        self._keep(
            f"product {product}: version {written} was not seen by the other worker after "
            f"{began:.2f} s, which still showed version {seen}"
        )
        return True

    def _keep(self, example: str) -> None:
        if len(self.examples) < EXAMPLES_KEPT:
            self.examples.append(example)

"""Whether the next read of Redis will find nothing, judged by the last ones.

To look first and then to ask for the lease costs a read that misses a round trip more than to ask
at once; to ask at once costs a read that hits a lease that nobody needs. A script that does either
would cost every hit three times the server's time of GET and PTTL (1 us against 4 us), and hits are
what a cache is for.
"""

from __future__ import annotations

from typing import Final

WEIGHT: Final = 1 / 16
"""Of the newest read: what changed is noticed within some ten reads."""


class Expectation:
    """The share of misses among the last reads."""

    __slots__ = ("_share",)

    def __init__(self) -> None:
        self._share = 0.0

    @property
    def is_miss(self) -> bool:
        """Whether most of them have found nothing."""
        return self._share > 0.5

    def note(self, *, missed: bool) -> None:
        """Take note of a read."""
        self._share += (missed - self._share) * WEIGHT

    def __repr__(self) -> str:
        return f"<Expectation {self._share:.0%} misses>"

"""What time it is at a server, as far as one that has asked it once can tell.

Only for limits that the same server checks: its clock is compared with itself, carried on by our
own monotonic clock, and with no other machine's (G13).
"""

from __future__ import annotations


class ServerTime:
    """The clock of one server; seconds of its time and of ours are equally long.

    What it tells is never ahead of the server: a limit that is derived from it comes too early by
    as long as the answer was under way, and never too late.
    """

    __slots__ = ("_ahead",)

    def __init__(self) -> None:
        self._ahead: float | None = None  # what to add to our time

    def observe(self, told: float, asked: float, answered: float) -> None:
        """Take note of what the server has told.

        Args:
            told: Its time, in seconds.
            asked: When it was asked, by our own clock.
            answered: When its answer was read.
        """
        least, most = told - answered, told - asked
        if self._ahead is None or not least <= self._ahead <= most:
            self._ahead = least  # better than what was known, or its clock was set

    def at(self, now: float) -> float | None:
        """Return the server's time; None: it has never told.

        Args:
            now: Our own.
        """
        return None if self._ahead is None else self._ahead + now

    def __repr__(self) -> str:
        return f"<ServerTime {'unknown' if self._ahead is None else f'{self._ahead:+.3f} s'}>"

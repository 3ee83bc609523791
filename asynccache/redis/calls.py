"""A call on its way: what was asked, what has been answered, and who waits."""

from __future__ import annotations

from typing import Any, Protocol


class Outcome(Protocol):
    """Where a call's end goes: a future, or whatever else wants to know it at once."""

    def done(self) -> bool:
        """Tell whether nobody waits any more."""
        ...

    def set_result(self, result: list[Any], /) -> None:
        """Take all replies."""
        ...

    def set_exception(self, exception: Exception, /) -> None:
        """Take the reason why there are none."""
        ...


class Call:
    """Commands that were sent together, and the future of their replies.

    Args:
        data: The commands' bytes.
        wanted: How many replies will come.
        retry: Whether they may be sent a second time.
        issued: When they were handed over, by the loop's clock.
        future: Takes the list of replies. When it is done early, because its caller was cancelled
            or its time is up, the replies are dropped as they come: nothing else changes.

    Attributes:
        replies: What has been answered so far.
        since: From when on silence counts: ``issued``, or the last sign of an answer to this call.
        was_resent: It was sent a second time; there is no third.
    """

    __slots__ = ("data", "future", "issued", "replies", "retry", "since", "wanted", "was_resent")

    def __init__(
        self, data: bytes, wanted: int, retry: bool, issued: float, future: Outcome
    ) -> None:
        self.data = data
        self.wanted = wanted
        self.retry = retry
        self.issued = issued
        self.since = issued
        self.future = future
        self.replies: list[Any] = []
        self.was_resent = False

    def fail(self, error: Exception) -> bool:
        """End it with an exception of its own; tell whether anybody waited."""
        if self.future.done():
            return False
        self.future.set_exception(error)
        return True

    def __repr__(self) -> str:
        return f"<Call {len(self.replies)}/{self.wanted} replies>"

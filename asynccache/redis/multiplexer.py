"""Many callers on one connection: whatever is asked in a turn of the loop leaves in one write.

Redis answers in the order in which it is asked. So replies need no names: each belongs to the
oldest call that has not got all of its own. A caller that goes away changes nothing; its replies
are dropped when they come.

A multiplexer lives as long as its connection. When that dies, by itself, by silence, or because of
bytes that nobody can explain, every call on it is handed back once, in order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from hiredis import PushNotification
from redis.exceptions import InvalidResponse

from asynccache.redis.calls import Call
from asynccache.redis.incarnation import Life
from asynccache.redis.wire import Wire

MOST_BYTES: Final = 1 << 18
"""Bytes in one write: so many can be joined and handed to the kernel in some 100 us."""

MOST_EXTENSIONS: Final = 8
"""A call that is being answered may take this many times its deadline, and no longer."""

SECOND_LOOK: Final = 4
"""After the loop has stood still an answer has this part of a deadline to be read."""

OnLost = Callable[["Multiplexer", Exception, list[Call], list[Call]], None]
"""Takes the multiplexer, the reason, the calls that were sent, and those that were not."""


class Handle(Protocol):
    """Something that will be called."""

    def cancel(self) -> None:
        """Let it not be called."""
        ...


class Scheduler(Protocol):
    """What is needed of an event loop."""

    def time(self) -> float:
        """Return the time in seconds."""
        ...

    def call_soon(self, callback: Callable[..., object], /, *args: Any) -> object:
        """Call something in the next turn."""
        ...

    def call_at(self, when: float, callback: Callable[..., object], /, *args: Any) -> Handle:
        """Call something at a time."""
        ...


class Silent(TimeoutError):
    """Nothing has come for a whole deadline although there is something to answer."""


class Multiplexer:
    """The calls on one connection.

    Args:
        wire: The connection.
        loop: The event loop: its clock, its timers, its turns.
        deadline: Seconds that a call may wait without a sign of its answer.
        on_push: Takes what the server sends unasked (RESP3), in its place among the replies. A
            push is handed over before the callers of earlier replies go on: they were only woken.
        on_lost: Is told once that the connection has died; not after `close`.
        can_push: The server speaks RESP3.

    Attributes:
        can_push: The server speaks RESP3.
        has_answered: At least one reply has come: the server is there, or was.
        life: What the server has told of itself; None: it was not asked.
        pending: The calls that were sent and have not been answered in full.
        unsent: The calls that wait for their turn of the loop, or for the peer to take bytes.
    """

    __slots__ = (
        "_deadline",
        "_excused",
        "_heard",
        "_is_congested",
        "_is_retired",
        "_is_sending",
        "_loop",
        "_on_lost",
        "_on_push",
        "_timer",
        "_to_be_taken",
        "_wire",
        "can_push",
        "has_answered",
        "life",
        "pending",
        "unsent",
    )

    def __init__(
        self,
        wire: Wire,
        loop: Scheduler,
        *,
        deadline: float,
        on_push: Callable[[list[Any]], None],
        on_lost: OnLost,
        can_push: bool = True,
    ) -> None:
        self.life: Life | None = None
        self._wire = wire
        self._deadline = deadline
        self._on_push = on_push
        self._on_lost: OnLost | None = on_lost
        self._loop = loop
        self.pending: deque[Call] = deque()
        self.unsent: deque[Call] = deque()
        self._is_sending = False  # `_send` will run in this turn of the loop
        self._is_congested = False
        self._is_retired = False
        self._heard = self._loop.time()  # when silence began: the last bytes, or the first question
        self._excused = -1.0  # the silence that was this loop's own, by when it began
        self._to_be_taken = 0  # bytes, when `_check` last looked
        self._timer: Handle | None = None
        self.has_answered = False
        self.can_push = can_push
        wire.open(self)

    def submit(self, call: Call) -> None:
        """Send a call: at once when the connection is idle, else with all others of this turn."""
        if self._timer is None:
            self._watch(call.since + self._deadline)
        if self.pending or self._is_sending or self._is_congested:
            self.unsent.append(call)
            self._send_soon()
        else:
            # Alone, it pays no tax for company.
            self._heard = self._loop.time()
            self.pending.append(call)
            self._wire.write(call.data)

    def submit_all(self, calls: Iterable[Call]) -> None:
        """Send several calls, in order."""
        for call in calls:
            self.submit(call)

    def retire(self) -> None:
        """Take no further call; end when those that are here have been answered."""
        self._is_retired = True
        self._end_if_retired()

    def close(self) -> list[Call]:
        """End the connection at once and return the calls that were on it."""
        calls = [*self.pending, *self.unsent]
        self._end()
        return calls

    # What the wire tells.

    def received(self, replies: list[Any], *, partial: bool) -> None:
        """See `Receiver.received`."""
        self._heard = self._loop.time()
        pending = self.pending
        answered = 0
        for reply in replies:
            if reply.__class__ is PushNotification:
                self._on_push(reply)
                continue
            if not pending:
                # Whatever it is, the next reply could be taken for somebody else's.
                self._break(InvalidResponse("a reply that nobody has asked for"))
                return
            self.has_answered = True
            call = pending[0]
            call.replies.append(reply)
            if len(call.replies) == call.wanted:
                pending.popleft()
                if not call.future.done():
                    call.future.set_result(call.replies)
                    answered += 1
        if pending and (partial or pending[0].replies):
            pending[0].since = self._heard  # it is being answered
        if answered > 1:
            # Their callers run next, in this very turn; what they ask then leaves in one write.
            self._send_soon()
        self._end_if_retired()

    def congested(self, *, is_congested: bool) -> None:
        """See `Receiver.congested`."""
        self._is_congested = is_congested
        self._to_be_taken = self._wire.to_be_taken
        if not is_congested and self.unsent:
            self._send_soon()

    def lost(self, error: Exception) -> None:
        """See `Receiver.lost`."""
        on_lost, sent, unsent = self._on_lost, list(self.pending), list(self.unsent)
        self._end()
        if on_lost is not None:
            on_lost(self, error, sent, unsent)

    def _break(self, error: Exception) -> None:
        self._wire.abort()
        self.lost(error)

    def _send_soon(self) -> None:
        if not self._is_sending and not self._is_congested:
            self._is_sending = True
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        self._is_sending = False
        unsent, pending = self.unsent, self.pending
        if unsent and not pending:
            self._heard = self._loop.time()
        while unsent and not self._is_congested:
            pieces: list[bytes] = []
            size = 0
            while unsent and size < MOST_BYTES:
                call = unsent.popleft()
                if not call.future.done():  # its caller has left: nothing need be sent
                    pending.append(call)
                    pieces.append(call.data)
                    size += len(call.data)
            if pieces:
                self._wire.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    # Time.

    def _watch(self, due: float) -> None:
        self._timer = self._loop.call_at(due, self._check, due)

    def _check(self, due: float) -> None:
        """Look for silence. One timer serves all calls; it runs while there are any."""
        self._timer = None
        if not self.pending and not self.unsent:
            return
        now = self._loop.time()
        self._note_progress(now)
        if now - due > self._deadline / 2 and self._excused != self._heard:
            # This loop has stood still. What it has not read yet may be the very answer, and a
            # timer may run before the sockets are looked at: look again when they were.
            self._excused = self._heard
            self._watch(now + self._deadline / SECOND_LOOK)
            return
        if self.pending and now - self._heard >= self._deadline:
            self._break(Silent())
            return
        self._fail_overdue(now)
        if self.pending or self.unsent:
            self._watch(max(self._next_due(), now + self._deadline / 16))

    def _note_progress(self, now: float) -> None:
        """Let a peer that takes bytes pass for one that answers: a large value is on its way."""
        before, self._to_be_taken = self._to_be_taken, self._wire.to_be_taken
        if self._to_be_taken < before:
            self._heard = now
            for call in self.pending:
                call.since = now

    def _fail_overdue(self, now: float) -> None:
        """Give up calls whose time is over while the connection lives: it is only slow."""
        for calls in (self.pending, self.unsent):
            for call in calls:
                if self._due(call) <= now:
                    call.fail(TimeoutError())

    def _next_due(self) -> float:
        waiting = (call for call in (*self.pending, *self.unsent) if not call.future.done())
        due = min(map(self._due, waiting), default=self._heard + self._deadline)
        return min(due, self._heard + self._deadline) if self.pending else due

    def _due(self, call: Call) -> float:
        return min(call.since + self._deadline, call.issued + MOST_EXTENSIONS * self._deadline)

    # The end.

    def _end_if_retired(self) -> None:
        if self._is_retired and not self.pending and not self.unsent:
            self._end()

    def _end(self) -> None:
        self._on_lost = None
        self._wire.abort()
        self.pending.clear()
        self.unsent.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __repr__(self) -> str:
        return f"<Multiplexer {len(self.pending)} pending, {len(self.unsent)} unsent>"

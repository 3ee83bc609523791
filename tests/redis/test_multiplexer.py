"""Many callers on one connection, seen from above its wire: no server, loop or waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hiredis import PushNotification
from redis.exceptions import InvalidResponse

from asynccache.redis.calls import Call
from asynccache.redis.multiplexer import (
    MOST_BYTES,
    MOST_EXTENSIONS,
    SECOND_LOOK,
    Multiplexer,
    Silent,
)
from asynccache.redis.wire import Receiver

DEADLINE = 1.0


class ManualTimer:
    """A timer of a `ManualLoop`."""

    def __init__(self, when: float, run: Callable[[], object]) -> None:
        self.when = when
        self.run = run
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class ManualLoop:
    """An event loop whose turns and time pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        self.soon: list[Callable[[], object]] = []
        self.timers: list[ManualTimer] = []

    def time(self) -> float:
        return self.now

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        self.soon.append(lambda: callback(*args))

    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> ManualTimer:
        self.timers.append(ManualTimer(when, lambda: callback(*args)))
        return self.timers[-1]

    def turn(self) -> None:
        """Run what is due in this turn."""
        soon, self.soon = self.soon, []
        for callback in soon:
            callback()

    def advance(self, seconds: float, *, blocked: bool = False) -> None:
        """Let time pass: timers run when they are due, or, if the loop was blocked, afterwards."""
        end = self.now + seconds
        if blocked:
            self.now = end
        while due := [each for each in self.running if each.when <= end]:
            timer = min(due, key=lambda each: each.when)
            self.now = max(self.now, timer.when)
            self.timers.remove(timer)
            timer.run()
        self.now = end

    @property
    def running(self) -> list[ManualTimer]:
        """The timers that were not cancelled."""
        return [timer for timer in self.timers if not timer.cancelled]


class ManualWire:
    """A wire whose far end is the test."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.aborted = False
        self.to_be_taken = 0
        self.receiver: Receiver | None = None

    def open(self, receiver: Receiver) -> None:
        self.receiver = receiver

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def abort(self) -> None:
        self.aborted = True


class Outcome:
    """A future without a loop."""

    def __init__(self) -> None:
        self.result: list[Any] | Exception | None = None
        self.cancelled = False

    def done(self) -> bool:
        return self.cancelled or self.result is not None

    def set_result(self, result: list[Any], /) -> None:
        assert not self.done()
        self.result = result

    def set_exception(self, exception: Exception, /) -> None:
        assert not self.done()
        self.result = exception


class Bench:
    """A multiplexer between a manual wire and a manual loop."""

    def __init__(self) -> None:
        self.loop = ManualLoop()
        self.wire = ManualWire()
        self.pushes: list[list[Any]] = []
        self.lost: list[tuple[Exception, list[Call], list[Call]]] = []
        self.multiplexer = Multiplexer(
            self.wire,
            self.loop,
            deadline=DEADLINE,
            on_push=self.pushes.append,
            on_lost=lambda _, error, sent, unsent: self.lost.append((error, sent, unsent)),
        )

    def call(self, data: bytes = b"x", wanted: int = 1, *, retry: bool = True) -> Outcome:
        """Submit a call and return where it ends."""
        outcome = Outcome()
        self.multiplexer.submit(Call(data, wanted, retry, self.loop.time(), outcome))
        return outcome

    def reply(self, *replies: Any, partial: bool = False) -> None:
        """Let replies come, in one read."""
        self.multiplexer.received(list(replies), partial=partial)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lone_call_is_sent_at_once(bench: Bench) -> None:
    """It does not wait for company that may not come."""
    outcome = bench.call(b"a")
    assert bench.wire.writes == [b"a"]

    bench.reply(b"1")
    assert outcome.result == [b"1"]
    bench.call(b"b")
    assert bench.wire.writes == [b"a", b"b"]


def test_the_calls_of_a_turn_leave_in_one_write(bench: Bench) -> None:
    """All but the first, which found the connection idle; replies are matched in order."""
    outcomes = [bench.call(b"%d" % number) for number in range(5)]
    bench.loop.turn()
    assert bench.wire.writes == [b"0", b"1234"]

    bench.reply(*range(3))
    bench.reply(3, 4)
    assert [outcome.result for outcome in outcomes] == [[0], [1], [2], [3], [4]]


def test_callers_that_were_answered_together_ask_together(bench: Bench) -> None:
    """Their next calls leave in one write, though the connection was idle when the first came."""
    for _ in range(3):
        bench.call()
    bench.loop.turn()
    bench.reply(0, 1, 2)
    written = len(bench.wire.writes)
    for number in range(3):
        bench.call(b"%d" % number)
    bench.loop.turn()

    assert bench.wire.writes[written:] == [b"012"]


def test_a_call_of_several_commands_gets_all_its_replies(bench: Bench) -> None:
    """However they are spread over reads, and whoever else is answered in the same one."""
    first, second = bench.call(wanted=3), bench.call(wanted=2)
    bench.loop.turn()
    bench.reply(1)
    assert first.result is None
    bench.reply(2, 3, 4)
    assert [first.result, second.result] == [[1, 2, 3], None]
    bench.reply(5)
    assert second.result == [4, 5]


def test_a_caller_that_left_costs_nothing(bench: Bench) -> None:
    """Its reply is dropped by its place; the connection stays, and so do the others' replies."""
    first, second, third = (bench.call(name) for name in (b"1", b"2", b"3"))
    first.cancelled = True
    second.cancelled = True
    bench.loop.turn()
    assert bench.wire.writes == [b"1", b"3"]  # the second had not been sent, and never is

    bench.reply("dropped", "third")
    assert third.result == ["third"]
    assert (bench.wire.aborted, bench.lost) == (False, [])


def test_a_push_is_no_reply_and_keeps_its_place(bench: Bench) -> None:
    """It is handed over between the replies before and after it."""
    order: list[Any] = []

    class Noting(Outcome):
        def set_result(self, result: list[Any], /) -> None:
            order.append(result)

    for _ in range(2):
        bench.multiplexer.submit(Call(b"", 1, True, 0.0, Noting()))
    bench.loop.turn()
    bench.multiplexer._on_push = order.append
    bench.reply(1, PushNotification([b"invalidate", [b"k"]]), 2)

    assert order == [[1], [b"invalidate", [b"k"]], [2]]


def test_a_reply_too_many_ends_the_connection(bench: Bench) -> None:
    """Nobody can tell any more whose the next one is; what was answered before stays answered."""
    outcome = bench.call()
    bench.reply(1, 2)

    assert outcome.result == [1]
    assert bench.wire.aborted
    assert [type(error) for error, _, _ in bench.lost] == [InvalidResponse]


def test_when_the_peer_is_slow_calls_wait_here(bench: Bench) -> None:
    """Nothing is written to a full buffer; when there is room, all leave in order."""
    bench.call(b"0")
    bench.multiplexer.congested(is_congested=True)
    for number in range(1, 4):
        bench.call(b"%d" % number)
    bench.loop.turn()
    assert bench.wire.writes == [b"0"]
    assert (len(bench.multiplexer.pending), len(bench.multiplexer.unsent)) == (1, 3)

    bench.multiplexer.congested(is_congested=False)
    bench.loop.turn()
    assert bench.wire.writes == [b"0", b"123"]


def test_a_write_is_bounded(bench: Bench) -> None:
    """Many large values are not joined into one gigantic one."""
    bench.call(b"first")
    for _ in range(5):
        bench.call(b"x" * (MOST_BYTES // 2 + 1))
    bench.loop.turn()

    sizes = [len(write) for write in bench.wire.writes[1:]]
    assert max(sizes) <= 2 * (MOST_BYTES // 2 + 1)
    assert sum(sizes) == 5 * (MOST_BYTES // 2 + 1)


def test_a_lost_connection_hands_every_call_back_once(bench: Bench) -> None:
    """In order, and told apart: what was sent may have been carried out, what was not was not."""
    sent = bench.call(b"sent")
    bench.multiplexer.congested(is_congested=True)
    unsent = bench.call(b"unsent")
    error = ConnectionResetError()
    bench.multiplexer.lost(error)
    bench.multiplexer.lost(error)

    assert len(bench.lost) == 1
    reason, back, not_sent = bench.lost[0]
    assert (reason, [call.data for call in back]) == (error, [b"sent"])
    assert [call.data for call in not_sent] == [b"unsent"]
    assert (sent.result, unsent.result) == (None, None)  # who decides what becomes of them is told
    assert bench.loop.running == []


def test_silence_ends_the_connection_after_one_deadline(bench: Bench) -> None:
    """For everybody on it, also for those who came a moment ago: they share its fate."""
    bench.call()
    bench.loop.advance(0.9)
    bench.call()
    bench.loop.turn()
    assert bench.lost == []
    bench.loop.advance(0.1)

    assert [type(error) for error, _, _ in bench.lost] == [Silent]
    assert len(bench.lost[0][1]) == 2
    assert bench.wire.aborted


def test_one_timer_serves_a_thousand_calls(bench: Bench) -> None:
    """And none runs when nobody waits."""
    for _ in range(1_000):
        bench.call()
    bench.loop.turn()
    assert len(bench.loop.running) == 1
    bench.reply(*range(1_000))
    bench.loop.advance(10)

    assert bench.loop.running == []
    assert bench.lost == []


def test_a_slow_server_costs_callers_their_deadline_and_keeps_its_connection(bench: Bench) -> None:
    """Replies come, so it is there; but who has waited for a deadline waits no longer."""
    first, second = bench.call(), bench.call()
    bench.loop.turn()
    bench.loop.advance(0.7)
    bench.reply(1)
    bench.loop.advance(0.3)

    assert first.result == [1]
    assert isinstance(second.result, TimeoutError)
    assert bench.lost == []
    third = bench.call()
    bench.loop.turn()
    bench.reply("late", 3)
    assert third.result == [3]


def test_what_is_being_answered_may_take_longer(bench: Bench) -> None:
    """A long call whose replies come one by one, or a large value that comes in parts."""
    outcome = bench.call(wanted=5)
    for number in range(4):
        bench.loop.advance(0.8)
        bench.reply(number)
    bench.loop.advance(0.8)
    bench.reply(partial=True)
    bench.loop.advance(0.8)
    bench.reply(4)

    assert outcome.result == [0, 1, 2, 3, 4]


def test_a_trickle_does_not_last_for_ever(bench: Bench) -> None:
    """After some deadlines a call is given up though its answer is still coming."""
    outcome = bench.call(wanted=1_000)
    for _ in range(2 * MOST_EXTENSIONS - 1):
        bench.loop.advance(DEADLINE / 2)
        bench.reply(0)
    assert outcome.result is None
    bench.loop.advance(DEADLINE)

    assert isinstance(outcome.result, TimeoutError)


def test_a_value_on_its_way_out_is_a_sign_of_life(bench: Bench) -> None:
    """A peer that takes bytes answers when it has them all; one that takes none is silent."""
    outcome = bench.call()
    bench.wire.to_be_taken = 9_000
    bench.multiplexer.congested(is_congested=True)
    for left in (8_000, 4_000, 2_000):
        bench.wire.to_be_taken = left
        bench.loop.advance(0.9)
    assert (outcome.result, bench.lost) == (None, [])
    bench.loop.advance(2.1)

    assert [type(error) for error, _, _ in bench.lost] == [Silent]


def test_a_loop_that_stood_still_blames_nobody(bench: Bench) -> None:
    """What has come meanwhile was not read yet: it is looked for once more, and only once."""
    outcome = bench.call()
    bench.loop.advance(3, blocked=True)
    assert (outcome.result, bench.lost) == (None, [])
    bench.reply(1)
    assert outcome.result == [1]

    bench.call()
    bench.loop.advance(3, blocked=True)
    assert bench.lost == []
    bench.loop.advance(DEADLINE / SECOND_LOOK)
    assert [type(error) for error, _, _ in bench.lost] == [Silent]


def test_a_loop_that_stands_still_again_and_again_is_no_excuse(bench: Bench) -> None:
    """A dead server is noticed however busy the machine is."""
    bench.call()
    bench.loop.advance(2, blocked=True)
    bench.loop.advance(2, blocked=True)

    assert [type(error) for error, _, _ in bench.lost] == [Silent]


def test_silence_is_counted_from_the_question(bench: Bench) -> None:
    """A connection that was idle for hours is not dead because nobody spoke."""
    bench.call()
    bench.reply(1)
    bench.loop.advance(3_600)
    bench.call()
    bench.loop.advance(0.9)

    assert bench.lost == []


def test_a_retired_connection_ends_with_its_last_reply(bench: Bench) -> None:
    """Those who were on it are answered, and nobody is told that it was lost."""
    outcome = bench.call()
    bench.multiplexer.retire()
    aborted_before = bench.wire.aborted
    bench.reply(1)

    assert outcome.result == [1]
    assert (aborted_before, bench.wire.aborted) == (False, True)
    assert (bench.lost, bench.loop.running) == ([], [])


def test_closing_returns_what_was_on_it(bench: Bench) -> None:
    """Its owner tells the callers; the timer is gone."""
    bench.call(b"sent")
    bench.call(b"unsent")
    calls = bench.multiplexer.close()

    assert [call.data for call in calls] == [b"sent", b"unsent"]
    assert bench.wire.aborted
    assert (bench.lost, bench.loop.running) == ([], [])
    bench.loop.turn()
    assert bench.wire.writes == [b"sent"]

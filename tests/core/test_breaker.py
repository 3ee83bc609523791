"""The breaker: when calls are let through, and whose results count."""

from __future__ import annotations

import pytest

from asynccache.core.breaker import Breaker
from asynccache.errors import InvalidArgument


def permitted(breaker: Breaker) -> int:
    """Return the stamp of a permit that must be given."""
    stamp = breaker.permit()
    assert stamp is not None
    return stamp


def opened(**settings: float) -> Breaker:
    """Return a breaker that one failure has opened."""
    breaker = Breaker(**settings)  # type: ignore[arg-type]  # tests pass what they like
    breaker.failure(permitted(breaker))
    return breaker


def test_one_failure_opens_it_by_default() -> None:
    """The first failure has paid the whole budget: nobody else shall."""
    breaker = Breaker()

    assert breaker.failure(permitted(breaker)) is True
    assert breaker.state == "open"
    assert breaker.permit() is None


@pytest.mark.parametrize("failures", [2, 3, 10])
def test_as_many_failures_in_a_row_as_asked_for_open_it(failures: int) -> None:
    """The last of them, and only that, says that it has opened."""
    breaker = Breaker(failures=failures)

    outcomes = [breaker.failure(permitted(breaker)) for _ in range(failures)]

    assert outcomes == [False] * (failures - 1) + [True]


def test_a_success_starts_the_count_anew() -> None:
    """Failures count only in a row."""
    breaker = Breaker(failures=2)
    for _ in range(5):
        assert breaker.failure(permitted(breaker)) is False
        breaker.success(permitted(breaker))

    assert breaker.state == "closed"


def test_failures_of_calls_under_way_open_it_once() -> None:
    """A thousand calls that time out together are one opening."""
    breaker = Breaker()
    stamps = [permitted(breaker) for _ in range(1_000)]

    assert sum(breaker.failure(stamp) for stamp in stamps) == 1
    assert breaker.openings == 1


def test_a_failure_from_before_the_opening_does_not_open_it_again() -> None:
    """What a call learned before Redis healed says nothing about Redis now."""
    breaker = Breaker()
    early, late = permitted(breaker), permitted(breaker)
    breaker.failure(early)
    breaker.close()

    assert breaker.failure(late) is False
    assert breaker.state == "closed"


def test_a_success_from_before_the_opening_does_not_close_it() -> None:
    """A reply that was on its way when Redis went away is no sign of life."""
    breaker = Breaker(failures=2)
    late = permitted(breaker)
    breaker.failure(permitted(breaker))
    breaker.failure(permitted(breaker))
    breaker.success(late)

    assert breaker.state == "open"


def test_a_success_of_an_older_generation_does_not_reset_the_count() -> None:
    """Only successes of the current generation count between its failures."""
    breaker = Breaker(failures=2)
    old = permitted(breaker)
    breaker.failure(old)
    breaker.failure(old)
    breaker.close()
    breaker.failure(permitted(breaker))
    breaker.success(old)

    assert breaker.failure(permitted(breaker)) is True


def test_closing_lets_calls_through_and_the_next_failure_opens_it_again() -> None:
    """It can open any number of times."""
    breaker = opened()
    for openings in range(2, 5):
        breaker.close()
        assert breaker.failure(permitted(breaker)) is True
        assert breaker.openings == openings


def test_closing_a_closed_breaker_keeps_permits_valid() -> None:
    """Only a change of state starts a new generation."""
    breaker = Breaker()
    stamp = permitted(breaker)
    breaker.close()

    assert breaker.failure(stamp) is True


def test_probes_come_at_growing_intervals_up_to_a_limit() -> None:
    """Each wait is twice the one before, and at most 0.4 s: healing is promised within a second."""
    breaker = opened()

    delays = [breaker.probe_delay(0.0) for _ in range(6)]

    assert delays == [0.05, 0.1, 0.2, 0.4, 0.4, 0.4]


@pytest.mark.parametrize(("random", "share"), [(0.0, 1.0), (0.5, 0.75), (0.999, 0.5005)])
def test_up_to_half_of_a_wait_is_left_to_chance(random: float, share: float) -> None:
    """A fleet that lost its Redis at one instant does not come back at one instant."""
    assert opened(first_probe=0.2).probe_delay(random) == pytest.approx(0.2 * share)


def test_each_opening_begins_with_the_shortest_wait() -> None:
    """A long outage in the past does not slow the healing of the next."""
    breaker = opened()
    for _ in range(10):
        breaker.probe_delay(0.0)
    breaker.close()
    breaker.failure(permitted(breaker))

    assert breaker.probe_delay(0.0) == 0.05


@pytest.mark.parametrize(
    ("settings", "argument"),
    [
        ({"failures": 0}, "failures"),
        ({"failures": 1.5}, "failures"),
        ({"first_probe": 0}, "first_probe"),
        ({"longest_probe": -1}, "longest_probe"),
        ({"first_probe": 1}, "longest_probe"),
    ],
)
def test_a_setting_out_of_range_is_named(settings: dict[str, float], argument: str) -> None:
    """The error names the argument at fault."""
    with pytest.raises(InvalidArgument) as caught:
        Breaker(**settings)  # type: ignore[arg-type]  # some have the wrong type on purpose

    assert caught.value.argument == argument


def test_its_repr_tells_its_state() -> None:
    """The state can be read off in a debugger."""
    breaker = Breaker(failures=2)
    breaker.failure(permitted(breaker))
    assert repr(breaker) == "<Breaker [closed, 1 failures, 0 openings]>"
    breaker.failure(permitted(breaker))
    assert repr(breaker) == "<Breaker [open, 0 failures, 1 openings]>"

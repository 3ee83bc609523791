"""What a server's clock is taken to be, against what it is."""

from __future__ import annotations

from itertools import product

import pytest

from asynccache.core.server_time import ServerTime


def test_nobody_knows_before_the_first_answer() -> None:
    """No time is better than a guess."""
    assert ServerTime().at(5.0) is None


@pytest.mark.parametrize("delays", list(product((0.0, 0.01, 0.2), repeat=4)))
def test_it_is_never_ahead_of_the_server(delays: tuple[float, ...]) -> None:
    """However long the questions and answers were under way; behind by the best answer's time."""
    ahead = 1_000.0
    known = ServerTime()
    for start, there, back in ((0.0, *delays[:2]), (10.0, *delays[2:])):
        known.observe(start + there + ahead, start, start + there + back)

    told = known.at(20.0)

    assert told is not None
    assert 20.0 + ahead - max(delays[1], delays[3]) - 1e-9 <= told <= 20.0 + ahead + 1e-9


@pytest.mark.parametrize("step", [-3_600.0, -0.5, 0.5, 3_600.0])
def test_a_clock_that_was_set_is_followed(step: float) -> None:
    """From its next answer on."""
    known = ServerTime()
    known.observe(1_000.0, 0.0, 0.01)

    known.observe(1_010.0 + step, 10.0, 10.01)

    assert known.at(20.0) == pytest.approx(1_020.0 + step, abs=0.011)

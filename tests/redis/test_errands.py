"""A command's way through a cluster, decision by decision."""

from __future__ import annotations

from typing import Any

import pytest
from redis.exceptions import ResponseError

from asynccache.core.addresses import Address
from asynccache.redis.errands import Errand

HERE, THERE = Address("10.0.0.1", 7000), Address("10.0.0.2", 7000)


def answered(*replies: Any) -> Errand:
    """Return an errand that has been answered some times, one after the other."""
    errand = Errand(("GET", "k"), HERE)
    for reply in replies:
        errand.reply = reply
        errand.redirected()
    return errand


@pytest.mark.parametrize("reply", [b"v", None, 7, [b"MOVED"], ResponseError("WRONGTYPE no")])
def test_an_answer_is_an_answer(reply: Any) -> None:
    """Also an error, if it is about something else."""
    errand = Errand(("GET", "k"), HERE)
    errand.reply = reply

    assert errand.redirected() is None
    assert (errand.address, errand.parts()) == (HERE, (("GET", "k"),))


@pytest.mark.parametrize(
    ("replies", "address", "asking", "waits"),
    [
        (["MOVED 7 10.0.0.2:7000"], THERE, False, False),
        (["MOVED 7 :7000"], HERE, False, False),
        (["ASK 7 10.0.0.2:7000"], THERE, True, False),
        (["TRYAGAIN later"], HERE, False, True),
        # While a slot is moving the other server may not have both keys of a script yet.
        (["ASK 7 10.0.0.2:7000", "TRYAGAIN later"], THERE, True, True),
        (["ASK 7 10.0.0.2:7000", "MOVED 7 10.0.0.1:7000"], HERE, False, False),
        (["TRYAGAIN later", "ASK 7 10.0.0.2:7000"], THERE, True, False),
    ],
)
def test_a_redirection_is_followed(
    replies: list[str], address: Address, *, asking: bool, waits: bool
) -> None:
    """Whom to ask next, whether to say ASKING, and whether to wait."""
    errand = answered(*map(ResponseError, replies))

    assert (errand.address, errand.is_asking, errand.has_to_wait) == (address, asking, waits)
    assert len(errand.parts()) == 1 + asking

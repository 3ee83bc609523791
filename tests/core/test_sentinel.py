"""Whom to believe to be the master."""

from __future__ import annotations

import pytest

from asynccache.core.addresses import Address
from asynccache.core.sentinel import Vote, chosen, is_replica, is_settled, switched_to, vote_of

OLD, NEW = Address("10.0.0.1", 6379), Address("10.0.0.2", 6379)

REPLY = {
    b"name": b"mymaster",
    b"ip": b"10.0.0.1",
    b"port": b"6379",
    b"flags": b"master",
    b"config-epoch": b"3",
}


def test_a_vote_is_read_from_both_protocols() -> None:
    """A map in RESP3, a flat list in RESP2."""
    flat = [word for pair in REPLY.items() for word in pair]

    assert vote_of(REPLY) == Vote(3, OLD)
    assert vote_of(flat) == Vote(3, OLD)
    assert vote_of({**REPLY, b"ip": b"::1"}) == Vote(3, Address("::1", 6379))


@pytest.mark.parametrize(
    "reply",
    [
        None,
        b"OK",
        [],
        [b"ip"],
        {},
        Exception("ERR No such master with that name"),
        {**REPLY, b"port": b"0"},
        {**REPLY, b"port": b"x"},
        {**REPLY, b"ip": b""},
        {**REPLY, b"ip": 7},
        {**REPLY, b"ip": b"\xff"},
        {**REPLY, b"config-epoch": b"newest"},
        {key: value for key, value in REPLY.items() if key != b"config-epoch"},
        [[b"ip"], b"10.0.0.1"],
    ],
)
def test_garbage_is_no_vote(reply: object) -> None:
    """Whoever says it counts as not having answered."""
    assert vote_of(reply) is None


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([], None),
        ([Vote(1, OLD)], OLD),
        # The newest election wins, also over a majority that has not heard of it yet.
        ([Vote(1, OLD), Vote(2, NEW), Vote(1, OLD)], NEW),
        ([Vote(2, NEW), Vote(2, OLD), Vote(2, NEW)], NEW),
    ],
)
def test_the_newest_master_is_chosen(votes: list[Vote], expected: Address | None) -> None:
    """And of two with the same number the one that more have named."""
    assert chosen(votes) == expected


def test_the_choice_does_not_depend_on_the_order() -> None:
    """Every process comes to the same one."""
    votes = [Vote(2, NEW), Vote(2, OLD)]

    assert chosen(votes) == chosen(votes[::-1])


@pytest.mark.parametrize(
    ("votes", "of", "settled"),
    [
        ([], 3, False),
        ([Vote(1, OLD)], 1, True),
        ([Vote(1, OLD)], 2, False),
        ([Vote(1, OLD)], 3, False),
        ([Vote(1, OLD), Vote(1, OLD)], 3, True),
        ([Vote(1, OLD), Vote(2, NEW)], 3, False),
        ([Vote(1, OLD), Vote(2, OLD)], 3, False),
        ([Vote(1, OLD), Vote(1, OLD)], 4, False),
    ],
)
def test_a_majority_need_not_wait_for_the_rest(
    votes: list[Vote], of: int, *, settled: bool
) -> None:
    """Half of them is none: the other half may know better."""
    assert is_settled(votes, of=of) is settled


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"mymaster 10.0.0.1 6379 10.0.0.2 6379", NEW),
        (b"mymaster ::1 6379 ::2 6380", Address("::2", 6380)),
        (b"another 10.0.0.1 6379 10.0.0.2 6379", None),
        (b"mymaster 10.0.0.1 6379", None),
        (b"mymaster 10.0.0.1 6379 10.0.0.2 x", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_a_switch_is_read(message: bytes, expected: Address | None) -> None:
    """Of the master that is meant, and of no other one."""
    assert switched_to(message, "mymaster") == expected


@pytest.mark.parametrize(
    ("role", "replica"),
    [
        ([b"master", 3129659, []], False),
        ([b"slave", b"10.0.0.1", 6379, b"connected", 1], True),
        ([b"sentinel", [b"mymaster"]], False),
        ([], False),
        (None, False),
    ],
)
def test_a_replica_says_so(role: object, *, replica: bool) -> None:
    """Only who says that it is one is taken for one."""
    assert is_replica(role) is replica

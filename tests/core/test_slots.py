"""Slots: which server has which keys."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.core.addresses import Address
from asynccache.core.slots import SLOTS, Redirect, SlotMap, parse_redirect, slot_of
from asynccache.errors import DecodeError

A, B, C = Address("10.0.0.1", 7000), Address("10.0.0.2", 7000), Address("::1", 7001)


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        # From the Redis Cluster specification, and CLUSTER KEYSLOT of a server.
        ("123456789", 0x31C3),
        (b"123456789", 0x31C3),
        ("foo", 12182),
        ("{foo}.a", 12182),
        ("a{foo}b{bar}", 12182),
        ("", 0),
    ],
)
def test_a_key_has_a_slot(key: str | bytes, slot: int) -> None:
    """CRC16 of the key, or of what stands in its first braces."""
    assert slot_of(key) == slot


@pytest.mark.parametrize("key", ["{}foo", "foo{", "}foo{"])
def test_empty_and_open_braces_mean_nothing(key: str) -> None:
    """Then the whole key counts."""
    assert slot_of(key) == slot_of(key.encode())
    assert slot_of(key) != slot_of("foo")


def reply(*ranges: tuple[int, int, Address]) -> list[Any]:
    """Return a reply to CLUSTER SLOTS, with a replica and the metadata of Redis 7."""
    return [
        [
            first,
            last,
            [owner.host.encode(), owner.port, b"id-1", []],
            [b"10.0.0.9", 7009, b"id-2", [b"hostname", b"r"]],
        ]
        for first, last, owner in ranges
    ]


def test_a_map_is_read() -> None:
    """Each slot has its primary; replicas own nothing."""
    slot_map = SlotMap.from_reply(reply((0, 99, A), (100, SLOTS - 1, B)), A)

    assert [slot_map.owner(slot) for slot in (0, 99, 100, SLOTS - 1)] == [A, A, B, B]
    assert slot_map.primaries == {A, B}
    assert slot_map.is_complete
    assert repr(slot_map) == "<SlotMap 2 primaries, 0 slots missing>"


def test_slots_may_be_missing() -> None:
    """A cluster that is being built, or has lost a primary and its replicas."""
    slot_map = SlotMap.from_reply(reply((0, 9, A)), A)

    assert slot_map.owner(10) is None
    assert not slot_map.is_complete


@pytest.mark.parametrize("host", [b"", None, b"?"])
def test_a_server_that_does_not_know_its_host_is_where_it_was_asked(host: bytes | None) -> None:
    """So a new cluster answers."""
    slot_map = SlotMap.from_reply([[0, 9, [host, 7005, b"id"]]], A)

    assert slot_map.owner(0) == (A.host, 7005)


def test_metadata_may_be_a_map() -> None:
    """As in RESP3; what stands behind the port does not matter."""
    slot_map = SlotMap.from_reply([[0, 9, [b"h", 7000, b"id", {b"hostname": b"n"}]]], A)

    assert slot_map.owner(9) == ("h", 7000)


@pytest.mark.parametrize(
    "garbage",
    [
        None,
        b"OK",
        [],
        [[]],
        [[0, 1]],
        [[0, 1, []]],
        [[0, SLOTS, [b"h", 1]]],
        [[5, 4, [b"h", 1]]],
        [[-1, 4, [b"h", 1]]],
        [[b"0", b"1", [b"h", 1]]],
        [[0, 1, [b"h", b"7000"]]],
        [[0, 1, [b"h", 0]]],
        [[0, 1, [b"h", True]]],
        [[0, 1, [b"\xff", 1]]],
        [7],
        {b"a": 1},
    ],
)
def test_garbage_is_no_map(garbage: object) -> None:
    """Whatever it is, the error is one of ours."""
    with pytest.raises(DecodeError):
        SlotMap.from_reply(garbage, A)


def test_a_slot_moves() -> None:
    """To a server that is known, or to a new one; the others stay."""
    slot_map = SlotMap.from_reply(reply((0, SLOTS - 1, A)), A)
    before = SlotMap.from_reply(reply((0, SLOTS - 1, A)), A)
    assert slot_map == before

    assert slot_map.move(7, C) is True
    assert slot_map.move(8, C) is False
    assert [slot_map.owner(slot) for slot in (6, 7, 8, 9)] == [A, C, C, A]
    assert slot_map.primaries == {A, C}
    assert slot_map != before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MOVED 3999 10.0.0.2:7000", Redirect("MOVED", 3999, B)),
        ("ASK 3999 ::1:7001", Redirect("ASK", 3999, C)),
        ("MOVED 0 [::1]:7001", Redirect("MOVED", 0, C)),
        ("MOVED 3999 :7005", Redirect("MOVED", 3999, Address(A.host, 7005))),
        # cluster-preferred-endpoint-type hostname, on a server that was given no name.
        ("MOVED 3999 ?:7005", Redirect("MOVED", 3999, Address(A.host, 7005))),
        ("ASK 3999 ?:7005", Redirect("ASK", 3999, Address(A.host, 7005))),
        ("MOVED 3999 ?", None),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Redirect("TRYAGAIN", -1, None)),
        ("MOVED", None),
        ("MOVED 3999", None),
        ("MOVED x 10.0.0.2:7000", None),
        ("MOVED 16384 10.0.0.2:7000", None),
        ("MOVED 3999 10.0.0.2", None),
        ("MOVEDX 3999 10.0.0.2:7000", None),
        ("WRONGTYPE Operation against a key", None),
        ("CLUSTERDOWN Hash slot not served", None),
        ("", None),
    ],
)
def test_a_redirection_is_read(text: str, expected: Redirect | None) -> None:
    """What a server says about where to ask; anything else says nothing about that."""
    assert parse_redirect(text, A) == expected

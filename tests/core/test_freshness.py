"""Readings: what Redis's answers mean, whatever they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.core.freshness import Fresh, Miss, Reading, Stale, interpret
from asynccache.core.policy import Lifetime
from asynccache.core.record import RecordFormat
from asynccache.errors import DecodeError

RECORDS = RecordFormat()
GRACE_MS = 60_000


class Upper:
    """A codec that can be followed with the eye."""

    identifier = 7

    def decode(self, payload: bytes) -> Any:
        """Return text in capitals; "bad" cannot be read."""
        if payload == b"bad":
            raise DecodeError("bad payload")
        return payload.decode().upper() or None


def record(payload: bytes = b"value", *, codec: int = 7, grace: float = 60) -> bytes:
    """Return a record of five minutes."""
    return RECORDS.pack(b"key", payload, codec=codec, lifetime=Lifetime(300, grace))


def read(raw: object, pttl: object, *, identity: bytes = b"key") -> Reading:
    """Return the reading of a pair of replies."""
    return interpret(raw, pttl, identity=identity, records=RECORDS, decoder=Upper())


@pytest.mark.parametrize(
    ("raw", "pttl", "reading"),
    [
        (record(), 360_000, Fresh("VALUE", b"value", Lifetime(300.0, 60.0))),
        (record(), GRACE_MS + 1, Fresh("VALUE", b"value", Lifetime(0.001, 60.0))),
        (record(), -1, Fresh("VALUE", b"value", Lifetime(None, 60.0))),
        (record(b""), 360_000, Fresh(None, b"", Lifetime(300.0, 60.0))),
        (b"42", 5_000, Fresh(42, None, Lifetime(5.0, 0.0))),
        (b"-42", -1, Fresh(-42, None, Lifetime(None, 0.0))),
    ],
)
def test_a_value_inside_its_lifetime_is_fresh(raw: bytes, pttl: int, reading: Reading) -> None:
    """With its payload, so that L1 can keep it without encoding it again."""
    assert read(raw, pttl) == reading


@pytest.mark.parametrize(("pttl", "grace"), [(GRACE_MS, 60.0), (1_500, 1.5), (1, 0.001)])
def test_a_value_inside_its_grace_is_stale(pttl: int, grace: float) -> None:
    """It can stand in for a failing loader for as long as Redis keeps it."""
    assert read(record(), pttl) == Stale("VALUE", Lifetime(0.0, grace))


@pytest.mark.parametrize(
    ("raw", "pttl"),
    [
        (None, -2),
        (None, 5_000),  # somebody wrote between the two commands
        (record(), -2),  # it expired between them
        (record(), 0),
        (record(grace=0), 0),  # without a grace there is nothing to stand in with
        (b"42", 0),
        (b"42", -2),
        (record(), -3),
    ],
)
def test_a_value_that_is_gone_is_a_plain_miss(raw: object, pttl: int) -> None:
    """Nothing is damaged."""
    assert read(raw, pttl) == Miss()


@pytest.mark.parametrize(
    ("raw", "pttl", "why"),
    [
        (record()[:-1], 5_000, "wrong checksum"),
        (record()[:39], 5_000, "too short for a record"),
        (b"", 5_000, "too short for a record"),
        (b"Z" * 50, -1, "not a record of this version"),
        (record(codec=8), 5_000, "written by another codec"),
        (record(b"bad"), 5_000, "bad payload"),
        (ValueError("WRONGTYPE"), 5_000, "wrong Redis type"),
        ([b"a"], 5_000, "wrong Redis type"),
        ("text", 5_000, "wrong Redis type"),
        (42, 5_000, "wrong Redis type"),
        (record(), None, "wrong Redis type"),
        (record(), b"5000", "wrong Redis type"),
        (record(), 5_000.0, "wrong Redis type"),
    ],
)
def test_damage_is_a_miss_that_says_why(raw: object, pttl: object, why: str) -> None:
    """It is counted, reloaded and replaced; it is never an error for the caller."""
    assert read(raw, pttl) == Miss(damaged=why)


def test_a_record_moved_from_another_key_is_damage() -> None:
    """Its checksum covers the key that it was stored under."""
    assert read(record(), 5_000, identity=b"other") == Miss(damaged="wrong checksum")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(
    raw=st.none()
    | st.binary()
    | st.just(record())
    | st.floats()
    | st.integers().map(b"%d".__mod__),
    pttl=st.integers(-(2**63), 2**63 - 1) | st.none() | st.binary(),
)
def test_no_answer_makes_it_raise(raw: object, pttl: object) -> None:
    """And only a whole record, or a number, is ever more than a miss."""
    reading = read(raw, pttl)

    assert isinstance(reading, Miss) or raw == record() or isinstance(reading.value, int)

"""Readings: what Redis's answers mean, whatever they hold."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.core.freshness import Fresh, Miss, Reading, Stale, Unsure, interpret
from asynccache.core.policy import Lifetime
from asynccache.core.record import NO_TOKEN, RecordFormat, counter_prefix
from asynccache.errors import DecodeError

RECORDS = RecordFormat()


def pack_counter(stamp: bytes, era: bytes, number: int) -> bytes:
    """Return what Redis keeps for a counter."""
    return counter_prefix(stamp, era) + b"%d" % number


GRACE_MS = 60_000
COUNTER = pack_counter(NO_TOKEN, NO_TOKEN, 42)


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
    return interpret(
        raw,
        pttl,
        identity=identity,
        records=RECORDS,
        decoder=Upper(),
        stamp=NO_TOKEN,
        token={"": NO_TOKEN, "tag": b"tag-now!"}.get,
    )


def fresh(value: Any, payload: bytes | None, left: Lifetime) -> tuple[Any, bytes | None, Lifetime]:
    """Return what is looked at of a fresh reading."""
    return (value, payload, left)


@pytest.mark.parametrize(
    ("raw", "pttl", "reading"),
    [
        (record(), 360_000, fresh("VALUE", b"value", Lifetime(300.0, 60.0))),
        (record(), GRACE_MS + 1, fresh("VALUE", b"value", Lifetime(0.001, 60.0))),
        (record(), -1, fresh("VALUE", b"value", Lifetime(None, 60.0))),
        (record(b""), 360_000, fresh(None, b"", Lifetime(300.0, 60.0))),
        (COUNTER, 5_000, fresh(42, None, Lifetime(5.0, 0.0))),
        (pack_counter(NO_TOKEN, NO_TOKEN, -42), -1, fresh(-42, None, Lifetime(None, 0.0))),
    ],
)
def test_a_value_inside_its_lifetime_is_fresh(
    raw: bytes, pttl: int, reading: tuple[Any, bytes | None, Lifetime]
) -> None:
    """With its payload, so that L1 can keep it without encoding it again."""
    answer = read(raw, pttl)

    assert isinstance(answer, Fresh)
    assert (answer.value, answer.record.payload, answer.left) == reading


@pytest.mark.parametrize(("pttl", "grace"), [(GRACE_MS, 60.0), (1_500, 1.5), (1, 0.001)])
def test_a_value_inside_its_grace_is_stale(pttl: int, grace: float) -> None:
    """It can stand in for a failing loader for as long as Redis keeps it."""
    reading = read(record(), pttl)

    assert isinstance(reading, Stale)
    assert (reading.value, reading.left) == ("VALUE", Lifetime(0.0, grace))


@pytest.mark.parametrize(
    ("raw", "pttl"),
    [
        (None, -2),
        (None, 5_000),  # somebody wrote between the two commands
        (record(), -2),  # it expired between them
        (record(), 0),
        (record(grace=0), 0),  # without a grace there is nothing to stand in with
        (COUNTER, 0),
        (COUNTER, -2),
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
        (record()[:65], 5_000, "too short for a record"),
        (b"", 5_000, "too short for a record"),
        (b"Z" * 80, -1, "not a record of this version"),
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
    | st.integers().map(lambda number: pack_counter(NO_TOKEN, NO_TOKEN, number)),
    pttl=st.integers(-(2**63), 2**63 - 1) | st.none() | st.binary(),
)
def test_no_answer_makes_it_raise(raw: object, pttl: object) -> None:
    """And only a whole record, or a number, is ever more than a miss."""
    reading = read(raw, pttl)

    counted = isinstance(reading, Fresh | Stale) and isinstance(reading.value, int)
    assert isinstance(reading, Miss) or raw == record() or counted


def tagged(tags: dict[str, bytes], **fields: Any) -> bytes:
    """Return a record with tags."""
    return RECORDS.pack(b"key", b"value", codec=7, lifetime=Lifetime(300, 60), tags=tags, **fields)


def test_a_record_counts_while_its_tokens_are_those_of_its_tags() -> None:
    """Of another token, era or incarnation it is a plain miss, in its grace too."""
    assert isinstance(read(tagged({"tag": b"tag-now!"}), 360_000), Fresh)
    for pttl in (360_000, 1_000):
        assert read(tagged({"tag": b"tag-old!"}), pttl) == Miss()
        assert read(tagged({"tag": b"tag-now!", "new": b"12345678"}, era=b"old era!"), pttl) == (
            Miss()
        )
        assert read(tagged({}, stamp=b"old run!"), pttl) == Miss()
        assert read(pack_counter(b"old run!", NO_TOKEN, 42), pttl) == Miss()
        assert read(pack_counter(NO_TOKEN, b"old era!", 42), pttl) == Miss()


def test_tags_that_are_not_known_are_asked_for() -> None:
    """All at once, unless one that is known decides already."""
    assert read(tagged({"a": b"12345678", "tag": b"tag-now!", "b": b"12345678"}), 1) == Unsure(
        ("a", "b")
    )
    assert read(tagged({"a": b"12345678", "tag": b"tag-old!"}), 1) == Miss()

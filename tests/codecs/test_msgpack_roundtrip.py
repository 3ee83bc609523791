"""What is encoded comes back equal, and as the types it had."""

# ruff: noqa: DTZ001, DTZ901  a datetime without a zone is a value like any other

from __future__ import annotations

import cmath
import math
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from threading import Thread
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asynccache.codecs import Codec, MsgpackCodec, TypeRegistry

pinned = settings(
    derandomize=True,
    deadline=None,
    max_examples=200,
    suppress_health_check=[HealthCheck.too_slow],
)

BERLIN = ZoneInfo("Europe/Berlin")


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal in every part, types and the order of keys included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return is_same(list(one.items()), list(other.items()))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, set | frozenset):
        return one == other and {(type(item), item) for item in one} == {
            (type(item), item) for item in other
        }
    if isinstance(one, float | Decimal | complex):
        return repr(one) == repr(other)  # tells -0.0 from 0.0, and nan is nan
    if isinstance(one, datetime | time):
        parts = (one.replace(tzinfo=None), one.fold, one.utcoffset(), repr(one.tzinfo))
        return parts == (
            other.replace(tzinfo=None),
            other.fold,
            other.utcoffset(),
            repr(other.tzinfo),
        )
    return bool(one == other)


def round_trip(value: Any) -> Any:
    codec = MsgpackCodec()
    return codec.decode(codec.encode(value))


VALUES: list[object] = [
    *(None, True, False, 0, 1, -1, 2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1),
    *(10**5000, -(10**5000), 255, 256, -128, -129),
    *(0.0, -0.0, 1.5, math.inf, -math.inf, math.nan, 5e-324, complex(1, -0.0), complex("nan+infj")),
    *("", "a", "ñ😀\0", "x" * 70_000, b"", b"\0\xff", b"x" * 70_000),
    *([], [[]], {}, {"": {}}, (), ((),), set(), frozenset(), {(): ()}),
    *([1, "1", 1.0, True, None], (1, [2, (3, {4})]), {1, 2.5, "a", (1, 2), frozenset({3})}),
    {1: "int", "1": "str", None: 0, (1, ("a", 2)): [], 2.5: 1, b"x": 2, frozenset({1}): 3},
    {"z": 1, "a": 2, "m": 3},
    {2**70: "large", Decimal("1.50"): "exact", date(2024, 2, 29): "leap"},
    *(Decimal("1.10"), Decimal("-0"), Decimal("NaN"), Decimal("sNaN12"), Decimal("1E+999999")),
    *(Decimal("-Infinity"), UUID(int=0), UUID("12345678-1234-5678-1234-567812345678")),
    *(date.min, date.max, timedelta.min, timedelta.max, timedelta(microseconds=-1), timedelta()),
    *(time(), time.max, time(1, 2, 3, 4, tzinfo=UTC), time(2, 30, fold=1), time(9, tzinfo=BERLIN)),
    *(datetime.min, datetime.max, datetime(2024, 1, 2, 3, 4, 5, 6), datetime(2024, 1, 1, fold=1)),
    datetime(2024, 1, 2, tzinfo=UTC),
    datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=-9, minutes=-30, microseconds=-7))),
    datetime(2024, 1, 2, fold=1, tzinfo=timezone(timedelta(hours=5))),
    datetime(2024, 7, 1, 12, tzinfo=BERLIN),
    datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN),
    datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=BERLIN),
    datetime(2024, 3, 31, 2, 30, tzinfo=BERLIN),
    datetime(2024, 1, 1, tzinfo=ZoneInfo("America/Argentina/Buenos_Aires")),
    datetime(2024, 1, 1, tzinfo=ZoneInfo("Etc/GMT+5")),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}")
def test_a_value_comes_back_as_it_was(value: object) -> None:
    """Each known type keeps its value, its type, and the types inside it."""
    assert is_same(round_trip(value), value)
    assert is_same(round_trip([value, {"k": (value,)}]), [value, {"k": (value,)}])


def test_a_zone_is_the_zone_itself() -> None:
    """A datetime in a zone of the database is in that zone again, not at a fixed offset."""
    assert round_trip(datetime(2024, 7, 1, tzinfo=BERLIN)).tzinfo is BERLIN


class ElsewhereZone(tzinfo):
    """A zone that no database has."""

    def utcoffset(self, when: datetime | None) -> timedelta | None:
        return timedelta(hours=3, seconds=7)

    def dst(self, when: datetime | None) -> timedelta | None:
        return None

    def tzname(self, when: datetime | None) -> str | None:
        return "ELSE"


@pytest.mark.parametrize("zone", [ElsewhereZone(), timezone(timedelta(hours=1), "CET")])
def test_another_zone_comes_back_as_its_offset(zone: tzinfo) -> None:
    """A tzinfo that has no key keeps its offset from UTC."""
    value = datetime(2024, 7, 1, 12, fold=1, tzinfo=zone)
    result = round_trip(value)

    assert result == value
    assert (result.utcoffset(), result.fold) == (value.utcoffset(), 1)
    assert type(result.tzinfo) is timezone


def is_nan(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float | complex) and cmath.isnan(value)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**200), max_value=2**200),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.decimals(),
    st.uuids(),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.datetimes(),
    st.datetimes(
        timezones=st.timezones(), min_value=datetime(1900, 1, 1), max_value=datetime(2100, 1, 1)
    ),
)
keys = st.recursive(
    scalars.filter(lambda value: not is_nan(value)),  # as a key it would never be found again
    lambda inner: st.one_of(st.tuples(inner), st.tuples(inner, inner), st.frozensets(inner)),
    max_leaves=4,
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(keys, max_size=4),
        st.frozensets(keys, max_size=4),
    ),
    max_leaves=12,
)


@pinned
@given(values)
def test_any_value_comes_back_as_it_was(value: object) -> None:
    """Whatever the known types are combined to, it keeps its values and types."""
    assert is_same(round_trip(value), value)


def test_each_decoding_is_a_new_object() -> None:
    """Two callers that decode the same bytes share nothing that they can change."""
    codec = MsgpackCodec()
    payload = codec.encode({"tags": ["a"]})
    codec.decode(payload)["tags"].append("b")

    assert codec.decode(payload) == {"tags": ["a"]}


def test_a_part_of_a_larger_buffer_can_be_decoded() -> None:
    """A payload may be a view of the record around it, without a copy."""
    codec = MsgpackCodec()
    record = b"header" + codec.encode([1, (2,)])

    assert codec.decode(memoryview(record)[6:]) == [1, (2,)]  # type: ignore[arg-type]  # a buffer


def test_it_is_a_codec() -> None:
    """The default codec is what the cache asks for, and has the identifier that records keep."""
    registry = TypeRegistry()
    codec: Codec = MsgpackCodec(registry)

    assert codec.identifier == 1
    assert repr(codec) == "MsgpackCodec(<TypeRegistry: 0 types>)"


def test_a_large_value_is_encoded_and_the_codec_goes_on() -> None:
    """A value beyond what a packer may keep is like any other."""
    codec = MsgpackCodec()
    large = {"body": b"x" * 2_000_000}

    assert codec.decode(codec.encode(large)) == large
    assert codec._idle == []
    assert codec.decode(codec.encode({"a": 1})) == {"a": 1}
    assert len(codec._idle) == 1


def test_threads_may_share_a_codec() -> None:
    """Encodings at the same time do not mix, though each runs Python in the middle."""
    codec = MsgpackCodec()
    failed: list[object] = []

    def work(number: int) -> None:
        value = [(number, date(2000 + number, 1, 1), {number})] * 20
        failed.extend(None for _ in range(100) if codec.decode(codec.encode(value)) != value)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []

"""Records: what Redis keeps is read back exactly, or not at all."""

from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccache.core.keys import KeySpace
from asynccache.core.policy import Lifetime
from asynccache.core.record import (
    CHECKSUM_BYTES,
    HEADER_BYTES,
    PERSISTENT,
    VERSION,
    Record,
    RecordFormat,
    counter_prefix,
)
from asynccache.errors import DecodeError

PLAIN = RecordFormat()
KEYED = RecordFormat(b"a secret of some length")
IDENTITY = KeySpace("shop").identity("product:42")
FIELDS_BYTES = HEADER_BYTES - CHECKSUM_BYTES

thorough = settings(derandomize=True, deadline=None, max_examples=200)
lifetimes = st.builds(Lifetime, st.none() | st.floats(0, 1e9, exclude_min=True), st.floats(0, 1e9))


def packed(records: RecordFormat = KEYED, payload: bytes = b"payload") -> bytes:
    """Return a record that is right in every respect."""
    return records.pack(
        IDENTITY,
        payload,
        codec=1,
        lifetime=Lifetime(300, 60),
        load_ms=12,
        version=9,
        stamp=b"incarnat",
        era=b"the era!",
        tags={"a": b"token-of", "b": b"8 bytes!"},
        etag="W/1",
    )


def test_the_layout_of_a_record() -> None:
    """Other versions of this library, and the scripts, look at these very places."""
    raw = packed(PLAIN)

    assert raw[:4] == b"ac\x02\x01"
    assert int.from_bytes(raw[4:12]) == 300_000
    assert int.from_bytes(raw[12:20]) == 60_000
    assert int.from_bytes(raw[20:24]) == 12
    assert int.from_bytes(raw[24:32]) == 9
    assert raw[32:40] == b"incarnat"
    assert raw[40:48] == b"the era!"
    assert int.from_bytes(raw[48:50]) == len(raw) - 66 - len(b"payload")
    assert raw[50:66].hex() == "8af26cba5aa2adc1c7a7927579b1ff91"
    assert raw[66:].endswith(b"payload")
    assert PLAIN.unpack(IDENTITY, raw).tags == {"a": b"token-of", "b": b"8 bytes!"}
    assert PLAIN.unpack(IDENTITY, raw).etag == "W/1"


@thorough
@given(
    payload=st.binary(max_size=100),
    codec=st.integers(0, 255),
    lifetime=lifetimes,
    load_ms=st.integers(0, 2**40),
)
@example(payload=b"", codec=0, lifetime=Lifetime(None, 0), load_ms=2**32)
@example(payload=b"12", codec=255, lifetime=Lifetime(1e9, 1e9), load_ms=0)
def test_a_record_is_read_back_as_it_was_written(
    payload: bytes, codec: int, lifetime: Lifetime, load_ms: int
) -> None:
    """Whatever the payload holds; a load time of more than 49 days is cut."""
    for records in (PLAIN, KEYED):
        raw = records.pack(IDENTITY, payload, codec=codec, lifetime=lifetime, load_ms=load_ms)

        assert records.unpack(IDENTITY, raw) == Record(
            payload, 0, codec, lifetime.fresh_ms, lifetime.grace_ms, min(load_ms, 2**32 - 1)
        )


@pytest.mark.parametrize("records", [PLAIN, KEYED], ids=["plain", "keyed"])
def test_a_single_flipped_bit_is_noticed(records: RecordFormat) -> None:
    """In the header, the checksum or the payload."""
    raw = packed(records)
    for place in range(len(raw)):
        for bit in range(8):
            damaged = bytearray(raw)
            damaged[place] ^= 1 << bit
            with pytest.raises(DecodeError):
                records.unpack(IDENTITY, bytes(damaged))


def test_a_cut_or_lengthened_record_is_noticed() -> None:
    """Wherever it is cut, at either end."""
    raw = packed()
    for length in range(len(raw)):
        for damaged in (raw[:length], raw[length + 1 :], raw + raw[: length + 1]):
            with pytest.raises(DecodeError):
                KEYED.unpack(IDENTITY, damaged)


@pytest.mark.parametrize(
    "identity",
    [
        KeySpace("shop").identity("product:43"),
        KeySpace("shop2").identity("product:42"),
        KeySpace("shop").identity("product:42\0"),
        IDENTITY[:-1],
        b"",
    ],
)
def test_a_record_of_another_key_or_namespace_is_refused(identity: bytes) -> None:
    """Who moves a record from one key to another gains nothing (G7)."""
    with pytest.raises(DecodeError):
        PLAIN.unpack(identity, packed(PLAIN))


def test_the_end_of_a_key_is_not_the_beginning_of_a_payload() -> None:
    """The same bytes, divided elsewhere, are another record."""
    raw = PLAIN.pack(b"ab", b"c", codec=1, lifetime=Lifetime(1, 0))
    moved = raw[:HEADER_BYTES] + b"bc"

    with pytest.raises(DecodeError, match="wrong checksum"):
        PLAIN.unpack(b"a", moved)


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (b"", b"a secret of 16 bytes"),
        (b"a secret of 16 bytes", b""),
        (b"a secret of 16 bytes", b"a secret of 17 bytes"),
        (b"a secret of 16 bytes", b"a secret of 16 bytes\0"),
        (b"s" * 64, b"s" * 65),
        (b"s" * 65, b"s" * 66),
    ],
)
def test_a_record_of_another_secret_is_refused(writer: bytes, reader: bytes) -> None:
    """Without the secret nobody writes a record that is read."""
    with pytest.raises(DecodeError, match="wrong checksum"):
        RecordFormat(reader).unpack(IDENTITY, packed(RecordFormat(writer)))


@pytest.mark.parametrize("length", [1, 63, 64, 65, 1_000])
def test_a_secret_may_have_any_length(length: int) -> None:
    """Every byte of it counts."""
    secret = b"s" * length
    records = RecordFormat(secret)

    assert records.unpack(IDENTITY, packed(RecordFormat(secret))).payload == b"payload"
    with pytest.raises(DecodeError):
        records.unpack(IDENTITY, packed(RecordFormat(secret[:-1] + b"t")))


@pytest.mark.parametrize("head", [b"ac" + bytes([VERSION + 1]), b"ac\x00", b"AC\x02", b"\0\0\x02"])
def test_a_record_of_another_version_is_refused(head: bytes) -> None:
    """Even when its checksum is right: its fields may mean something else."""
    fields = head + packed()[3 : FIELDS_BYTES - 2] + b"\0\0"
    raw = fields + KEYED._checksum(IDENTITY, fields, b"", b"payload") + b"payload"

    with pytest.raises(DecodeError, match="not a record of this version"):
        KEYED.unpack(IDENTITY, raw)


def test_a_checksum_of_other_software_is_refused() -> None:
    """The checksum is ours alone: a bare BLAKE2b over the same bytes is not it."""
    fields = packed()[:FIELDS_BYTES]
    body = fields + len(IDENTITY).to_bytes(4, "big") + IDENTITY + b"payload"
    digest = blake2b(body, digest_size=CHECKSUM_BYTES).digest()

    with pytest.raises(DecodeError, match="wrong checksum"):
        PLAIN.unpack(IDENTITY, fields + digest + b"payload")


@thorough
@given(st.binary(max_size=80) | st.binary(max_size=40).map(lambda tail: b"ac\x02" + tail))
@example(b"ac\x02" + b"\xff" * 63)
def test_random_bytes_are_no_record(raw: bytes) -> None:
    """They end in DecodeError and in nothing else."""
    with pytest.raises(DecodeError):
        KEYED.unpack(IDENTITY, raw)


@pytest.mark.parametrize("count", [0, 1, -1, 42, 10**18, 2**63 - 1, -(2**63)])
def test_a_counter_is_a_number_behind_its_era(count: int) -> None:
    """Redis adds to it by itself, so that it has no other header and no grace."""
    raw = counter_prefix(b"incarnat", b"the era!") + str(count).encode()

    assert raw == b"#696e6361726e6174" + b"7468652065726121:" + str(count).encode()
    assert KEYED.unpack(IDENTITY, raw) == Record(
        None, counter=count, stamp=b"incarnat", era=b"the era!"
    )


@pytest.mark.parametrize("extras", [b"\xc1", b"\x90", b"\x92\x90\xc0", b"\x92\x81\x01\xc0\xc0"])
def test_extras_of_nonsense_are_refused(extras: bytes) -> None:
    """Where there is no secret anybody can give them a right checksum."""
    fields = packed(PLAIN)[: FIELDS_BYTES - 2] + len(extras).to_bytes(2)
    raw = fields + PLAIN._checksum(IDENTITY, fields, extras, b"payload") + extras + b"payload"

    with pytest.raises(DecodeError, match=r"extras|tag"):
        PLAIN.unpack(IDENTITY, raw)


@pytest.mark.parametrize(
    "raw",
    [
        *(b"", b"-", b"-0", b"+1", b"01", b"-01", b"1\n", b"\n1", b" 1", b"1 ", b"1.0", b"1e3"),
        *(b"0x1", b"1_0", b"\xd9\xa1", str(2**63).encode(), str(-(2**63) - 1).encode()),
        *(b"9" * 19, b"9" * 20, b"9" * 5_000),
    ],
)
def test_what_redis_cannot_count_with_is_no_counter(raw: bytes) -> None:
    """Else it could be read and never be added to."""
    with pytest.raises(DecodeError):
        PLAIN.unpack(IDENTITY, raw)
    with pytest.raises(DecodeError):
        PLAIN.unpack(IDENTITY, b"#" + b"0" * 32 + b":" + raw)


@pytest.mark.parametrize(
    ("grace_ms", "pttl_ms", "left"),
    [
        (0, 300_000, Lifetime(300.0, 0.0)),
        (0, 0, Lifetime(0.0, 0.0)),
        (60_000, 360_000, Lifetime(300.0, 60.0)),
        (60_000, 60_001, Lifetime(0.001, 60.0)),
        (60_000, 60_000, Lifetime(0.0, 60.0)),
        (60_000, 59_999, Lifetime(0.0, 59.999)),
        (60_000, 1, Lifetime(0.0, 0.001)),
        (60_000, PERSISTENT, Lifetime(None, 60.0)),
        (2**64 - 1, 2**63 - 1, Lifetime(0.0, (2**63 - 1) / 1000)),
    ],
)
def test_what_is_left_is_what_the_server_says(grace_ms: int, pttl_ms: int, left: Lifetime) -> None:
    """The end of a key's life in Redis is its grace, and no clock of ours is asked."""
    assert Record(b"", fresh_ms=300_000, grace_ms=grace_ms).left(pttl_ms) == left

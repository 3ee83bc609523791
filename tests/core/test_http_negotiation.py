"""The one spelling of what is negotiated (RFC 9110, 12.5)."""

from __future__ import annotations

import random
import re
import time

import pytest

from asynccache.core.http_negotiation import (
    KNOWN,
    normalised_accept_encoding,
    normalised_accept_language,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"gzip", b"gzip"),
        (b"GZip", b"gzip"),
        (b"x-gzip", b"gzip"),
        (b"X-GZIP;Q=0.5", b"gzip"),
        (b"gzip ; q=0.001", b"gzip"),
        (b"gzip;q=1.", b"gzip"),
        (b"gzip;q=1.000", b"gzip"),
        (b"gzip\t;\tq=1", b"gzip"),
        (b"gzip, deflate, br, zstd", b"zstd, br, gzip"),
        (b"br,gzip", b"br, gzip"),
        (b"gzip,br", b"br, gzip"),
        (b"gzip,gzip", b"gzip"),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"br, gzip"),
        (b"br;q=0, gzip", b"gzip"),
        (b"*;q=0, gzip", b"gzip"),
        (b"gzip, identity;q=0", b"gzip"),
        # What is no member is passed over:
        (b"gzip;q=x, br", b"br"),
        (b"gzip;q=1;x=y, br", b"br"),
        (b"gzip;q=-1, br", b"br"),
        (b"gzip;q=0.0000, br", b"br"),
        (b"gzip;q=2, br", b"br"),
        (b"gzip q=1, br", b"br"),
        (b"\xff, gzip", b"gzip"),
        (b'"gzip, br', b"br"),
    ],
)
def test_codings(value: bytes, expected: bytes) -> None:
    """What a client takes, in an order of ours (12.5.3, 8.4.1.3)."""
    assert normalised_accept_encoding(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b" , ", b"identity", b"*", b"*;q=1", b"deflate", b"compress, exi", b"notgzip"),
        *(b"gzipped", b"gzip;q=0", b"gzip;q=0.", b"gzip;q=0.000", b"gzip;Q=0", b"gzip ;q = 0"),
        *(b"identity;q=0", b"*;q=0", b"gzip;q=x", b"gzip;", b";gzip", b'"gzip"', b"g zip", b"\xff"),
        *(b"gzip, gzip;q=0", b"gzip;q=0, gzip", b"x-gzip;q=0, gzip", b"gzip, x-gzip;q=0"),
    ],
)
def test_who_takes_no_known_coding(value: bytes) -> None:
    """Gets identity, and is not mixed up with who says nothing, and so takes any (12.5.3)."""
    assert normalised_accept_encoding(value) == b"identity"


def test_absent_is_absent() -> None:
    """RFC 9110, 12.5.3 and 12.5.4."""
    assert normalised_accept_encoding(None) is None
    assert normalised_accept_language(None) is None


@pytest.mark.parametrize(
    ("value", "available", "expected"),
    [
        (b"gzip, br", (b"gzip",), b"gzip"),
        (b"gzip, br", (), b"identity"),
        (b"deflate, gzip", (b"gzip", b"deflate"), b"gzip, deflate"),
        (b"*", (b"gzip",), b"identity"),
    ],
)
def test_other_codings_count(value: bytes, available: tuple[bytes, ...], expected: bytes) -> None:
    """In the order in which they are given."""
    assert normalised_accept_encoding(value, available) == expected


def accepts(value: bytes, coding: bytes) -> bool:
    """Tell by a reading of our own whether a client has named a coding and never refused it."""
    named = False
    for member in value.lower().split(b","):
        name, *parameters = (each.strip(b" \t") for each in member.split(b";"))
        if name not in {coding, b"x-" + coding}:
            continue
        weights = [re.fullmatch(rb"q=(0|1|0\.\d{1,3})", each) for each in parameters]
        if not parameters:
            named = True
        elif len(weights) == 1 and weights[0] is not None:
            if float(weights[0][1]) == 0:
                return False
            named = True
    return named


def test_no_coding_is_named_that_the_client_does_not_take() -> None:
    """Whatever it sends: what is stored for the spelling can be decoded by all of them."""
    chance = random.Random(18)
    names = [
        b"gzip",
        b"GZIP",
        b"x-gzip",
        b"br",
        b"zstd",
        b"deflate",
        b"identity",
        b"*",
        b"",
        b"xbr",
    ]
    weights = [b"", b"", b";q=0", b"; q=0.0", b" ;q=0.5", b";q=1", b";q=x", b";Q=0", b"; x=1"]
    for _ in range(20_000):
        value = b", ".join(
            chance.choice(names) + chance.choice(weights) for _ in range(chance.randrange(6))
        )
        found = normalised_accept_encoding(value)
        assert found is not None
        taken = [] if found == b"identity" else found.split(b", ")
        assert taken == [coding for coding in KNOWN if accepts(value, coding)]


@pytest.mark.parametrize("value", [b"gzip", b"br, gzip", b"*", b"", b"x-gzip;q=0.1", b"deflate"])
def test_a_spelling_stands_for_itself(value: bytes) -> None:
    """The application is asked with it, and may have a cache of its own."""
    once = normalised_accept_encoding(value)
    assert normalised_accept_encoding(once) == once


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", b""),
        (b" , ", b""),
        (b"de", b"de"),
        (b"en-US, de;q=0.5", b"en-us,de;q=0.5"),
        (b"EN-us,DE ;\tQ=0.5", b"en-us,de;q=0.5"),
        (b"de,,en", b"de,en"),
        (b"en, de", b"en,de"),
        (b"de, en", b"de,en"),
        (b"*", b"*"),
        (b"e n", b"e n"),
        (b"de; q = 0.5", b"de;q = 0.5"),
        (b"\xff", b"\xff"),
    ],
)
def test_languages(value: bytes, expected: bytes) -> None:
    """Case does not matter (RFC 4647, 2), nor do blanks where they may stand; the order may."""
    assert normalised_accept_language(value) == expected
    assert normalised_accept_language(expected) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"," * 100_000, b"gzip," * 20_000, b"gzip;q=" + b"0" * 100_000, b" " * 100_000),
        *(b"a" + b" " * 100_000 + b"b", b"gzip" + b" ;" * 50_000, b'"' * 100_000, b";" * 100_000),
    ],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_values_end(value: bytes) -> None:
    """In time that grows with their length only."""
    start = time.thread_time()
    normalised_accept_encoding(value)
    normalised_accept_language(value)
    assert time.thread_time() - start < 5


def test_random_bytes_never_raise() -> None:
    """Whatever a client sends."""
    chance = random.Random(19)
    for _ in range(3_000):
        value = bytes(chance.choice(b'gzip;q=0.1, *"\t\xff') for _ in range(chance.randrange(20)))
        assert normalised_accept_encoding(value) is not None
        assert normalised_accept_language(value) is not None

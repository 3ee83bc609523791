"""Variants (RFC 9111, 4.1), and the one spelling of what is negotiated (RFC 9110, 12.5)."""

from __future__ import annotations

import itertools

import pytest

from asynccache.core.http_negotiation import (
    normalised_accept_encoding,
    normalised_accept_language,
)
from asynccache.core.http_vary import Variant, variant_digest, variant_of, vary_names


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], frozenset()),
        ([b""], frozenset()),
        ([b"Accept, ACCEPT", b"x"], {b"accept", b"x"}),
        ([b"*"], None),
        ([b"accept", b" * "], None),
        ([b"a,*,b"], None),
        ([b"**"], {b"**"}),
    ],
)
def test_names(lines: list[bytes], expected: frozenset[bytes] | None) -> None:
    """A star anywhere means everything."""
    assert vary_names([(b"Vary", line) for line in lines]) == expected


def test_absent_is_not_empty_and_lines_are_joined() -> None:
    """In the order of the names, whatever that of the request."""
    headers = [(b"B", b" 2 "), (b"a", b"1"), (b"A", b"3"), (b"c", b"")]
    found = variant_of([b"c", b"b", b"a", b"d"], headers, {})
    assert found == ((b"a", b"1, 3"), (b"b", b"2"), (b"c", b""), (b"d", None))


def test_digests_tell_variants_apart() -> None:
    """Whatever is shifted between names and values, or left out."""
    variants: list[Variant] = [
        (),
        ((b"a", None),),
        ((b"a", b""),),
        ((b"a", b"b"),),
        ((b"ab", b""),),
        ((b"a", b"-"),),
        ((b"a", b"1:b"),),
        ((b"a", b"b"), (b"c", b"d")),
        ((b"a", b"bc"), (b"d", None)),
        ((b"a", b"b1:c"), (b"d", None)),
    ]
    for one, other in itertools.combinations(variants, 2):
        assert variant_digest(one) != variant_digest(other)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"", None),
        (b"identity", None),
        (b"*", None),
        (b"deflate", None),
        (b"gzip", b"gzip"),
        (b"GZip", b"gzip"),
        (b"x-gzip", b"gzip"),
        (b"gzip;q=0", None),
        (b"gzip;q=0.000", None),
        (b"gzip ; q=0.001", b"gzip"),
        (b"gzip, deflate, br, zstd", b"zstd, br, gzip"),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"br, gzip"),
        (b"*;q=0, gzip", b"gzip"),
        (b"gzip;q=x, br", b"br"),
        (b"gzip;q=1;x=y, br", b"br"),
        (b"notgzip, gzipped", None),
        (b"\xff, gzip", b"gzip"),
        (b"gzip, gzip;q=0", None),
    ],
)
def test_codings(value: bytes | None, expected: bytes | None) -> None:
    """Never one that the client has not named, or has refused."""
    assert normalised_accept_encoding(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"", b""),
        (b"en-US, de;q=0.5", b"en-us,de;q=0.5"),
        (b"EN-us,DE;q=0.5", b"en-us,de;q=0.5"),
    ],
)
def test_languages(value: bytes | None, expected: bytes | None) -> None:
    """Case and blanks do not matter, the order may (RFC 4647, 2)."""
    assert normalised_accept_language(value) == expected

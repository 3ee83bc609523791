"""Variants (RFC 9111, 4.1; RFC 9110, 12.5.5)."""

from __future__ import annotations

import itertools
import random

import pytest

from asynccache.core.http_vary import Variant, variant_digest, variant_of, vary_names


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], set()),
        ([b""], set()),
        ([b" , ,"], set()),
        ([b"Accept, ACCEPT", b"x"], {b"accept", b"x"}),
        ([b"", b"a"], {b"a"}),
        ([b"a\t,b"], {b"a", b"b"}),
        ([b"**"], {b"**"}),
    ],
)
def test_names(lines: list[bytes], expected: set[bytes]) -> None:
    """In small letters, of all lines."""
    assert vary_names([(b"Vary", line) for line in lines]) == frozenset(expected)


@pytest.mark.parametrize(
    "lines",
    [
        *([b"*"], [b"accept", b" * "], [b"a,*,b"], [b"*, *"], [b", *"], [b"a", b"*", b"b"]),
        *([b'"a, *"'], [b'"a, *'], [b'"*'], [b"*,"]),
    ],
)
def test_a_star_means_everything(lines: list[bytes]) -> None:
    """On any line, among others, even in quotes, which mean nothing here."""
    assert vary_names([(b"vary", line) for line in lines]) is None


@pytest.mark.parametrize(
    "value",
    [
        *(b"Accept Accept-Encoding", b"accept;q=1", b'"accept"', b"accept:", b"\xff", b"a, b c"),
        *(b"accept/x", b"a\x00", b"accept = *", b"* x", b"(a)"),
    ],
)
def test_what_is_no_name_means_everything(value: bytes) -> None:
    """Else one response would be sent to all, whatever it depends on."""
    assert vary_names([(b"vary", value)]) is None


def test_absent_is_not_empty_and_lines_are_joined() -> None:
    """In the order of the names, whatever that of the request."""
    headers = [(b"B", b" 2\t"), (b"a", b"1"), (b"A", b"3"), (b"c", b""), (b"e", b"x")]
    expected = ((b"a", b"1, 3"), (b"b", b"2"), (b"c", b""), (b"d", None))

    for names in itertools.permutations([b"c", b"b", b"a", b"d"]):
        assert variant_of(names, headers, {}) == expected
    assert variant_of([b"a", b"a"], headers, {}) == ((b"a", b"1, 3"),)
    assert variant_of([], headers, {}) == ()


def test_values_are_brought_into_one_spelling() -> None:
    """All lines at once, and what is absent too."""
    headers = [(b"A", b"x"), (b"a", b"Y"), (b"b", b"Z")]

    def normalised(value: bytes | None) -> bytes | None:
        return b"none" if value is None else value.upper()

    found = variant_of([b"a", b"b", b"c"], headers, {b"a": normalised, b"c": normalised})
    assert found == ((b"a", b"X, Y"), (b"b", b"Z"), (b"c", b"none"))


def test_case_matters_where_nothing_says_that_it_does_not() -> None:
    """And so do blanks inside a value."""
    values = [b"a", b"A", b"a b", b"a  b", b"a,b", b"a, b"]
    assert len({variant_of([b"x"], [(b"x", value)], {}) for value in values}) == len(values)


def test_digests_tell_variants_apart() -> None:
    """Whatever is shifted between names and values, or left out."""
    parts = [b"", b"-", b"a", b"1:a", b"a-", b"-1:a", b"1:", b":", b"1", b"0:"]
    values = [None, *parts]
    single: list[Variant] = [((name, value),) for name in parts for value in values]
    double: list[Variant] = [one + other for one in single[:40] for other in single[:40]]
    variants = [(), *single, *double]

    assert len({variant_digest(variant) for variant in variants}) == len(set(variants))
    assert len(variant_digest(())) == 16


def test_random_bytes_never_raise() -> None:
    """And the same request has the same variant."""
    chance = random.Random(17)
    for _ in range(2_000):
        value = bytes(chance.choice(b'a*," \t\xff') for _ in range(chance.randrange(9)))
        names = vary_names([(b"vary", value)])
        assert names is None or all(names)
        headers = [(b"a", value), (value, b"x")]
        found = variant_of(names or (), headers, {})
        assert variant_digest(found) == variant_digest(variant_of(names or (), headers, {}))

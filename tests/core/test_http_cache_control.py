"""``Cache-Control`` (RFC 9111, 5.2)."""

from __future__ import annotations

import random
import time

import pytest

from asynccache.core.http_cache_control import (
    FORBIDDING,
    MOST_SECONDS,
    CacheControl,
    field_names,
    parse_cache_control,
    seconds,
)

FIELDS = frozenset({b"a", b"b"})


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], CacheControl()),
        ([b""], CacheControl()),
        ([b" , ,, \t"], CacheControl()),
        ([b"max-age=60"], CacheControl(max_age=60)),
        ([b"MAX-age=60"], CacheControl(max_age=60)),
        ([b" max-age=60 "], CacheControl(max_age=60)),
        ([b"max-age = 60"], CacheControl(max_age=60)),
        ([b"s-maxage=5, max-age=6"], CacheControl(s_maxage=5, max_age=6)),
        ([b"no-store"], CacheControl(no_store=True)),
        ([b"NO-STORE,No-Transform"], CacheControl(no_store=True, no_transform=True)),
        ([b"No-Store=yes"], CacheControl(no_store=True)),
        ([b"public", b"must-revalidate"], CacheControl(public=True, must_revalidate=True)),
        ([b"proxy-revalidate"], CacheControl(proxy_revalidate=True)),
        (
            [b"must-understand, no-transform, immutable, only-if-cached"],
            CacheControl(
                must_understand=True, no_transform=True, immutable=True, only_if_cached=True
            ),
        ),
        ([b"stale-while-revalidate=7"], CacheControl(stale_while_revalidate=7)),
        ([b"stale-if-error=8"], CacheControl(stale_if_error=8)),
        ([b"max-stale"], CacheControl(max_stale_any=True)),
        ([b"max-stale=9, min-fresh=3"], CacheControl(max_stale=9, min_fresh=3)),
        ([b"max-stale=x"], CacheControl(max_stale=0)),
        ([b"max-stale, max-stale=4"], CacheControl(max_stale=4, max_stale_any=True)),
        ([b"unknown, other=1, =, a b"], CacheControl()),
        ([b"max_age=60, no_store"], CacheControl()),
    ],
)
def test_directives(lines: list[bytes], expected: CacheControl) -> None:
    """Names in any case, unknown ones ignored (5.2, 5.2.3)."""
    assert parse_cache_control(lines) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"max-age=60, max-age=0"], 60),
        ([b"max-age=0, max-age=60"], 0),
        ([b"max-age=0", b"max-age=60"], 0),
        ([b"max-age=x, max-age=60"], 0),
    ],
)
def test_of_repeated_seconds_the_first_count(lines: list[bytes], expected: int) -> None:
    """RFC 9111, 4.2.1."""
    assert parse_cache_control(lines) == CacheControl(max_age=expected)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        *((b"60", 60), (b'"60"', 60), (b"060", 60), (b"0", 0), (b"000", 0), (b'"\\60"', 60)),
        *((b"2147483647", 2**31 - 1), (b"2147483648", 2**31), (b"2147483649", 2**31)),
        *((b"9999999999", 2**31), (b"99999999999999999999", 2**31), (b"9" * 5_000, 2**31)),
        *((b"0" * 5_000 + b"7", 7), (b"", 0), (b"-1", 0), (b"+1", 0), (b"1.5", 0), (b"1e3", 0)),
        *((b"abc", 0), (b"60a", 0), (b"6 0", 0), (b"'60'", 0), (b'"60', 0), (b'" 60"', 0)),
        *((b"\xd9\xa1", 0), (b"\xb2", 0), (b'""', 0), (b'"60"x', 0)),
    ],
)
def test_seconds(argument: bytes, expected: int) -> None:
    """Both forms of arguments (5.2); what is no number is 0, what is too large the most (1.2.2)."""
    assert parse_cache_control([b"max-age=" + argument]) == CacheControl(max_age=expected)


def test_without_seconds_it_is_stale() -> None:
    """A directive that needs an argument and has none is invalid (4.2.1)."""
    assert parse_cache_control([b"max-age"]) == CacheControl(max_age=0)
    assert seconds(None) == 0
    assert MOST_SECONDS == 2**31


@pytest.mark.parametrize(
    ("argument", "fields"),
    [
        *((b'="A, b"', FIELDS), (b'="a,b,A"', FIELDS), (b'="a" ', {b"a"}), (b"=a", {b"a"})),
        *((b'="\\a"', {b"a"}), (b'=" , a"', {b"a"})),
        # About all of the response:
        *((b"", set()), (b'=""', set()), (b'=","', set()), (b"=", set()), (b'="', set())),
        *((b'="a', set()), (b'="a b"', set()), (b'="a, b;c"', set()), (b'="\xff"', set())),
        *((b"=a/b", set()), (b'=x"a"', set())),
    ],
)
@pytest.mark.parametrize("name", ["private", "no-cache"])
def test_qualified_directives(name: str, argument: bytes, fields: set[bytes]) -> None:
    """They are about some fields only (5.2.2.4, 5.2.2.7), unless those are not to be read."""
    found = parse_cache_control([name.encode() + argument])
    attribute = name.replace("-", "_")

    assert getattr(found, f"{attribute}_fields") == fields
    assert getattr(found, attribute) is not bool(fields)


def test_qualified_directives_add_up() -> None:
    """On one line or on several, beside one that is not qualified."""
    found = parse_cache_control([b'no-cache="a", private="x"', b'no-cache="b", no-cache'])
    assert found == CacheControl(
        no_cache=True, no_cache_fields=FIELDS, private_fields=frozenset({b"x"})
    )


@pytest.mark.parametrize(
    ("argument", "fields"),
    [(None, set()), (b"", set()), (b"A,b", {b"a", b"b"}), (b"a b", set()), (b"a, ?", set())],
)
def test_field_names(argument: bytes | None, fields: set[bytes]) -> None:
    """All of them are names, or none is."""
    assert field_names(argument) == fields


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b'x="private, no-store"'], CacheControl()),
        ([b'x="a\\", no-store"'], CacheControl()),
        ([b'x="a\\"b", no-store'], CacheControl(no_store=True)),
        ([b'x="max-age=60", max-age=1'], CacheControl(max_age=1)),
        ([b'max-age=1, x="max-age=60"'], CacheControl(max_age=1)),
        ([b'x="a', b'b", no-store'], CacheControl(no_store=True)),
    ],
)
def test_what_is_quoted_says_nothing(lines: list[bytes], expected: CacheControl) -> None:
    """And a quote ends with its line at the latest."""
    assert parse_cache_control(lines) == expected


@pytest.mark.parametrize("word", sorted(name.replace("_", "-") for name in FORBIDDING))
@pytest.mark.parametrize(
    "garbled",
    [
        *("{}; max-age=60", "{} max-age=60", "max-age=60 {}", "max-age=60; {}", "{};x", "{}:"),
        *('x="unended, {}', '{}, x="unended', 'max-age="60, {}', "[{}]", "\xff{}", "x=[{}]"),
        *("{} ;", "\x00{}", 'x="y" {}', '"{}'),
    ],
)
def test_what_forbids_is_believed_however_it_is_written(word: str, garbled: str) -> None:
    """Whoever wrote it did not mean the response for everybody."""
    value = garbled.format(word.upper()).encode("latin-1")
    assert getattr(parse_cache_control([value]), word.replace("-", "_")) is True


@pytest.mark.parametrize(
    "value", [b"public; max-age=60", b"public max-age=60", b"x-private", b"'private'", b"privately"]
)
def test_what_allows_is_not(value: bytes) -> None:
    """Nor is a word that only begins so."""
    assert parse_cache_control([value]) == CacheControl()


@pytest.mark.parametrize(
    "value",
    [
        *(b'"' * 100_000, b"," * 100_000, b"a" * 100_000, b"private " * 12_000, b'a"' * 50_000),
        *(b"max-age=" * 12_000, b'private="' + b"a," * 50_000 + b'"', b"\\" * 100_000),
        *(b'x="' + b'\\"' * 50_000, b"max-age" + b" " * 100_000 + b"x", b'="",' * 25_000),
    ],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_values_end(value: bytes) -> None:
    """In time that grows with their length: a square of it would be minutes."""
    start = time.thread_time()
    parse_cache_control([value])
    assert time.thread_time() - start < 5


def test_random_bytes_never_raise() -> None:
    """And never make a response fresher than it is: what is no number is 0."""
    chance = random.Random(4)
    pieces = [b"max-age", b"=", b'"', b",", b"\\", b" ", b"1", b"-", b"\xff", b"private", b"no-"]
    for _ in range(3_000):
        value = b"".join(chance.choices(pieces, k=chance.randrange(12)))
        found = parse_cache_control([value])
        assert found.max_age is None or found.max_age == 0 or b"1" in value
        parse_cache_control([chance.randbytes(chance.randrange(30))])

"""Redis keys: one for each user key, in one slot with its lease, whatever the user key holds."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccache.core.keys import (
    HASHED_MARK,
    LONGEST_PLAIN_BYTES,
    KeySpace,
    checked_namespace,
    escape,
    kept_beginning,
    unescape,
)
from asynccache.errors import ArgumentTypeError, InvalidArgument

SPACE = KeySpace("shop")

encodable = st.characters(codec="utf-8")
tricky = st.sampled_from("%{}~25\x00\n\x7f\x85ab:\N{SNOWMAN}")
short = st.text(tricky | encodable, min_size=1, max_size=20)
long = st.builds(lambda text, times, end: text * times + end, short, st.integers(20, 80), short)
user_keys = short | long

thorough = settings(derandomize=True, deadline=None, max_examples=300)


def hash_tag(redis_key: str) -> str:
    """Return the part of a key that a Redis cluster takes its slot from."""
    match = re.search(r"\{([^}]+)\}", redis_key, re.DOTALL)
    assert match is not None
    return match[1]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("product:42", "product:42"),
        ("50%", "50%25"),
        ("{tag}", "%7Btag%7D"),
        ("a\r\nb\0", "a%0D%0Ab%00"),
        ("\x1f\x20\x7e\x7f\x80\x9f\xa0", "%1F\x20\x7e%7F%80%9F\xa0"),
        ("%7B", "%257B"),
        ("Straße \N{SNOWMAN}", "Straße \N{SNOWMAN}"),
    ],
)
def test_escaping_touches_braces_controls_and_percents(text: str, escaped: str) -> None:
    """Anything else stays readable in redis-cli."""
    assert escape(text) == escaped
    assert unescape(escaped) == text


@thorough
@given(user_keys)
def test_unescaping_gives_back_what_was_escaped(text: str) -> None:
    """So that no two texts share an escaped form."""
    assert unescape(escape(text)) == text


@thorough
@given(user_keys)
def test_a_redis_key_has_one_hash_tag_and_no_control_character(key: str) -> None:
    """No user key can choose its slot, or break a log line."""
    record = SPACE.record(key)

    assert re.fullmatch(r"shop:r:\{[^{}]+\}", record)
    assert not any(unicodedata.category(character) == "Cc" for character in record)


@thorough
@given(user_keys)
def test_a_record_and_its_lease_share_a_slot_and_a_name(key: str) -> None:
    """One script touches both in a cluster; the lease is outside of the records' prefix."""
    record, lease = SPACE.record(key), SPACE.lease(key)

    assert hash_tag(record) == hash_tag(lease)
    assert not lease.startswith(SPACE.records)
    assert SPACE.name_of(record.encode()) == SPACE.name_of(lease.encode()) == hash_tag(record)


@thorough
@given(user_keys, user_keys)
@example("a" * 500, "a" * 499 + "b")
@example(f"{HASHED_MARK}a", "%~a")
def test_different_keys_have_different_redis_keys(one: str, other: str) -> None:
    """Hashed ones too."""
    assert (SPACE.record(one) == SPACE.record(other)) == (one == other)
    assert (SPACE.identity(one) == SPACE.identity(other)) == (one == other)


def test_nobody_can_name_a_key_like_a_hashed_one() -> None:
    """A user key that looks like the name of a hashed key is escaped to something else."""
    hashed = hash_tag(SPACE.record("a" * 500))

    assert hashed.startswith(HASHED_MARK)
    assert SPACE.record(hashed) != SPACE.record("a" * 500)


@pytest.mark.parametrize("character", ["k", "%", "\0", "ß", "\N{SNOWMAN}", "\N{SNAKE}"])
def test_long_keys_are_hashed_and_bounded(character: str) -> None:
    """Up to 200 bytes a key is kept whole; past that its name is short however long it is."""
    bytes_each = len(escape(character).encode())
    fitting = LONGEST_PLAIN_BYTES // bytes_each
    whole = hash_tag(SPACE.record(character * fitting))
    names = [hash_tag(SPACE.record(character * n)) for n in (fitting + 1, 1_000, 8_192)]

    assert unescape(whole) == character * fitting
    assert kept_beginning(whole) is None
    for name in names:
        assert len(name.encode()) <= LONGEST_PLAIN_BYTES + len("%~~")
        assert kept_beginning(name) == character * 40
        assert re.search(r"~[0-9a-f]{40}$", name)  # 160 bits: nobody finds two keys with the same
    assert all(one != other for one, other in pairwise(names))


@thorough
@given(long)
def test_a_hashed_name_tells_how_its_key_begins(key: str) -> None:
    """An invalidation by pattern needs no more to be sure to drop it."""
    beginning = kept_beginning(hash_tag(SPACE.record(key)))

    assert beginning is None or key[: len(beginning)] == beginning
    assert (beginning is None) == (len(escape(key).encode()) <= LONGEST_PLAIN_BYTES)


@pytest.mark.parametrize(
    "redis_key",
    [
        b"",
        b"shop:r:",
        b"shop:r:{",
        b"shop:r:}",
        b"shop:r:k",
        b"shop:r:{k}x",
        b"shop:x:{k}",
        b"shops:r:{k}",
        b"shop:r:{\xff}",
    ],
)
def test_foreign_keys_have_no_name(redis_key: bytes) -> None:
    """What anybody may have put under our prefix does not break a scan."""
    assert SPACE.name_of(redis_key) is None


@pytest.mark.parametrize("name", ["%~", "%~x", "%~~", "%~%zz~", "%~a~b~c"])
def test_forged_hashed_names_break_nothing(name: str) -> None:
    """Their beginning is whatever they say, which costs a load at most."""
    assert SPACE.name_of(f"shop:r:{{{name}}}".encode()) == name
    assert isinstance(kept_beginning(name), str)


def test_an_enum_member_that_is_a_str_is_its_text() -> None:
    """Who stores under ``Page.HOME`` finds it under ``"home"``, in every version of Python."""

    class Page(str, Enum):  # noqa: UP042 - a StrEnum formats as its text anyway
        HOME = "home"

    assert SPACE.record(Page.HOME) == SPACE.record("home")
    assert SPACE.identity(Page.HOME) == SPACE.identity("home")


def test_namespaces_are_apart() -> None:
    """No key of one is a key of another, even where one's name begins with the other's."""
    spaces = [KeySpace(name) for name in ("a", "a:r", "a:l:", "a:bus", "a:r:a", "b")]
    keys = [
        name
        for space in spaces
        for name in (space.record("k"), space.lease("k"), space.sequence, space.channel)
    ]

    assert len(set(keys)) == len(keys)
    assert len({space.identity("k") for space in spaces}) == len(spaces)
    assert KeySpace("a").identity("bc") != KeySpace("ab").identity("c")


@pytest.mark.parametrize("namespace", ["a", "A-b_c.d:e/f@1", "n" * 64])
def test_a_namespace_of_plain_characters_is_taken(namespace: str) -> None:
    """None of them has a meaning in a Redis pattern or an escaped key."""
    assert checked_namespace(namespace) == namespace


@pytest.mark.parametrize(
    ("namespace", "error"),
    [
        *(
            (text, InvalidArgument)
            for text in ("", "n" * 65, "a\n", "\na", "a b", "a*", "a{b}", "a%", "é", "²", "a\\")
        ),
        *((value, ArgumentTypeError) for value in (None, b"a", 7, ["a"])),
    ],
)
def test_any_other_namespace_is_refused(namespace: object, error: type[InvalidArgument]) -> None:
    """A trailing newline is one character too many."""
    with pytest.raises(error) as caught:
        checked_namespace(namespace)

    assert caught.value.argument == "namespace"

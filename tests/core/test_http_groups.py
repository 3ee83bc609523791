"""Cache groups (RFC 9875)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_groups import (
    LONGEST_GROUP,
    MOST_GROUPS,
    group_tag,
    groups,
    invalidated_groups,
)

MANY = [f"group-{number:026}" for number in range(200)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], ()),
        ([b""], ()),
        ([b'"a"'], ("a",)),
        ([b'"a", "b";x=1'], ("a", "b")),
        ([b'"b", "a"', b'"c"'], ("b", "a", "c")),
        ([b'"A", "a"'], ("A", "a")),
        ([b'"a, b"'], ("a, b",)),
        ([b'"\\"\\\\"'], ('"\\',)),
        ([b'token, "b", 5, ("c"), %"d", :aGk=:, ?1, @1'], ("b",)),
        ([b'""'], ()),
        ([b'"' + b"x" * LONGEST_GROUP + b'"'], ("x" * LONGEST_GROUP,)),
        ([b'"' + b"x" * (LONGEST_GROUP + 1) + b'"'], ()),
        ([", ".join(f'"{name}"' for name in MANY).encode()], tuple(MANY[:MOST_GROUPS])),
        # Invalid as a whole:
        *(([value], ()) for value in (b'"a", &', b'"a",', b'"a" "b"', b"'a'", b'"\xc3\xa4"')),
        ([b'"a"', b"&"], ()),
        ([b'"a"', b""], ()),
    ],
)
def test_groups(lines: list[bytes], expected: tuple[str, ...]) -> None:
    """Strings of a valid list, 128 of 32 characters at least (2)."""
    assert groups([(b"Cache-Groups", line) for line in lines]) == expected
    named = [(b"Cache-Group-Invalidation", line) for line in lines]
    assert invalidated_groups("POST", named) == expected
    assert groups(named) == ()


@pytest.mark.parametrize(
    ("method", "is_any"),
    [
        *((method, False) for method in ("GET", "HEAD", "OPTIONS", "TRACE")),
        *((method, True) for method in ("POST", "PUT", "PATCH", "DELETE", "get", "MADE-UP")),
    ],
)
def test_safe_methods_invalidate_none(method: str, is_any: bool) -> None:
    """There the field has to be ignored (3)."""
    found = invalidated_groups(method, [(b"cache-group-invalidation", b'"a"')])
    assert found == (("a",) if is_any else ())


def test_groups_belong_to_their_origin() -> None:
    """Another's are others (2.1), however they are named; an origin has no blank."""
    tags = {
        group_tag(origin, group)
        for origin in ("http://a", "https://a", "http://a:81")
        for group in ("b", "b c", " b", "http://a b")
    }
    assert len(tags) == 12


def test_random_bytes_never_raise() -> None:
    """Whatever an application sends."""
    chance = random.Random(15)
    for _ in range(2_000):
        value = bytes(chance.choice(b'"a, ;=\\\xff') for _ in range(chance.randrange(12)))
        for group in groups([(b"cache-groups", value)]):
            assert group.isascii()

"""Structured fields (RFC 9651): what is one, and that nothing else is taken for one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from asynccache.core.http_structured import (
    Member,
    Token,
    parse_dictionary,
    parse_list,
    serialise_string,
    serialise_token_or_string,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", {}),
        (b"a", {"a": True}),
        (b"a=1", {"a": 1}),
        (b"a=-1, b=1.5", {"a": -1, "b": 1.5}),
        (b'a="x \\" y", b=tok/en:1', {"a": 'x " y', "b": "tok/en:1"}),
        (b"a=?0, b=?1", {"a": False, "b": True}),
        (b"a=:aGk=:, b=@1700000000", {"a": b"hi", "b": 1_700_000_000}),
        (b"a=1 ,\tb=2", {"a": 1, "b": 2}),
        (b"a=1, a=2", {"a": 2}),
        (b"a=1;x;y=2, *b=3", {"a": 1, "*b": 3}),
    ],
)
def test_dictionaries(value: bytes, expected: dict[str, Any]) -> None:
    """Every kind of bare item; of equal keys the last."""
    found = parse_dictionary(value)
    assert found is not None
    assert {key: member.value for key, member in found.items()} == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"a=", b"a=1,", b",a", b"a=1,,b", b"A=1", b"a=1 b=2", b"a =1", b"a= 1", b"1=a"),
        *(b'a="x', b'a="\\x"', b'a="\xc3\xa4"', b"a=?2", b"a=:!:", b"a=1.", b"a=1.2345"),
        *(b"a=1234567890123456", b"a=(1", b"a=(1 2)x", b"a=(1,2)", b"a=&", b"\xff", b"a=1;"),
        b"a=1" + b" " * 20_000 + b",b",
    ],
)
def test_what_is_no_dictionary(value: bytes) -> None:
    """One wrong byte makes all of it nothing (4.2)."""
    assert parse_dictionary(value) is None


def test_lists_with_parameters_and_inner_lists() -> None:
    """RFC 9651, 3.1."""
    assert parse_list(b'"a";x=1, (b "c");q=0.5, ()') == [
        Member("a", {"x": 1}),
        Member([Member(Token("b")), Member("c")], {"q": 0.5}),
        Member([]),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("a", b'"a"'), ('"\\', b'"\\"\\\\"'), ("ä\n\x00b", b'"b"'), ("", b'""')],
)
def test_strings_are_written(text: str, expected: bytes) -> None:
    """Without what they cannot hold."""
    assert serialise_string(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("a/b:1", b"a/b:1"), ("a b", b'"a b"')])
def test_tokens_are_written_where_they_can_be(text: str, expected: bytes) -> None:
    """Else a string."""
    assert serialise_token_or_string(text) == expected


def test_random_bytes_never_raise() -> None:
    """Whatever an application sends."""
    chance = random.Random(5)
    for _ in range(5_000):
        value = bytes(chance.choice(b'a1=;,()"\\:?@-. \xff') for _ in range(chance.randrange(14)))
        parse_dictionary(value)
        parse_list(value)

"""Structured fields (RFC 9651): what is one, and that nothing else is taken for one."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest

from asynccache.core.http_structured import (
    LONGEST,
    Date,
    DisplayString,
    Member,
    Token,
    parse_dictionary,
    parse_list,
    serialise_string,
    serialise_token_or_string,
)

NOTHING = Member(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 3.3.1, 4.2.4
        *(("0", 0), ("-0", 0), ("42", 42), ("-17", -17), ("007", 7), ("9" * 15, 10**15 - 1)),
        # 3.3.2
        *(("1.5", 1.5), ("-0.25", -0.25), ("0.123", 0.123), ("1" * 12 + ".5", 111111111111.5)),
        # 3.3.3
        *(('""', ""), ('"a b"', "a b"), ('"\\"\\\\"', '"\\'), ('"~ !#[]"', "~ !#[]"), ('","', ",")),
        # 3.3.4
        *(("a", Token("a")), ("*a/b:c", Token("*a/b:c")), ("A!#$%&'*+-.^_`|~1", None)),
        # 3.3.5; padding may be missing, and its bits may be set
        *((":aGk=:", b"hi"), ("::", b""), (":aGk:", b"hi"), (":aGl=:", b"hi"), (":+/+/:", None)),
        # 3.3.6
        *(("?1", True), ("?0", False)),
        # 3.3.7
        *(("@0", Date(0)), ("@-1", Date(-1)), ("@1659578233", Date(1_659_578_233))),
        # 3.3.8
        *(('%""', DisplayString("")), ('%"f%c3%bc \\"', DisplayString("fü \\"))),
    ],
)
def test_bare_items(text: str, expected: Any) -> None:
    """Each type, as a member, as a value, in an inner list and as a parameter."""
    (member,) = parse_list(text.encode()) or [NOTHING]
    if expected is not None:
        assert member == Member(expected)
        assert type(member.value) is type(expected)
    value = member.value
    assert parse_dictionary(f"k={text}".encode()) == {"k": Member(value)}
    assert parse_list(f"({text} {text})".encode()) == [Member([Member(value), Member(value)])]
    assert parse_list(f"t;k={text}".encode()) == [Member(Token("t"), {"k": value})]


@pytest.mark.parametrize(
    "text",
    [
        # Numbers
        *("-", "--1", "+1", "1.", ".5", "1.2345", "1.5.", "1.5.5", "1e3", "0x1", "1_0", "- 1"),
        *("9" * 16, "1" * 13 + ".1", "-" + "9" * 16, "1.-5", "1-", "\u0661"),
        # Strings
        *(
            '"',
            '"a',
            'a"',
            '"\\a"',
            '"\\',
            '"a\\"',
            '"\t"',
            '"\x7f"',
            '"ä"',
            '"a""b"',
            "'a'",
            '"\n"',
        ),
        # Tokens
        *("a,b c", "=a", "a{", "&", "a@", "[a]", "/a", "-a", "a\\"),
        # Byte sequences
        *(":", ":a", ":a:", ":aGk=", ":!:", ":aG=k:", ":a===:", ":aGk==:", ": aGk=:", ":aGk-:"),
        # Booleans
        *("?", "?2", "?true", "?", "?10", "? 1", "?-1"),
        # Dates
        *("@", "@1.5", "@1.", "@a", "@ 1", "@--1", "@" + "9" * 16),
        # Display strings
        *("%", "%a", '%"', '%"a', '% "a"', '%"%"', '%"%c"', '%"%C3%BC"', '%"%c3"', '%"ü"', '%"\t"'),
        '%"%zz"',
    ],
)
def test_what_is_no_bare_item(text: str) -> None:
    """Nowhere (4.2.3.1): one wrong byte makes all of a field nothing."""
    for shape in ("{}", "ok, {}", "{}, ok", "k=1, {}"):
        assert parse_list(shape.format(text).encode()) is None
    for shape in ("k={}", "ok, k={}", "k={}, ok", "k;p={}", "k=({})", "k=(a {})", "k=();p={}"):
        assert parse_dictionary(shape.format(text).encode()) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", []),
        (b"   ", []),
        (b" a ", [Member(Token("a"))]),
        (b"a\t", [Member(Token("a"))]),
        (b"a,b", [Member(Token("a")), Member(Token("b"))]),
        (b"a ,\t b", [Member(Token("a")), Member(Token("b"))]),
        (b"a, a", [Member(Token("a")), Member(Token("a"))]),
        (b"()", [Member([])]),
        (b"(  )", [Member([])]),
        (b"( a  b )", [Member([Member(Token("a")), Member(Token("b"))])]),
        (
            b"(a;x b);y",
            [Member([Member(Token("a"), {"x": True}), Member(Token("b"))], {"y": True})],
        ),
        (b"a;x;  y=2", [Member(Token("a"), {"x": True, "y": 2})]),
        (b"a;x=1;x=2", [Member(Token("a"), {"x": 2})]),
        (b"a;*_-.9=?0", [Member(Token("a"), {"*_-.9": False})]),
        (b'"a, b";q="c, d", e', [Member("a, b", {"q": "c, d"}), Member(Token("e"))]),
    ],
)
def test_lists(value: bytes, expected: list[Member]) -> None:
    """Members, inner lists and parameters (4.2.1, 4.2.1.2, 4.2.3.2)."""
    assert parse_list(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"a,", b",a", b"a,,b", b",", b"a, ", b"a b", b"a;", b"a;;x", b"a;=1", b"a;X=1", b"a;1"),
        *(b"a;x=", b"a;x= 1", b"a;x =1", b"a ;x", b"a;\tx", b"a; x;", b"a;x=(b)", b"a=b;c"),
        *(b"(", b"(a", b"a)", b"(a,b)", b"(a\tb)", b"(a(b))", b"((a))", b"(a)b", b'("a""b")'),
        *(b"(a;)", b")", b"\ta", b"\na", b"a\n", b"a\x00", b"\xff", b"\xc3\xa4", b"\xa0a"),
    ],
)
def test_what_is_no_list(value: bytes) -> None:
    """Commas, blanks, brackets and parameters stand where they may, or all of it is nothing."""
    assert parse_list(value) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"", {}),
        (b"a", {"a": Member(True)}),
        (b"a;x=1", {"a": Member(True, {"x": 1})}),
        (b"a=?0", {"a": Member(False)}),
        (b"a=1 ,\tb=2", {"a": Member(1), "b": Member(2)}),
        (b"a=1, b, a=2;x", {"a": Member(2, {"x": True}), "b": Member(True)}),
        (b"a=1, a", {"a": Member(True)}),
        (b"a=(1 2);x", {"a": Member([Member(1), Member(2)], {"x": True})}),
        (b"*a.b_c-d9=1", {"*a.b_c-d9": Member(1)}),
    ],
)
def test_dictionaries(value: bytes, expected: dict[str, Member]) -> None:
    """Of equal keys the last (4.2.2)."""
    assert parse_dictionary(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(b"a=", b"a=1,", b",a", b"a=1,,b", b"A=1", b"a=1 b=2", b"a =1", b"a= 1", b"1=a", b"a==1"),
        *(b"a=,b", b'"a"=1', b"-a=1", b".a", b"_a", b"a:b=1", b"aB=1", b"a=1;", b"a=(1", b"a=)"),
        *(b"a=(1 2)x", b"a=(1,2)", b"\ta=1", b"=1", b"a;x=", b"a\xff", b"a/b=1"),
    ],
)
def test_what_is_no_dictionary(value: bytes) -> None:
    """One wrong byte makes all of it nothing (4.2)."""
    assert parse_dictionary(value) is None


def test_what_is_too_long_is_nothing() -> None:
    """Else a field of megabytes would be looked at; 128 members of 32 characters are not."""
    assert parse_list(b"a" * LONGEST) is not None
    assert parse_list(b"a" * (LONGEST + 1)) is None
    assert parse_dictionary(b"a=1" + b" " * LONGEST) is None
    assert len(parse_list(b", ".join([b'"' + b"x" * 32 + b'"'] * 128)) or ()) == 128


def test_types_are_told_apart() -> None:
    """A token is no string, a date no integer, and neither equals nothing of its kind."""
    found = parse_list(b'a, "a", %"a", 1, @1, ?1, 1.0')
    assert found is not None
    assert [type(member.value) for member in found] == [
        *(Token, str, DisplayString, int, Date, bool, float)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("a", b'"a"'), ("", b'""'), ('"\\', b'"\\"\\\\"'), ("~ !", b'"~ !"')),
        *(("ä\n\x00\x7f\u20acb", b'"b"'), ("\ud800", b'""')),
    ],
)
def test_strings_are_written(text: str, expected: bytes) -> None:
    """Without what they cannot hold (4.1.6)."""
    assert serialise_string(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *(("a/b:1", b"a/b:1"), ("*", b"*"), ("a b", b'"a b"'), ("", b'""'), ("1a", b'"1a"')),
        *(("a\n", b'"a"'), ("ä", b'""'), ("?1", b'"?1"'), ("a,b", b'"a,b"')),
    ],
)
def test_tokens_are_written_where_they_can_be(text: str, expected: bytes) -> None:
    """Else a string (4.1.7)."""
    assert serialise_token_or_string(text) == expected


def test_what_is_written_can_be_read() -> None:
    """And is what it was, but for what strings cannot hold."""
    chance = random.Random(11)
    for _ in range(2_000):
        text = "".join(chance.choices('ab1*/:"\\ ,;=ä\n', k=chance.randrange(9)))
        kept = "".join(char for char in text if " " <= char <= "~")
        assert parse_list(serialise_string(text)) == [Member(kept)]
        (member,) = parse_list(serialise_token_or_string(text)) or [NOTHING]
        assert str(member.value) == kept


@pytest.mark.parametrize(
    "value",
    [
        *(b'"' * LONGEST, b"(" * LONGEST, b"a;" * (LONGEST // 2), b"," * LONGEST, b" " * LONGEST),
        *(b'"' + b'\\"' * (LONGEST // 2 - 1), b"a=1," * (LONGEST // 4), b"(" + b" " * LONGEST),
        *(b":" + b"=" * 9_999 + b":", b"9" * LONGEST, b'%"' + b"%c3" * 5_000, b"a" + b";x" * 8_000),
    ],
    ids=lambda value: ascii(value[:9]),
)
def test_hostile_values_end(value: bytes) -> None:
    """In time that grows with their length only."""
    start = time.thread_time()
    parse_list(value)
    parse_dictionary(value)
    assert time.thread_time() - start < 5


def test_random_bytes_never_raise() -> None:
    """Whatever an application sends."""
    chance = random.Random(5)
    for _ in range(10_000):
        value = bytes(
            chance.choice(b'a1=;,()"\\:?@%-. c3\xff') for _ in range(chance.randrange(14))
        )
        parse_dictionary(value)
        parse_list(value)

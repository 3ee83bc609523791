"""Patterns: Redis's globs over user keys, and what Redis itself is asked with."""

from __future__ import annotations

import time
from functools import lru_cache

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from asynccache.core.keys import KeySpace
from asynccache.core.pattern import LONGEST_PATTERN, Pattern, redis_globs
from asynccache.errors import ArgumentTypeError, InvalidArgument

SPACE = KeySpace("shop")
STAR, QUESTION, OPEN, CLOSE, CARET, DASH, BACKSLASH = b"*?[]^-\\"

thorough = settings(derandomize=True, deadline=None, max_examples=500)
# Characters with a meaning somewhere: in globs, in regular expressions, in escaped keys.
spicy = st.sampled_from("ab*?[]^-\\.|&~#{}%2: \n\xe9\N{SNOWMAN}")
texts = st.text(spicy, min_size=1, max_size=8)


@lru_cache(maxsize=20_000)  # else many stars would take for ever
def glob_match(glob: tuple[int, ...], text: tuple[int, ...]) -> bool:
    """Match as Redis's ``stringmatchlen`` does, over bytes or over code points."""
    if not glob:
        return not text
    if glob[0] == STAR:
        return any(glob_match(glob[1:], text[start:]) for start in range(len(text) + 1))
    if not text:
        return False
    if glob[0] == QUESTION:
        return glob_match(glob[1:], text[1:])
    if glob[0] == OPEN:
        matches, length = class_match(glob, text[0])
        return matches and glob_match(glob[length:], text[1:])
    if glob[0] == BACKSLASH and len(glob) > 1:
        glob = glob[1:]
    return glob[0] == text[0] and glob_match(glob[1:], text[1:])


def class_match(glob: tuple[int, ...], unit: int) -> tuple[bool, int]:
    """Match one unit against the class that a glob begins with; return the class's length too."""
    at = 1
    negated = glob[at] == CARET
    at += negated
    found = False
    while glob[at] != CLOSE:
        if glob[at] == BACKSLASH:
            at += 1
            found |= glob[at] == unit
        elif glob[at + 1] == DASH and glob[at + 2] != CLOSE:
            # Redis takes the bracket in [a-] for the end of the range; we do not.
            low, high = sorted((glob[at], glob[at + 2]))
            found |= low <= unit <= high
            at += 2
        else:
            found |= glob[at] == unit
        at += 1
    return found != negated, at + 1


def code_points(text: str) -> tuple[int, ...]:
    """Return what ``glob_match`` compares, for whole characters."""
    return tuple(ord(character) for character in text)


def compiled(glob: str) -> Pattern:
    """Return a pattern, or give up an example whose class does not end."""
    try:
        return Pattern(glob)
    except InvalidArgument:
        assume(False)
        raise


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("user:*", ["user:", "user:1", "user:\n"], ["user", "auser:1", "User:1"]),
        ("*", ["a", "\n", "\N{SNOWMAN}"], []),
        ("a?c", ["abc", "a\nc", "a\N{SNOWMAN}c", "a?c"], ["ac", "abbc"]),
        ("a**c", ["ac", "abc", "abbc"], ["a", "cac "]),
        ("[abc]", ["a", "b", "c"], ["d", "ab", "[abc]"]),
        ("[^a]", ["b", "^", "\n"], ["a"]),
        ("[a-c]", ["a", "b", "c"], ["d", "-"]),
        ("[c-a]", ["a", "b", "c"], ["d", "-"]),
        ("[a-]", ["a", "-"], ["b", "]"]),
        ("[-a]", ["a", "-"], ["b"]),
        (r"[\]a]", ["]", "a"], ["\\"]),
        (r"[\a-c]", ["a", "-", "c"], ["b", "\\"]),
        (r"[\^a]", ["^", "a"], ["b"]),
        ("[[]", ["["], ["]"]),
        ("[]", [], ["a", "[]", "]"]),
        ("[^]", ["a", "]", "\n"], ["ab"]),
        ("[a^]", ["a", "^"], ["b"]),
        (r"\*", ["*"], ["a", r"\*"]),
        ("a\\", ["a\\"], ["a"]),
        ("a]b", ["a]b"], ["ab"]),
        ("a.c|d$", ["a.c|d$"], ["abc", "a.c|d$\n"]),
        ("é*", ["é", "école"], ["e", "É"]),
        ("a\n", ["a\n"], ["a", "a\n\n"]),
    ],
)
def test_the_meaning_of_a_pattern(glob: str, matching: list[str], other: list[str]) -> None:
    """It is the whole key that has to match, character by character, case and all."""
    pattern = Pattern(glob)

    assert [key for key in matching if not pattern.matches(key)] == []
    assert [key for key in other if pattern.matches(key)] == []


@thorough
@given(texts, texts)
@example("*a*b", "aab")
@example("[[a]--&&||~~]", "&")
@example("a[^]*", "ab")
def test_patterns_mean_what_they_mean_in_redis(glob: str, key: str) -> None:
    """An independent matcher, written after Redis's own, says the same."""
    assert compiled(glob).matches(key) == glob_match(code_points(glob), code_points(key))


@st.composite
def matching_pairs(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a glob and a key that it has to match."""
    glob, key = "", ""
    for _ in range(draw(st.integers(1, 6))):
        text = draw(st.text(spicy, min_size=1, max_size=draw(st.sampled_from([3, 3, 60]))))
        first = text[0]
        # Around these, a range would begin or end with what has a meaning in a class.
        ranged = [] if first in "[\\]^_" else ["range"]
        form = draw(st.sampled_from(["literal", "star", "question", "class", *ranged]))
        if form == "star":
            glob, key = glob + "*", key + text
        elif form == "question":
            glob, key = glob + "?", key + first
        elif form == "class":
            glob, key = glob + f"[x\\{first}]", key + first
        elif form == "range":
            glob, key = glob + f"[{chr(ord(first) - 1)}-{chr(ord(first) + 1)}]", key + first
        else:
            glob, key = glob + "".join(f"\\{character}" for character in text), key + text
    return glob, key


@thorough
@given(matching_pairs())
@example((r"\{*", "{" * 300))
@example(("?" * 70, "\N{SNOWMAN}" * 70))
def test_redis_is_never_asked_for_less_than_the_pattern(pair: tuple[str, str]) -> None:
    """Every key that matches is found by a scan: escaped or hashed, in characters or bytes."""
    glob, key = pair
    assume(len(glob) <= LONGEST_PATTERN)
    pattern = Pattern(glob)
    name = SPACE.name_of(SPACE.record(key).encode())

    assert name is not None
    assert pattern.matches(key)
    assert any(glob_match(tuple(g.encode()), tuple(name.encode())) for g in redis_globs(pattern))
    assert pattern.may_match_name(name)


@thorough
@given(texts, texts)
def test_what_redis_finds_is_decided_by_the_pattern(glob: str, key: str) -> None:
    """The name of a short key holds the whole key, so that no other key is dropped."""
    pattern = compiled(glob)
    name = SPACE.name_of(SPACE.record(key).encode())

    assert name is not None
    assert pattern.may_match_name(name) == pattern.matches(key)


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("user:*", True),
        ("user:aaa*", True),
        ("user:a?b", True),  # the name does not tell
        ("u[s]er:b", True),
        ("user:b*", False),
        ("order:*", False),
        ("user:" + "a" * 34 + "bbb", False),
        ("user:" + "a" * 60 + "b", True),
    ],
)
def test_a_hashed_name_may_match_unless_its_beginning_says_no(glob: str, expected: bool) -> None:
    """Dropping too much costs a load; dropping too little leaves a stale value."""
    name = SPACE.name_of(SPACE.record("user:" + "a" * 500).encode())

    assert name is not None
    assert Pattern(glob).may_match_name(name) is expected


@pytest.mark.parametrize(
    ("glob", "redis_glob"),
    [
        ("user:*", "user:*"),
        ("a?b", "a*b"),
        ("a[xy]?*b", "a*b"),
        ("50%", "50%25"),
        ("{*}", "%7B*%7D"),
        (r"\*\?\[\]\\", r"\*\?\[\]\\"),
        ("a]", r"a\]"),
    ],
)
def test_redis_is_asked_with_a_coarser_glob(glob: str, redis_glob: str) -> None:
    """What is fixed in the pattern narrows the scan; hashed names are always looked at."""
    assert redis_globs(Pattern(glob)) == (redis_glob, "%~*")


def test_a_pattern_of_many_stars_costs_no_more_than_its_length() -> None:
    """Eight times the key takes about eight times as long, and no star multiplies that."""
    pattern = Pattern("*a*a*a*a*a*a*b")

    def cost(length: int) -> float:
        key = "a" * length
        timings = []
        for _ in range(9):
            start = time.thread_time()
            for _ in range(20):
                assert not pattern.matches(key)
            timings.append(time.thread_time() - start)
        return min(timings)

    assert cost(8_000) < 24 * cost(1_000)


@pytest.mark.parametrize(
    ("glob", "error"),
    [
        *(
            (glob, InvalidArgument)
            for glob in ("", "a" * (LONGEST_PATTERN + 1), "[", "[a", "[^", "a[b-", "[\\", "[\\]")
        ),
        *((glob, InvalidArgument) for glob in ("\ud800*", "[\udfff]", "[a-")),
        *((glob, ArgumentTypeError) for glob in (None, 7, b"user:*", ["user:*"])),
    ],
)
def test_what_is_no_pattern_is_refused(glob: str, error: type[InvalidArgument]) -> None:
    """The error names the argument; a lone surrogate could not even be sent to Redis."""
    with pytest.raises(error) as caught:
        Pattern(glob)

    assert caught.value.argument == "pattern"


def test_a_pattern_shows_itself() -> None:
    """As it was written."""
    assert repr(Pattern("user:*")) == "Pattern('user:*')"

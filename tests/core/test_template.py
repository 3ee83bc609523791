"""Key templates: different arguments give different keys, and what has no text is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asynccache.core.template import KeyTemplate, key_part
from asynccache.errors import ArgumentTypeError, InvalidArgument


class Colour(Enum):
    RED = "r:d"
    PAIR = (1, 2)


class Size(IntEnum):
    LARGE = 3


class Page(StrEnum):
    HOME = "home"


class User:
    """Somebody with attributes."""

    def __init__(self, tenant: object) -> None:
        self.tenant = tenant
        self.boss: User | None = None
        self._secret = "x"


def rendered(template: str, **arguments: Any) -> str:
    """Return the key that a template makes of arguments."""
    return KeyTemplate(template, arguments).render(arguments)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a:b%", "a%3Ab%25"),
        ("", ""),
        ("\N{SNOWMAN} {x}", "\N{SNOWMAN} {x}"),
        (7, "7"),
        (-7, "-7"),
        (True, "True"),
        (None, "%None"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Decimal("1.50"), "1.50"),
        (date(2024, 2, 29), "2024-02-29"),
        (time(1, 2, 3), "01%3A02%3A03"),
        (datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), "2024-02-29T01%3A02%3A03+00%3A00"),
        (Colour.RED, "r%3Ad"),
        (Size.LARGE, "3"),
        (Page.HOME, "home"),
    ],
)
def test_the_text_of_an_argument(value: object, text: str) -> None:
    """It is stable from one process to the next, and holds no colon."""
    assert key_part(value, "x") == text


@pytest.mark.parametrize(
    "value",
    [1.5, b"bytes", [1], (1,), {"a": 1}, {1}, object(), Colour, Colour.PAIR, timedelta(1), ...],
)
def test_what_has_no_stable_text_is_refused_by_name(value: object) -> None:
    """An address or an order of iteration would make a key that nobody finds again."""
    with pytest.raises(ArgumentTypeError) as caught:
        rendered("user:{user}", user=value)

    assert caught.value.argument == "user"


def test_a_number_too_large_to_be_written_is_refused_by_name() -> None:
    """Python writes no int of more than 4,300 digits."""
    with pytest.raises(InvalidArgument) as caught:
        rendered("n:{n}", n=10**5000)

    assert caught.value.argument == "n"


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("plain", "plain"),
        ("{a}", "1"),
        ("user:{a}", "user:1"),
        ("{a}:x:{b}:y", "1:x:two:y"),
        ("{b}:{a}:{b}", "two:1:two"),
        ("{{{a}}}", "{1}"),
        ("x{{y}}z:{a}", "x{y}z:1"),
        ("{a}:{{}}:{b}", "1:{}:two"),
        ("{user.tenant}:user", "acme:user"),
        ("{user.boss.tenant}:{größe}", "hq:5"),
        ("{émile}", "6"),
        ("{a}:\n{b}", "1:\ntwo"),
    ],
)
def test_a_template_and_its_key(template: str, key: str) -> None:
    """Text and arguments stand where they were written."""
    user = User("acme")
    user.boss = User("hq")

    assert rendered(template, a=1, b="two", user=user, größe=5, émile=6) == key


def test_a_template_knows_its_arguments() -> None:
    """Each once, without attributes."""
    assert KeyTemplate("{a.b}:{c}:{a}", {"a": 0, "c": 0, "d": 0}).names == {"a", "c"}


@pytest.mark.parametrize(
    ("template", "error"),
    [
        *(
            (template, InvalidArgument)
            for template in (
                *("", "x" * 8_193, "\ud800", "{", "}", "{a", "a}", "{}", "{0}", "{ a}", "{a }"),
                *("{a!r}", "{a:>5}", "{a[0]}", "{a.}", "{.a}", "{a..b}", "{a\n}", "{a.b\n}"),
                *("{a.__class__}", "{a._secret}", "{unknown}", "{unknown.a}", "{a!}", "{a:{b}}"),
                *("{a}{b}", "{a}-{b}", "{a}/x/{b}", "{a}:{b}.{a}", "{a}{{:{b}{a}"),
            )
        ),
        *((template, ArgumentTypeError) for template in (None, 7, b"user:{a}", ["{a}"])),
    ],
)
def test_a_malformed_template_is_refused(template: Any, error: type[InvalidArgument]) -> None:
    """When it is written, not when it is first used."""
    with pytest.raises(error) as caught:
        KeyTemplate(template, {"a": 0, "b": 0})

    assert caught.value.argument == "template"
    assert type(caught.value) is error


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    """Most such errors are typing errors."""
    with pytest.raises(InvalidArgument, match=r"'usr'.*: user, tenant$"):
        KeyTemplate("{usr}", {"user": 0, "tenant": 0})


@pytest.mark.parametrize("user", [None, "acme", User("acme")])
def test_a_missing_attribute_is_the_argument_s_fault(user: object) -> None:
    """The error names the argument, and the attribute that it lacks."""
    with pytest.raises(ArgumentTypeError, match="attribute 'tenant'") as caught:
        rendered("{user.boss.tenant}" if isinstance(user, User) else "{user.tenant}", user=user)

    assert caught.value.argument == "user"


texts = st.text(st.sampled_from("ab:%3A25-{}N") | st.characters(codec="utf-8"), max_size=6)
optional = st.none() | texts


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.tuples(optional, optional), st.tuples(optional, optional))
@example(("a:b", "c"), ("a", "b:c"))
@example(("a%3Ab", "c"), ("a:b", "c"))
@example((None, ""), ("None", ""))
@example((None, ""), ("%None", ""))
@example(("x-:", "y"), ("x", "-:y"))
def test_different_arguments_have_different_keys(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None]
) -> None:
    """Or one tenant would be served another one's value."""
    for template in ("{a}:{b}", "x:{a}-:-{b}", "{b}:{{{a}"):
        keys = [rendered(template, a=a, b=b) for a, b in (one, other)]

        assert (keys[0] == keys[1]) == (one == other)


def test_moments_are_told_apart() -> None:
    """A day, its midnight, and the same moment written in another zone have a key each."""
    moments = [
        date(2024, 1, 1),
        datetime(2024, 1, 1),  # noqa: DTZ001  # one without a zone
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        datetime(2024, 1, 1, microsecond=1, tzinfo=UTC),
        time(0),
    ]

    assert len({rendered("{a}", a=moment) for moment in moments}) == len(moments)

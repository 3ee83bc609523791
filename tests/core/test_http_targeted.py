"""Targeted cache control (RFC 9213)."""

from __future__ import annotations

import random
from typing import Any

import pytest

from asynccache.core.http_cache_control import CacheControl
from asynccache.core.http_targeted import targeted_control

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], None),
        ([(b"x", b"max-age=10")], CacheControl(max_age=10)),
        ([(b"X", b"max-age=10")], CacheControl(max_age=10)),
        ([(b"x", b"max-age=10"), (b"X", b"no-store")], CacheControl(max_age=10, no_store=True)),
        ([(b"y", b"no-store"), (b"x", b"max-age=1")], CacheControl(max_age=1)),
        ([(b"y", b"max-age=3")], CacheControl(max_age=3)),
        ([(b"z", b"max-age=10"), (b"cache-control", b"max-age=10")], None),
        ([(b"x", b"unknown"), (b"y", b"max-age=3")], CacheControl()),
        # Not valid, so that the next one counts:
        *(
            ([(b"x", value), (b"y", b"max-age=3")], CacheControl(max_age=3))
            for value in (b"", b" ", b"max-age=10, &&", b"MAX-AGE=10", b"max-age=10,", b"max-age=")
        ),
        ([(b"x", b"max-age=10"), (b"x", b"&")], None),
    ],
)
def test_the_first_valid_field_of_the_list_decides(
    headers: Headers, expected: CacheControl | None
) -> None:
    """And nothing that is not in it (2.2)."""
    assert targeted_control(headers, [b"x", b"y"]) == expected


def test_without_a_list_no_field_counts() -> None:
    """An application may send them for others."""
    assert targeted_control([(b"cdn-cache-control", b"max-age=5")], []) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"max-age=60, s-maxage=5", CacheControl(max_age=60, s_maxage=5)),
        (b"max-age=60;x=1, no-store;y", CacheControl(max_age=60, no_store=True)),
        (b"max-age=1, max-age=2", CacheControl(max_age=2)),
        (b"max-age=-5", CacheControl(max_age=0)),
        (b"max-age=99999999999", CacheControl(max_age=2**31)),
        (b"max-age=0", CacheControl(max_age=0)),
        (
            b"stale-while-revalidate=1, stale-if-error=2",
            CacheControl(stale_while_revalidate=1, stale_if_error=2),
        ),
        (
            b"public, must-understand, immutable, no-transform",
            CacheControl(public=True, must_understand=True, immutable=True, no_transform=True),
        ),
        (
            b"private, no-cache, must-revalidate, proxy-revalidate",
            CacheControl(private=True, no_cache=True, must_revalidate=True, proxy_revalidate=True),
        ),
        (b"only-if-cached, min-fresh=1, max-stale", CacheControl()),
        (b"max_age=1, no_store", CacheControl()),
    ],
)
def test_directives(value: bytes, expected: CacheControl) -> None:
    """Of responses, in small letters, of equal ones the last (2.1; RFC 9651, 4.2.2)."""
    assert targeted_control([(b"x", value)], [b"x"]) == expected


@pytest.mark.parametrize("value", ['"10"', "1.5", "10.0", "abc", "?1", "@10", ":aGk=:", "(10)"])
def test_seconds_are_an_integer_or_nothing(value: str) -> None:
    """What has the wrong type is ignored (2.1), unlike in Cache-Control; a date is no number."""
    for name in ("max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"):
        found = targeted_control([(b"x", f"{name}={value}, public".encode())], [b"x"])
        assert found == CacheControl(public=True)


@pytest.mark.parametrize("value", ["1", '"yes"', "yes", "?0", "()", "@1", "0", '""'])
def test_what_allows_is_a_boolean(value: str) -> None:
    """Anything else is ignored."""
    for name in ("public", "must-understand", "immutable", "no-transform"):
        assert targeted_control([(b"x", f"{name}={value}".encode())], [b"x"]) == CacheControl()


@pytest.mark.parametrize("value", ["", "=?1", "=1", '="a b"', "=()", "=@1", "=0", '=""', "=1.5"])
@pytest.mark.parametrize(
    "name", ["no-store", "no-cache", "private", "must-revalidate", "proxy-revalidate"]
)
def test_what_forbids_is_believed_unless_it_is_false(name: str, value: str) -> None:
    """Whoever wrote it did not mean the response for everybody."""
    attribute = name.replace("-", "_")
    found = targeted_control([(b"x", f"{name}{value}".encode())], [b"x"])
    only: dict[str, Any] = {attribute: True}
    assert found == CacheControl(**only)
    assert targeted_control([(b"x", f"{name}=?0".encode())], [b"x"]) == CacheControl()


@pytest.mark.parametrize("value", ['"A, b"', '"b,a,"', '"a,b";x'])
def test_qualified_directives(value: str) -> None:
    """Fields in a string, as in Cache-Control (RFC 9111, 5.2.2.4 and 5.2.2.7)."""
    found = targeted_control([(b"x", f"private={value}, no-cache=a".encode())], [b"x"])
    assert found == CacheControl(
        private_fields=frozenset({b"a", b"b"}), no_cache_fields=frozenset({b"a"})
    )


def test_random_bytes_never_raise() -> None:
    """Whatever an application sends."""
    chance = random.Random(16)
    pieces = [
        *(b"max-age", b"no-store", b"private", b"=", b"=1", b'="a"', b", ", b",", b";x", b"?0")
    ]
    for _ in range(3_000):
        value = b"".join(chance.choices(pieces, k=chance.randrange(7)))
        targeted_control([(b"x", value)], [b"x"])
        targeted_control([(b"x", chance.randbytes(chance.randrange(9)))], [b"x"])

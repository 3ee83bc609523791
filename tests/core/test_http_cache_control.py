"""``Cache-Control`` (RFC 9111, 5.2)."""

from __future__ import annotations

import random

import pytest

from asynccache.core.http_cache_control import MOST_SECONDS, CacheControl, parse_cache_control


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b""], CacheControl()),
        ([b"max-age=60"], CacheControl(max_age=60)),
        ([b"MAX-age=60"], CacheControl(max_age=60)),
        ([b'max-age="60"'], CacheControl(max_age=60)),
        ([b"max-age=060"], CacheControl(max_age=60)),
        ([b"max-age=60, max-age=0"], CacheControl(max_age=60)),
        ([b"max-age=0", b"max-age=60"], CacheControl(max_age=0)),
        ([b"max-age"], CacheControl(max_age=0)),
        ([b"max-age="], CacheControl(max_age=0)),
        ([b"max-age=-1"], CacheControl(max_age=0)),
        ([b"max-age=1.5"], CacheControl(max_age=0)),
        ([b"max-age=abc"], CacheControl(max_age=0)),
        ([b"max-age=99999999999999999999"], CacheControl(max_age=MOST_SECONDS)),
        ([b"max-age=2147483648"], CacheControl(max_age=MOST_SECONDS)),
        ([b"s-maxage=5, max-age=6"], CacheControl(s_maxage=5, max_age=6)),
        ([b"no-store"], CacheControl(no_store=True)),
        ([b"No-Store=yes"], CacheControl(no_store=True)),
        ([b"no-cache"], CacheControl(no_cache=True)),
        ([b'no-cache="A, b"'], CacheControl(no_cache_fields=frozenset({b"a", b"b"}))),
        (
            [b'no-cache="a", no-cache'],
            CacheControl(no_cache=True, no_cache_fields=frozenset({b"a"})),
        ),
        ([b"private"], CacheControl(private=True)),
        ([b'private=""'], CacheControl(private=True)),
        ([b"private=set-cookie"], CacheControl(private_fields=frozenset({b"set-cookie"}))),
        ([b'x="private, no-store"'], CacheControl()),
        ([b'x="a\\"b", no-store'], CacheControl(no_store=True)),
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
        ([b"unknown, other=1, =, a b"], CacheControl()),
        ([b"no-store;x, no-cache"], CacheControl(no_cache=True)),
    ],
)
def test_directives(lines: list[bytes], expected: CacheControl) -> None:
    """Names in any case, both forms of arguments, the first of repeated seconds."""
    assert parse_cache_control(lines) == expected


def test_random_bytes_never_raise() -> None:
    """And never make a response fresher than it is: what is no number is 0."""
    chance = random.Random(4)
    pieces = [b"max-age", b"=", b'"', b",", b"\\", b" ", b"1", b"-", b"\xff", b"private", b"no-"]
    for _ in range(3_000):
        parse_cache_control([b"".join(chance.choices(pieces, k=chance.randrange(12)))])

"""Addresses as people and servers write them."""

from __future__ import annotations

import pytest

from asynccache.core.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("h:6379", Address("h", 6379)),
        ("10.0.0.7:1", Address("10.0.0.7", 1)),
        ("[::1]:65535", Address("::1", 65_535)),
        ("2001:db8::7:6379", Address("2001:db8::7", 6379)),
        (":6380", None),
        ("h", None),
        ("h:", None),
        ("h:0", None),
        ("h:65536", None),
        ("h:-1", None),
        ("h:\u0661", None),
        ("[::1", None),
        ("[::1]x:1", None),
        ("a b:1", None),
        ("user@h:1", None),
        ("", None),
    ],
)
def test_an_address_is_read(text: str, expected: Address | None) -> None:
    """Host and port, or nothing."""
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(":6380", ("d", 6380)), ("h", ("h", 1)), ("[::1]", ("::1", 1)), ("", ("d", 1))],
)
def test_what_is_left_out_is_filled_in(text: str, expected: tuple[str, int]) -> None:
    """Where the caller knows it."""
    assert parse_address(text, host="d", port=1) == expected


@pytest.mark.parametrize("address", [Address("h", 1), Address("::1", 6379)])
def test_what_is_shown_can_be_read(address: Address) -> None:
    """An IPv6 address is shown in brackets."""
    assert parse_address(str(address)) == address

"""Which key of a command decides where it goes."""

from __future__ import annotations

from typing import Any

import pytest

from asynccache.core.routing import slot_of_command
from asynccache.core.slots import slot_of
from asynccache.errors import InvalidArgument


@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("GET", "a"), "a"),
        (("get", b"a"), "a"),
        ((b"EVALSHA", "f" * 40, 1, "a", "b"), "a"),
        ((b"publish", "channel", "message"), None),
        (("FCALL_RO", "function", 1, "a", "b"), "a"),
        (("SET", "a", b"v", "NX", "PX", 3_000), "a"),
        (("PTTL", "{a}:l"), "a"),
        (("DEL", "a"), "a"),
        (("UNLINK", "{a}1", "{a}2"), "a"),
        (("MGET", "{a}1", "{a}2"), "a"),
        (("MSET", "{a}1", "v1", "{a}2", "v2"), "a"),
        (("EVALSHA", "f" * 40, 2, "{a}:r", "{a}:l", "token", "b"), "a"),
        (("EVAL", "return 1", 1, "a", "b"), "a"),
        (("HGETALL", "a"), "a"),
        (("INCRBY", 7, 1), "7"),
        (("EVAL", "return 1", 0, "b"), None),
        (("PING",), None),
        (("SCRIPT", "LOAD", "return 1"), None),
        (("PUBLISH", "channel", "message"), None),
        (("CLUSTER", "SLOTS"), None),
        (("DBSIZE",), None),
    ],
)
def test_a_command_goes_to_its_key(command: tuple[Any, ...], key: str | None) -> None:
    """Values, options and arguments of scripts are no keys."""
    assert slot_of_command(command) == (None if key is None else slot_of(key))


@pytest.mark.parametrize(
    "command",
    [
        ("MGET", "a", "b"),
        (b"MGET", "a", "b"),
        ("DEL", "a", "b"),
        ("MSET", "a", "v", "b", "v"),
        ("EVAL", "return 1", 2, "a", "b"),
        ("EVAL", "return 1", 3, "a", "b"),
        ("EVAL", "return 1", -1, "a"),
        ("EVAL", "return 1", "1", "a"),
        ("EVAL", "return 1"),
    ],
)
def test_what_cannot_be_routed_is_refused(command: tuple[Any, ...]) -> None:
    """Keys in different slots are with different servers; and nobody guesses how many there are."""
    name = command[0].decode() if isinstance(command[0], bytes) else command[0]
    with pytest.raises(InvalidArgument, match=rf"\b{name}\b"):
        slot_of_command(command)

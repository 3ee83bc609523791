"""Scripts: sent by digest, in full when the server does not know them, in order either way."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest
from redis.exceptions import NoScriptError, ResponseError

from asynccache.redis.scripts import Script, run
from asynccache.redis.transport import Command
from tests.redis.conftest import OpenLink
from tests.support.redis_server import RedisServer

APPEND = Script("return redis.call('APPEND', KEYS[1], ARGV[1])")
COUNT = Script("return redis.call('INCRBY', KEYS[1], ARGV[1])")


class RecordingTransport:
    """A transport that answers from a list and remembers what it was asked."""

    def __init__(self, *answers: list[Any]) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[tuple[Command, ...], bool]] = []

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """Answer with the next list."""
        self.calls.append((commands, retry))
        return self.answers.pop(0)


def test_a_script_is_known_by_its_digest() -> None:
    """The digest is what SCRIPT LOAD would return."""
    script = Script("return 1")

    assert script.sha1 == hashlib.sha1(b"return 1").hexdigest()
    assert repr(script) == f"<Script {script.sha1[:8]}, 8 characters>"


async def test_a_script_is_sent_by_its_digest() -> None:
    """The text stays here; plain commands pass as they are."""
    transport = RecordingTransport([b"v", 3])

    replies = await run(transport, ("GET", "k"), (APPEND, ["a", "b"], (b"x", 7)), retry=False)

    assert replies == [b"v", 3]
    assert transport.calls == [
        ((("GET", "k"), ("EVALSHA", APPEND.sha1, 2, "a", "b", b"x", 7)), False)
    ]


async def test_an_unknown_script_is_sent_in_full_with_all_that_follows() -> None:
    """What came before it is not repeated; what comes after it must not only come before it."""
    unknown = NoScriptError("no such script")
    transport = RecordingTransport([b"OK", unknown, 1], [2, 3])

    replies = await run(transport, ("SET", "k", 1), (APPEND, ["a"], ["x"]), ("GET", "a"))

    assert replies == [b"OK", 2, 3]
    assert transport.calls[1] == (
        (("EVAL", APPEND.source, 1, "a", "x"), ("GET", "a")),
        True,
    )


async def test_another_error_is_a_reply() -> None:
    """Only an unknown script is sent again."""
    error = ResponseError("WRONGTYPE")
    transport = RecordingTransport([error])

    assert await run(transport, (APPEND, ["a"], ["x"])) == [error]
    assert len(transport.calls) == 1


@pytest.mark.integration
@pytest.mark.parametrize("forget", [["SCRIPT", "FLUSH"], ["PING"]])
async def test_scripts_survive_being_forgotten(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink, forget: Sequence[str]
) -> None:
    """After SCRIPT FLUSH the same calls have the same effect, in the same order."""
    link = await open_link(redis_url)
    await run(link, (APPEND, ["a"], ["x"]), (COUNT, ["n"], [0]))
    redis_server.command(*forget)

    replies = await run(
        link, ("SET", "a", "1"), (APPEND, ["a"], ["2"]), ("GET", "a"), (APPEND, ["a"], ["3"])
    )

    assert replies == [b"OK", 2, b"12", 3]
    assert await link.call(("GET", "a")) == [b"123"]


@pytest.mark.integration
async def test_a_single_script_that_was_forgotten_runs_once(
    redis_server: RedisServer, redis_url: str, open_link: OpenLink
) -> None:
    """An unknown script has not run, so sending it again counts once."""
    link = await open_link(redis_url)
    for count in range(1, 6):
        redis_server.command("SCRIPT", "FLUSH")
        assert await run(link, (COUNT, ["n"], [1]), retry=False) == [count]

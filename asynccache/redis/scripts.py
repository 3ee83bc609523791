"""Lua scripts: sent by their digest, and in full when the server does not know them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeAlias

from redis.exceptions import NoScriptError

from asynccache.redis.transport import Argument, Carrier, Command


class Script:
    """A Lua script.

    Args:
        source: Its text.

    Attributes:
        source: Its text.
        sha1: The digest by which the server knows it.
    """

    __slots__ = ("sha1", "source")

    def __init__(self, source: str) -> None:
        self.source = source
        # Redis's own choice of digest: it names the script and protects nothing.
        self.sha1 = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    def __repr__(self) -> str:
        return f"<Script {self.sha1[:8]}, {len(self.source)} characters>"


ScriptCall: TypeAlias = tuple[Script, Sequence[str | bytes], Sequence[Argument]]
"""A script, its KEYS and its ARGV."""


async def run(carrier: Carrier, *commands: Command | ScriptCall, retry: bool = True) -> list[Any]:
    """Send commands and script calls together and return their replies, in order.

    When the server does not know a script (it was restarted, or its scripts were flushed), that
    call and all commands after it are sent again, so that none of them takes effect only before
    a command that it follows. What follows a script must therefore bear to be done twice.

    Args:
        carrier: Carries the commands.
        *commands: Commands, and calls of scripts: ``(script, keys, arguments)``.
        retry: See `Carrier.call`. A script that must not run twice may still be sent twice: a
            script that the server does not know has not run.

    Raises:
        Unavailable: Redis cannot be asked.
    """
    replies = await carrier.call(*(_by_digest(command) for command in commands), retry=retry)
    for index, reply in enumerate(replies):
        if isinstance(reply, NoScriptError):
            rest = [_in_full(command) for command in commands[index:]]
            return replies[:index] + await carrier.call(*rest, retry=retry)
    return replies


def _by_digest(command: Command | ScriptCall) -> Command:
    if isinstance(command[0], Script):
        script, keys, arguments = command
        return ("EVALSHA", script.sha1, len(keys), *keys, *arguments)
    return command


def _in_full(command: Command | ScriptCall) -> Command:
    if isinstance(command[0], Script):
        script, keys, arguments = command
        return ("EVAL", script.source, len(keys), *keys, *arguments)
    return command

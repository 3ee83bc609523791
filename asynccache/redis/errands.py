"""One command's way through a cluster: whom to ask, and what to do with a redirection."""

from __future__ import annotations

from typing import Any

from redis.exceptions import ResponseError

from asynccache.core.addresses import Address
from asynccache.core.slots import Redirect, parse_redirect
from asynccache.redis.transport import Command


class Errand:
    """A command on its way.

    Args:
        command: The command.
        address: Whom to ask first.

    Attributes:
        command: The command.
        address: Whom to ask.
        reply: What was answered.
        is_asking: The next one to be asked does not have the slot yet: say ASKING first.
        has_to_wait: Ask again in a moment, not at once.
    """

    __slots__ = ("address", "command", "has_to_wait", "is_asking", "reply")

    def __init__(self, command: Command, address: Address) -> None:
        self.command = command
        self.address = address
        self.reply: Any = None
        self.is_asking = False
        self.has_to_wait = False

    def parts(self) -> tuple[Command, ...]:
        """Return what has to be sent, in one go."""
        return (("ASKING",), self.command) if self.is_asking else (self.command,)

    def redirected(self) -> Redirect | None:
        """Take the reply for what it is; return where it leads, None: it is an answer."""
        if not isinstance(self.reply, ResponseError):
            return None
        redirect = parse_redirect(str(self.reply), self.address)
        if redirect is None:
            return None
        self.has_to_wait = redirect.kind == "TRYAGAIN"
        self.is_asking = redirect.kind == "ASK" or (self.is_asking and self.has_to_wait)
        if redirect.address is not None:
            self.address = redirect.address
        return redirect

    def __repr__(self) -> str:
        return f"<Errand {self.command[0]!r} to {self.address}>"

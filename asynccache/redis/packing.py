"""Commands to bytes, in slices that neither fill the connection nor the server's memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import hiredis
from redis.exceptions import DataError

from asynccache.redis.transport import Command

MOST_COMMANDS: Final = 500
"""Commands in a slice: less than a millisecond of the server's time, so that whoever else uses the
connection waits no longer than that; and their replies wait in the server's memory."""

MOST_BYTES: Final = 1 << 20
"""A slice ends when it has become so large. A single command may be larger."""


class Slice(NamedTuple):
    """What is sent together, and how many replies will come."""

    data: bytes
    wanted: int


def pack_one(command: Command) -> bytes:
    """Return the bytes of one command.

    Raises:
        DataError: An argument is not a str, bytes, int or float, or cannot be encoded as UTF-8.
    """
    try:
        data: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]  # its stub says: of length 1
    except (TypeError, ValueError) as error:
        raise DataError(f"the command {command[0]!r} cannot be sent: {error}") from error
    return data


def pack(commands: Iterable[Command]) -> list[Slice]:
    """Return some commands as slices, to be sent one after the other. See `pack_one`."""
    pieces = [pack_one(command) for command in commands]
    data = b"".join(pieces)
    if 0 < len(pieces) <= MOST_COMMANDS and len(data) <= MOST_BYTES:
        return [Slice(data, len(pieces))]
    return list(_slices(pieces))


def _slices(pieces: Iterable[bytes]) -> Iterator[Slice]:
    gathered: list[bytes] = []
    size = 0
    for piece in pieces:
        gathered.append(piece)
        size += len(piece)
        if len(gathered) == MOST_COMMANDS or size >= MOST_BYTES:
            yield Slice(b"".join(gathered), len(gathered))
            gathered, size = [], 0
    if gathered:
        yield Slice(b"".join(gathered), len(gathered))

"""Which key of a command decides which server of a cluster gets it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from asynccache.core.slots import slot_of
from asynccache.errors import InvalidArgument

Argument: TypeAlias = str | bytes | int | float

_KEYLESS: Final = frozenset(
    (
        *("ACL", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "ECHO", "INFO", "LATENCY", "MEMORY"),
        *("PING", "PUBLISH", "ROLE", "SCAN", "SCRIPT", "SLOWLOG", "TIME"),
    )
)
_ALL_ARE_KEYS: Final = frozenset(("DEL", "EXISTS", "MGET", "TOUCH", "UNLINK"))
_NUMBER_OF_KEYS_SECOND: Final = frozenset(
    ("EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO")
)


def slot_of_command(command: Sequence[Argument]) -> int | None:
    """Return the slot of a command's keys; None: it has none, and anybody can be asked.

    Of commands that are not known here the first argument is taken for the only key.

    Args:
        command: Its name and its arguments.

    Raises:
        InvalidArgument: Its keys are in different slots, or cannot be found.
    """
    name = _text(command[0]).upper()
    if name in _KEYLESS or len(command) == 1:
        return None
    keys: Sequence[Argument] = command[1:2]
    if name in _ALL_ARE_KEYS:
        keys = command[1:]
    elif name == "MSET":
        keys = command[1::2]
    elif name in _NUMBER_OF_KEYS_SECOND:
        count = command[2] if len(command) > 2 else None
        if not isinstance(count, int) or not 0 <= count <= len(command) - 3:
            raise InvalidArgument("commands", f"{name} with {count!r} keys")
        keys = command[3 : 3 + count]
    slots = {slot_of(key if isinstance(key, bytes) else str(key)) for key in keys}
    if len(slots) > 1:
        raise InvalidArgument("commands", f"the keys of {name} are in {len(slots)} different slots")
    return slots.pop() if slots else None


def _text(word: Argument) -> str:
    return word.decode(errors="replace") if isinstance(word, bytes) else str(word)

"""Messages that are shown once: each a key of its own, so that none is lost to another request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

PREFIX: Final = "_flash."


class Flash(NamedTuple):
    """A message for the next page.

    Attributes:
        message: What it says.
        category: What kind it is of.
    """

    message: str
    category: str


def flash_key(milliseconds: int, mark: str) -> str:
    """Return a key that sorts by time and that no other request makes."""
    return f"{PREFIX}{milliseconds:014d}.{mark}"


def flash_keys(session: Mapping[str, Any]) -> list[str]:
    """Return the keys of all messages, the oldest first."""
    return sorted(key for key in session if key.startswith(PREFIX))


def read_flash(value: object) -> Flash | None:
    """Return a stored message; None: it is none."""
    match value:
        case [str() as message, str() as category]:
            return Flash(message, category)
    return None

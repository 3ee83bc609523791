"""Names of users and moments of sessions, as all of their parts write them."""

from __future__ import annotations

from datetime import UTC, datetime

from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument

LONGEST_FIELD = 256
"""Characters in a key of a session, and in a user's name."""


def checked_user(user_id: object) -> str:
    """Return a user's name.

    Raises:
        ArgumentTypeError: It is neither a str nor an int.
        InvalidArgument: It is empty or too long.
    """
    if isinstance(user_id, bool) or not isinstance(user_id, str | int):
        raise wrong_type("user_id", user_id, "a str or an int")
    if not 0 < len(str(user_id)) <= LONGEST_FIELD:
        raise InvalidArgument("user_id", f"must have 1 to {LONGEST_FIELD} characters")
    return str(user_id)


def moment(milliseconds: int) -> datetime:
    """Return a time in UTC from milliseconds since 1970."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

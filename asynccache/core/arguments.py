"""Checks that name the argument at fault."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from asynccache.errors import ArgumentTypeError, InvalidArgument
from asynccache.types import Duration

LONGEST_SECONDS = 10 * 365 * 86_400.0
"""Ten years: longer is a mistake of units, and Redis's own milliseconds must not overflow."""

LONGEST_TAG = 512
"""Bytes of UTF-8: a record carries its tags, and has 64 KiB for them."""

MOST_TAGS = 32
"""A record carries a token for each of its tags, and each is compared on every read."""

LARGEST_VERSION = 2**63 - 1

LONGEST_KEY = 8_192
"""Characters in a key. Long keys are hashed on their way to Redis; this bounds memory."""


def seconds(value: Duration, argument: str) -> float:
    """Return a duration in seconds.

    Args:
        value: Seconds, or a timedelta; more than zero, at most ten years.
        argument: The name to use in the error.

    Raises:
        ArgumentTypeError: It is not a number and not a timedelta.
        InvalidArgument: It is not finite, or out of range.
    """
    result = _number_of_seconds(value, argument)
    if not 0 < result <= LONGEST_SECONDS:
        raise InvalidArgument(
            argument, f"must be more than 0 and at most ten years of seconds, got {_shown(value)}"
        )
    return result


def seconds_or_zero(value: Duration, argument: str) -> float:
    """Return a duration in seconds, for which zero means "off". See `seconds`."""
    result = _number_of_seconds(value, argument)
    return 0.0 if result == 0 else seconds(value, argument)


def _number_of_seconds(value: Duration, argument: str) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(argument, value, "a number of seconds or a timedelta")
    if isinstance(value, float) and math.isnan(value):  # isnan fails for a huge int
        raise InvalidArgument(argument, "must be a number of seconds, got nan")
    return float(value) if abs(value) < 1e300 else math.inf


def fraction(value: float, argument: str) -> float:
    """Return a share between 0 and 1, 1 excluded.

    Raises:
        ArgumentTypeError: It is not a number.
        InvalidArgument: It is out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(argument, value, "a number from 0 up to, but not including, 1")
    if not 0 <= value < 1:
        raise InvalidArgument(
            argument, f"must be from 0 up to, but not including, 1, got {_shown(value)}"
        )
    return float(value)


def positive_int(value: int, argument: str) -> int:
    """Return a whole number of at least 1.

    Raises:
        ArgumentTypeError: It is not an int.
        InvalidArgument: It is less than 1.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(argument, value, "a whole number")
    if value < 1:
        raise InvalidArgument(argument, f"must be at least 1, got {_shown(value)}")
    return value


def checked_key(key: object, argument: str = "key") -> str:
    """Return a key as it is.

    Raises:
        ArgumentTypeError: It is not a str.
        InvalidArgument: It is empty, too long, or cannot be encoded as UTF-8.
    """
    if not isinstance(key, str):
        raise wrong_type(argument, key, "a str; build it with an f-string or a key template")
    if not key:
        raise InvalidArgument(argument, "must not be empty")
    if len(key) > LONGEST_KEY:
        raise InvalidArgument(argument, f"must be at most {LONGEST_KEY} characters, got {len(key)}")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(
            argument, "must be encodable as UTF-8 (it holds a lone surrogate)"
        ) from None
    return key


def checked_callable(value: object, argument: str, expected: str) -> None:
    """Check that a value can be called.

    Raises:
        ArgumentTypeError: It cannot.
    """
    if not callable(value):
        raise wrong_type(argument, value, expected)


def wrong_type(argument: str, value: Any, expected: str) -> ArgumentTypeError:
    """Build the error for a value of the wrong type; it names the type, never the value."""
    return ArgumentTypeError(argument, f"must be {expected}, got {type(value).__qualname__}")


def _shown(value: object) -> str:
    # Python refuses to write out an int of more than 4,300 digits.
    huge = isinstance(value, int) and value.bit_length() > 128
    return "a huge number" if huge else repr(value)


def checked_tags(tags: Iterable[str], argument: str = "tags") -> tuple[str, ...]:
    """Return tags, each once.

    Raises:
        ArgumentTypeError: They are not several str.
        InvalidArgument: One is empty or too long, or there are too many.
    """
    if isinstance(tags, str) or not isinstance(tags, Iterable):
        raise wrong_type(argument, tags, "several str, in a list or another iterable")
    checked = tuple(dict.fromkeys(tags))
    for tag in checked:
        if not isinstance(tag, str):
            raise wrong_type(argument, tag, "a str in each place")
        checked_key(tag, argument)
        if len(tag.encode()) > LONGEST_TAG:
            raise InvalidArgument(argument, f"a tag must have at most {LONGEST_TAG} bytes of UTF-8")
    if len(checked) > MOST_TAGS:
        raise InvalidArgument(argument, f"must be at most {MOST_TAGS}, got {len(checked)}")
    return checked


def checked_keys(keys: Iterable[str]) -> list[str]:
    """Return keys, each once.

    Raises:
        ArgumentTypeError: They are not several str.
        InvalidArgument: One is empty or too long.
    """
    if isinstance(keys, str) or not isinstance(keys, Iterable):
        raise wrong_type("keys", keys, "several str, in a list or another iterable")
    return list(dict.fromkeys(checked_key(key, "keys") for key in keys))


def checked_version(version: int) -> int:
    """Return a version as it is.

    Raises:
        ArgumentTypeError: It is not a whole number.
        InvalidArgument: It is out of range.
    """
    if isinstance(version, bool) or not isinstance(version, int):
        raise wrong_type("version", version, "a whole number")
    if not 0 < version <= LARGEST_VERSION:
        raise InvalidArgument("version", "must be from 1 to 2**63 - 1")
    return version

"""Key templates: ``"user:{user_id}"`` and a call's arguments to a key.

Different arguments have to give different keys, or one caller would get another one's value. So a
colon inside a str is escaped, fields are parted by colons, None has a text that no str has, and an
object without a stable text (whose ``repr`` is an address) is refused. Values of two types that are
written alike, such as ``7`` and ``"7"``, share a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from string import Formatter
from typing import Any
from uuid import UUID

from asynccache.core.arguments import checked_key, wrong_type
from asynccache.errors import InvalidArgument

_TO_ESCAPE = re.compile(r"[%:]")
_FIELD = re.compile(r"[^\W\d]\w*(\.[^\W\d_]\w*)*")
_NONE = "%None"
"""Not the text of any str: there, a percent sign is followed by two digits."""


def key_part(value: object, argument: str) -> str:
    """Return an argument's text in a key.

    Args:
        value: A str, int, bool, UUID, date, datetime, time, Decimal, Enum member or None.
        argument: Its name, for the error.

    Raises:
        ArgumentTypeError: It has another type.
        InvalidArgument: It is an int of thousands of digits.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return _TO_ESCAPE.sub(lambda match: f"%{ord(match.group()):02X}", value)
    if isinstance(value, date | time):  # a datetime is a date
        return key_part(value.isoformat(), argument)
    if value is None:
        return _NONE
    if isinstance(value, int | UUID | Decimal):
        try:
            return str(value)
        except ValueError:  # Python refuses to write out an int of more than 4,300 digits
            raise InvalidArgument(argument, "is too large a number for a key") from None
    raise wrong_type(
        argument,
        value,
        "a str, int, bool, UUID, date, time, Decimal, Enum or None to be part of a key",
    )


class KeyTemplate:
    """A compiled template.

    Args:
        template: Text with ``{argument}`` or ``{argument.attribute}`` in it.
        names: The names that a field may begin with.

    Raises:
        ArgumentTypeError: It is not a str.
        InvalidArgument: It is empty, too long, or malformed; it names something that is not an
            argument; or there is no colon between two of its fields.
    """

    __slots__ = ("_fields", "_last", "template")

    def __init__(self, template: str, names: Mapping[str, object]) -> None:
        if not isinstance(template, str):
            raise wrong_type("template", template, "a str such as 'user:{user_id}'")
        self.template = checked_key(template, "template")
        # Each field with the literal text before it; then the text after the last one.
        self._fields: list[tuple[str, str, tuple[str, ...]]] = []
        try:
            parsed = list(Formatter().parse(template))
        except ValueError as error:
            raise InvalidArgument("template", f"{template!r}: {error}") from None
        literal = ""
        for text, field, spec, conversion in parsed:
            literal += text  # a doubled brace ends a text too
            if field is None:
                continue
            if not _FIELD.fullmatch(field) or spec or conversion:
                raise InvalidArgument(
                    "template",
                    f"{template!r}: a field is {{argument}} or {{argument.attribute}}, "
                    f"got {field!r}",
                )
            name, *attributes = field.split(".")
            if name not in names:
                known = ", ".join(names) or "none"
                raise InvalidArgument(
                    "template", f"{template!r} names {name!r}; the function's arguments: {known}"
                )
            if self._fields and ":" not in literal:
                raise InvalidArgument(
                    "template",
                    f"{template!r}: put a colon before {{{field}}}: any other text could be part "
                    "of an argument, and different arguments would share a key",
                )
            self._fields.append((literal, name, tuple(attributes)))
            literal = ""
        self._last = literal

    @property
    def names(self) -> frozenset[str]:
        """The arguments that the key depends on."""
        return frozenset(name for _, name, _ in self._fields)

    def render(self, arguments: Mapping[str, Any]) -> str:
        """Return the key for a call's arguments.

        Raises:
            ArgumentTypeError: An argument has no stable text, or lacks an attribute.
        """
        parts: list[str] = []
        for literal, name, attributes in self._fields:
            value = arguments[name]
            for attribute in attributes:
                try:
                    value = getattr(value, attribute)
                except AttributeError as error:
                    expected = f"an object with an attribute {attribute!r}"
                    raise wrong_type(name, value, expected) from error
            parts += (literal, key_part(value, name))
        return "".join((*parts, self._last))

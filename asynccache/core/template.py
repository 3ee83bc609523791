"""Key templates: ``"user:{user_id}"`` and a call's arguments to a key.

Different arguments have to give different keys, so a colon inside a str is escaped, and an object
without a stable text (whose ``repr`` is an address) is refused.
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

from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument

_TO_ESCAPE = re.compile(r"[%:]")
_FIELD = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z]\w*)*")


def key_part(value: object, argument: str) -> str:
    """Return an argument's text in a key.

    Args:
        value: A str, int, bool, UUID, date, datetime, time, Decimal, Enum member or None.
        argument: Its name, for the error.

    Raises:
        ArgumentTypeError: It has another type.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return _TO_ESCAPE.sub(lambda match: f"%{ord(match.group()):02X}", value)
    if isinstance(value, date | time):  # a datetime is a date
        return key_part(value.isoformat(), argument)
    if value is None or isinstance(value, int | UUID | Decimal):
        return str(value)
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
        InvalidArgument: It is empty, malformed, or names something that is not an argument.
    """

    __slots__ = ("_fields", "_literals", "template")

    def __init__(self, template: str, names: Mapping[str, object]) -> None:
        if not isinstance(template, str):
            raise wrong_type("template", template, "a str such as 'user:{user_id}'")
        self.template = template
        self._literals: list[str] = []
        self._fields: list[tuple[str, tuple[str, ...]]] = []
        try:
            parsed = list(Formatter().parse(template))
        except ValueError as error:
            raise InvalidArgument("template", f"{template!r}: {error}") from None
        for literal, field, spec, conversion in parsed:
            self._literals.append(literal)
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
            self._fields.append((name, tuple(attributes)))
        if not template:
            raise InvalidArgument("template", "must not be empty")

    @property
    def names(self) -> frozenset[str]:
        """The arguments that the key depends on."""
        return frozenset(name for name, _ in self._fields)

    def render(self, arguments: Mapping[str, Any]) -> str:
        """Return the key for a call's arguments.

        Raises:
            ArgumentTypeError: An argument has no stable text.
        """
        parts: list[str] = []
        for index, literal in enumerate(self._literals):
            parts.append(literal)
            if index < len(self._fields):
                name, attributes = self._fields[index]
                value = arguments[name]
                for attribute in attributes:
                    value = getattr(value, attribute)
                parts.append(key_part(value, name))
        return "".join(parts)

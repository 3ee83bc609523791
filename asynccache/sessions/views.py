"""A session as an object with types: a dataclass, or a pydantic model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, TypeVar

from asynccache.core.arguments import wrong_type

T = TypeVar("T")


class View:
    """An object made of a session's values, whose changes go back there.

    Args:
        model: The object.
        names: Its fields.
        before: What they were worth when it was made, as JSON values.
    """

    __slots__ = ("_before", "_names", "model")

    def __init__(self, model: object, names: tuple[str, ...]) -> None:
        self.model = model
        self._names = names
        self._before = self._values()

    def changes(self) -> dict[str, Any]:
        """Return the fields that have changed since, and are from now on what they are."""
        now = self._values()
        changed = {
            name: value
            for name, value in now.items()
            if name not in self._before or value != self._before[name]
        }
        self._before = now
        return changed

    def _values(self) -> dict[str, Any]:
        if not is_pydantic(type(self.model)):
            # Copied: what is changed in place has to differ from what it was.
            return {name: _copied(getattr(self.model, name)) for name in self._names}
        model: Any = self.model
        dumped: dict[str, Any] = model.model_dump(mode="json", include=set(self._names))
        return dumped


def view_of(type_: type[T], session: Mapping[str, Any]) -> tuple[T, View]:
    """Return an object made of a session's values, and what watches over it.

    Args:
        type_: A dataclass or a pydantic model; fields without a default must be in the session.
        session: The values.

    Raises:
        ArgumentTypeError: It is neither.
        ValueError: The session's values are none of it.
    """
    if is_pydantic(type_):
        kind: Any = type_
        names = tuple(kind.model_fields)
        model = kind.model_validate({name: session[name] for name in names if name in session})
    elif is_dataclass(type_):
        names = tuple(each.name for each in fields(type_) if each.init)
        given = {name: _copied(session[name]) for name in names if name in session}
        missing = [
            each.name
            for each in fields(type_)
            if each.init
            and each.name not in given
            and each.default is MISSING
            and each.default_factory is MISSING
        ]
        if missing:
            raise ValueError(f"the session has no {', '.join(missing)}")
        model = type_(**given)
    else:
        raise wrong_type("type_", type_, "a dataclass or a pydantic model")
    return model, View(model, names)


def is_pydantic(type_: object) -> bool:
    """Tell whether it is a model of pydantic, which need not be installed."""
    return hasattr(type_, "model_validate") and hasattr(type_, "model_fields")


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value

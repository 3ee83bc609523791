"""The classes that a type hint speaks of, through its arguments and through their fields."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Annotated, Any, Literal, get_args, get_origin

_WITH_FIELDS = ("__dataclass_fields__", "_fields", "model_fields", "__struct_fields__", "__total__")
"""Dataclass, NamedTuple, pydantic model, msgspec Struct, TypedDict."""

_STANDS_FOR = ("__value__", "__supertype__", "__bound__", "__constraints__")
"""What a type alias, a NewType and a TypeVar stand for."""


def classes_in(hint: object) -> Iterator[type]:
    """Yield each class once, in no particular order.

    What cannot be resolved, such as a name imported under ``TYPE_CHECKING`` only, is passed over.

    Args:
        hint: Any type hint; anything that is none yields nothing.
    """
    pending: list[object] = [hint]
    seen: dict[int, object] = {}  # holds them, or an id could come back as another object's
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen[id(part)] = part
        if isinstance(part, type) and get_origin(part) is None:
            yield part
            pending.extend(_field_hints(part))
        else:
            pending.extend(_parts(part))


def _parts(hint: object) -> Iterable[object]:
    origin = get_origin(hint)
    if origin is Annotated:
        return get_args(hint)[:1]
    if origin is Literal:
        return [type(value) for value in get_args(hint)]
    if origin is not None:
        return [origin, *get_args(hint)]
    if isinstance(hint, list | tuple):
        return hint
    return _stands_for(hint)


def _stands_for(hint: object) -> Iterator[object]:
    for attribute in _STANDS_FOR:
        # An alias is evaluated when it is first asked, and may name what is not there.
        with suppress(Exception):
            yield getattr(hint, attribute)


def _field_hints(type_: type) -> Iterator[object]:
    if not any(hasattr(type_, attribute) for attribute in _WITH_FIELDS):
        return
    # Only pydantic has resolved the type variables of its generic models.
    models: Any = getattr(type_, "model_fields", None)
    if isinstance(models, dict):
        yield from (getattr(field, "annotation", None) for field in models.values())
    for base in type_.__mro__:
        names = {**vars(sys.modules.get(base.__module__, object)), base.__name__: base}
        for annotation in _annotations(base):
            # One by one: a single name that cannot be resolved must not hide the other fields.
            with suppress(Exception):
                holder = SimpleNamespace(__annotations__={"field": annotation})
                yield typing.get_type_hints(holder, dict(vars(base)), names)["field"]


def _annotations(base: type) -> Iterable[object]:
    # Python 3.14 evaluates them when they are asked for.
    with suppress(NameError):
        return list(getattr(base, "__annotations__", {}).values())
    return []

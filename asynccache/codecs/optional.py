"""Classes of libraries that may not be installed: pydantic and msgspec.

Nothing is imported here. Who has a class of theirs has imported them, so ``sys.modules`` tells.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

from asynccache.errors import InvalidArgument

Ways: TypeAlias = tuple[Callable[[Any], object], Callable[[Any], Any]]
"""To parts, and back."""


def is_model(type_: type) -> bool:
    """Tell whether a class is a pydantic model."""
    return _is_subclass(type_, "pydantic.main", "BaseModel")


def is_url(type_: type) -> bool:
    """Tell whether a class is one of pydantic's URL types."""
    return _is_subclass(type_, "pydantic.networks", "AnyUrl")


def is_struct(type_: type) -> bool:
    """Tell whether a class is a msgspec Struct."""
    return _is_subclass(type_, "msgspec", "Struct")


def is_unset(type_: type) -> bool:
    """Tell whether a class is that of ``msgspec.UNSET``."""
    return _is_subclass(type_, "msgspec", "UnsetType")


def _is_subclass(type_: type, module: str, name: str) -> bool:
    base = getattr(sys.modules.get(module), name, None)
    return isinstance(base, type) and issubclass(type_, base)


def unset_ways(type_: type) -> Ways:
    """Return how ``msgspec.UNSET`` is written and read: it is alone in its class."""
    return (lambda _: None), (lambda _: type_())


def model_ways(type_: Any) -> Ways:
    """Return how a pydantic model is taken apart and put together.

    The fields are kept as they are, not as ``model_dump`` shows them: it leaves out what is
    excluded, adds what is computed, and turns nested instances into dicts. They come back through
    ``model_validate``, so validators run again and have to accept what they returned. Which fields
    were set is kept; private attributes are not.

    Raises:
        InvalidArgument: pydantic is too old to validate by the names of fields.
    """
    if "by_name" not in inspect.signature(type_.model_validate).parameters:
        raise InvalidArgument("type_", "pydantic models need pydantic 2.11 or newer")
    is_root = getattr(type_, "__pydantic_root_model__", False)

    def encode(value: Any) -> list[object]:
        state = vars(value)
        fields = {name: state[name] for name in type_.model_fields if name in state}
        unset = [name for name in fields if name not in value.model_fields_set]
        return [fields, value.model_extra, unset]

    def decode(data: Any) -> Any:
        fields, extra, unset = data
        known = {name: fields[name] for name in type_.model_fields if name in fields}
        if extra and type_.model_config.get("extra") == "allow":
            known = {**extra, **known}
        value = type_.model_validate(
            known["root"] if is_root else known, by_name=True, by_alias=False
        )
        value.model_fields_set.difference_update(unset)
        return value

    return encode, decode

"""How instances of each kind of class are taken apart and put together again."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, Flag
from typing import Any

from asynccache.codecs import optional
from asynccache.errors import DecodeError, InvalidArgument

_PLAIN = frozenset({type(None), bool, int, float, str, bytes})

_BUILTIN_CONTENT = (
    *(int, float, complex, str, bytes, bytearray, memoryview),
    *(list, dict, tuple, set, frozenset),
)

_OWN_WAY = (
    "register it with encode= and decode=, functions to and from something that can be encoded"
)


@dataclasses.dataclass(frozen=True, slots=True)
class Adapter:
    """A way to take apart the instances of one class, and to put them together.

    Attributes:
        encode: Returns what the codec then encodes.
        decode: Gets that back, or anything at all if the bytes are hostile. It may raise whatever
            it likes; the codec makes a ``DecodeError`` of it.
    """

    encode: Callable[[Any], object]
    decode: Callable[[Any], Any]


def adapter_for(type_: type) -> Adapter:
    """Choose the adapter of a class.

    Raises:
        InvalidArgument: There is none; the message says what to do.
    """
    # An Enum may have dataclass values, a NamedTuple is a tuple: the order matters.
    if issubclass(type_, Enum):
        return _enum_adapter(type_)
    if optional.is_model(type_):
        return Adapter(*optional.model_ways(type_))
    if optional.is_struct(type_):
        names = type_.__struct_fields__  # type: ignore[attr-defined]  # is_struct says so
        return _fields_adapter(type_, names)
    if optional.is_unset(type_):
        return Adapter(*optional.unset_ways(type_))
    if optional.is_url(type_):
        return Adapter(str, type_)
    if issubclass(type_, tuple) and hasattr(type_, "_fields"):
        return _fields_adapter(type_, type_._fields)
    if issubclass(type_, _BUILTIN_CONTENT):
        raise InvalidArgument(
            "type_", f"{type_.__qualname__} holds more than its fields; {_OWN_WAY}"
        )
    if dataclasses.is_dataclass(type_):
        return _dataclass_adapter(type_)
    raise InvalidArgument(
        "type_",
        f"{type_.__qualname__} is not a dataclass, NamedTuple, Enum, pydantic model or "
        f"msgspec Struct; {_OWN_WAY}",
    )


def _fields_adapter(type_: type, names: tuple[str, ...]) -> Adapter:
    _check_constructor(type_, names)

    def encode(value: object) -> dict[str, object]:
        return {name: getattr(value, name) for name in names}

    def decode(data: object) -> Any:
        return type_(**_present(data, names))

    return Adapter(encode, decode)


def _dataclass_adapter(type_: type) -> Adapter:
    fields = dataclasses.fields(type_)
    given = tuple(field.name for field in fields if field.init)
    derived = tuple(field.name for field in fields if not field.init)
    base = _fields_adapter(type_, given)
    if not derived:
        return base
    names = given + derived
    # A frozen class refuses the ordinary way, and one with a __setattr__ of its own wants it.
    frozen = type_.__dataclass_params__.frozen  # type: ignore[attr-defined]  # it is a dataclass
    assign = object.__setattr__ if frozen else setattr

    def encode(value: object) -> dict[str, object]:
        return {name: getattr(value, name) for name in names}

    def decode(data: object) -> Any:
        value = base.decode(data)
        for name, part in _present(data, derived).items():
            assign(value, name, part)
        return value

    return Adapter(encode, decode)


def _enum_adapter(type_: type[Enum]) -> Adapter:
    by_value = issubclass(type_, Flag) or all(_is_found_again(member.value) for member in type_)

    # A one-entry dict says which way it was written, so that the choice may change.
    def encode(member: Enum) -> dict[str, object]:
        return {"value": member.value} if by_value else {"name": member.name}

    def decode(data: object) -> Enum:
        parts = _present(data, ("value", "name"))
        return type_(parts["value"]) if "value" in parts else type_[parts["name"]]

    return Adapter(encode, decode)


def _is_found_again(value: object) -> bool:
    return type(value) in _PLAIN and not (isinstance(value, float) and math.isnan(value))


def _present(data: object, names: Iterable[str]) -> Mapping[str, Any]:
    """Return those of the named fields that are there; what is unknown is left out."""
    if type(data) is not dict:
        raise DecodeError("payload: an instance's fields are not a dict")
    return {name: data[name] for name in names if name in data}


def _check_constructor(type_: type, names: Iterable[str]) -> None:
    """Check that a class can be called with exactly its fields, as keyword arguments."""
    expected = set(names)
    accepted: set[str] = set()
    open_ended = False
    try:
        parameters = inspect.signature(type_).parameters.values()
    except (TypeError, ValueError) as error:
        raise InvalidArgument(
            "type_", f"the constructor of {type_.__qualname__} has no signature; {_OWN_WAY}"
        ) from error
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            open_ended = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            accepted.add(parameter.name)
    wrong = accepted - expected if open_ended else accepted ^ expected
    if wrong:
        raise InvalidArgument(
            "type_",
            f"the constructor of {type_.__qualname__} does not take exactly its fields, see "
            f"{', '.join(sorted(wrong))} (an InitVar, or an __init__ of its own?); {_OWN_WAY}",
        )

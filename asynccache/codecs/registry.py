"""Which types a codec may take apart and put together, and under which names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar, get_origin

from asynccache.codecs.adapters import Adapter, adapter_for
from asynccache.codecs.extensions import TO_BYTES
from asynccache.codecs.hints import classes_in
from asynccache.core.arguments import checked_callable, wrong_type
from asynccache.errors import InvalidArgument

T = TypeVar("T")

LONGEST_NAME = 255
"""Characters in a name; it is written with every instance."""

NATIVE = frozenset(
    {type(None), bool, int, float, complex, str, bytes, bytearray, memoryview}
    | {list, dict, tuple, set, frozenset, *TO_BYTES}
)
"""Types that a codec handles, or refuses, by itself: a registration would be ignored."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A type, its name in stored bytes, and its adapter."""

    type_: type
    name: str
    adapter: Adapter


class TypeRegistry:
    """The types whose instances a codec stores, by type and by name.

    Stored bytes name a type; the name is looked up here and nowhere else, and nothing is imported.
    """

    __slots__ = ("by_name", "by_type")

    def __init__(self) -> None:
        self.by_type: dict[type, Registration] = {}
        self.by_name: dict[str, Registration] = {}

    def register(
        self,
        type_: type[T],
        *,
        name: str | None = None,
        encode: Callable[[T], object] | None = None,
        decode: Callable[[Any], T] | None = None,
    ) -> type[T]:
        """Make a type known, and the types of its fields as far as they can be.

        Dataclasses, NamedTuples, Enums, pydantic models and msgspec Structs need nothing more: they
        are stored by the names of their fields and put together by their constructor or validator,
        which checks what it always checks. So fields may be added with a default, and removed.
        What is no field (an ``InitVar``, a private attribute) is not stored. Any other type needs
        ``encode`` and ``decode``.

        Registering a type again replaces how it is written; a former name can still be read.

        Args:
            type_: The class; exactly its own instances, not those of its subclasses.
            name: What stored bytes call it; None: its module and qualified name.
            encode: Turns an instance into something that the codec can encode.
            decode: Turns that back into an instance; it gets untrusted data.

        Returns:
            The class itself, so that the method is a decorator.

        Raises:
            ArgumentTypeError: An argument has the wrong type.
            InvalidArgument: The class cannot be taken apart without ``encode`` and ``decode``, the
                codec handles it by itself, or the name belongs to another class.
        """
        _check_class(type_)
        name = _default_name(type_) if name is None else _checked_name(name)
        holder = self.by_name.get(name)
        if holder is not None and holder.type_ is not type_:
            raise InvalidArgument(
                "name", f"{name!r} is the name of another class already; give this one its own"
            )
        adapter = adapter_for(type_) if encode is None and decode is None else None
        self._add(Registration(type_, name, adapter or _own_adapter(encode, decode)))
        if adapter is not None:
            self.register_hint(type_)
        return type_

    def register_hint(self, hint: object) -> None:
        """Make known the types in a type hint, and the types of their fields.

        It never raises and changes no registration: a class that it cannot register stays unknown,
        and the error comes when an instance is encoded.

        Args:
            hint: A class, or ``list[User]``, ``User | None``, ``Annotated[...]`` and the like.
        """
        for found in classes_in(hint):
            name = _default_name(found)
            if found not in NATIVE and found not in self.by_type and name not in self.by_name:
                with suppress(InvalidArgument):
                    self._add(Registration(found, name, adapter_for(found)))

    def _add(self, registration: Registration) -> None:
        self.by_type[registration.type_] = registration
        self.by_name[registration.name] = registration

    def __repr__(self) -> str:
        return f"<TypeRegistry: {len(self.by_type)} types>"


def _check_class(type_: object) -> None:
    if not isinstance(type_, type) or get_origin(type_) is not None:
        raise wrong_type("type_", type_, "a class")
    if type_ in NATIVE:
        raise InvalidArgument("type_", f"the codec handles {type_.__name__} by itself")


def _default_name(type_: type) -> str:
    return f"{type_.__module__}.{type_.__qualname__}"


def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise wrong_type("name", name, "a str")
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise InvalidArgument(
            "name", f"must be 1 to {LONGEST_NAME} printable characters, got {name!r:.100}"
        )
    return name


def _own_adapter(
    encode: Callable[[Any], object] | None, decode: Callable[[Any], Any] | None
) -> Adapter:
    if encode is None or decode is None:
        missing = "encode" if encode is None else "decode"
        raise InvalidArgument(missing, "encode and decode belong together: give both or neither")
    checked_callable(encode, "encode", "a function of the instance")
    checked_callable(decode, "decode", "a function of what encode returned")
    return Adapter(encode, decode)

"""What one version of an application stored, another one reads."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

from asynccache.codecs import MsgpackCodec
from asynccache.errors import DecodeError


def codec_of(*types: type) -> MsgpackCodec:
    codec = MsgpackCodec()
    for type_ in types:
        codec.register(type_)
    return codec


def version(fields: dict[str, Any], **defaults: Any) -> type:
    """Make a dataclass called ``app.Item``, as one version of an application has it."""
    namespace = {"__annotations__": fields, "__module__": "app", **defaults}
    return dataclass(type("Item", (), namespace))


# Under names that no checker follows: it wants the name of a class to be that of its variable.
make_tuple: Any = namedtuple
make_enum: Any = Enum


def evolved(old: type, new: type, *args: Any) -> Any:
    return codec_of(new).decode(codec_of(old).encode(old(*args)))


def test_a_field_added_with_a_default_is_filled_in() -> None:
    """A record of the former version is read by the next one."""
    result = evolved(version({"id": int}), version({"id": int, "name": str}, name="-"), 7)

    assert (result.id, result.name) == (7, "-")


def test_a_removed_field_is_ignored() -> None:
    """A record of the next version is read by the former one, while both run."""
    result = evolved(version({"id": int, "name": str}), version({"id": int}), 7, "Ada")

    assert vars(result) == {"id": 7}


def test_fields_are_matched_by_name() -> None:
    """Their order in the class may change."""
    old, new = version({"a": int, "b": int}), version({"b": int, "a": int})

    assert vars(evolved(old, new, 1, 2)) == {"a": 1, "b": 2}


def test_a_field_added_without_a_default_is_a_decode_error() -> None:
    """What cannot be put together is a miss, and is loaded anew."""
    with pytest.raises(DecodeError, match=r"app\.Item cannot be put together \(TypeError\)"):
        evolved(version({"id": int}), version({"id": int, "name": str}), 7)


def test_a_named_tuple_evolves_likewise() -> None:
    """Fields of a NamedTuple are matched by name too."""
    old = make_tuple("Item", ["b", "a", "gone"])
    new = make_tuple("Item", ["a", "b", "c"], defaults=["new"])

    assert evolved(old, new, 2, 1, 0) == new(1, 2, "new")


def test_an_enum_member_may_be_renamed_or_reordered() -> None:
    """Members with plain values are stored by value."""
    old = make_enum("Size", {"SMALL": "s", "LARGE": "l"})
    new = make_enum("Size", {"BIG": "l", "SMALL": "s"})
    codec = codec_of(new)

    assert codec.decode(codec_of(old).encode(old["LARGE"])) is new["BIG"]


def test_an_enum_of_other_values_is_stored_by_name() -> None:
    """What a value cannot tell, the name does; either form is read, whatever is written now."""
    old = make_enum("Size", {"SMALL": (1, 2)})
    new = make_enum("Size", {"SMALL": 1})
    codec = codec_of(new)

    assert codec.decode(codec_of(old).encode(old["SMALL"])) is new["SMALL"]

"""Any class can be registered with functions of one's own."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from asynccache.codecs import MsgpackCodec
from asynccache.errors import EncodeError


@dataclass(frozen=True, slots=True)
class Point:
    x: int


class Fraction:
    gone: int

    def __init__(self, top: int, bottom: int) -> None:
        self.top, self.bottom = top, bottom


def make_half(data: object) -> Fraction:
    return Fraction(1, 2)


def test_any_class_can_be_registered_with_functions() -> None:
    """A class of no known kind is stored as what its functions say."""
    codec = MsgpackCodec()
    codec.register(
        Fraction,
        encode=lambda value: (value.top, value.bottom),
        decode=lambda data: Fraction(*data),
    )
    codec.register(OrderedDict, encode=lambda value: list(value.items()), decode=OrderedDict)
    codec.register(PurePosixPath, encode=str, decode=PurePosixPath)
    half, ordered, path = codec.decode(
        codec.encode([Fraction(1, 2), OrderedDict(b=1, a=2), PurePosixPath("/a")])
    )

    assert (half.top, half.bottom) == (1, 2)
    assert type(ordered) is OrderedDict
    assert ordered == OrderedDict(b=1, a=2)
    assert path == PurePosixPath("/a")


def test_a_function_that_fails_is_an_encode_error() -> None:
    """A broken ``encode``, or a field that was never set, is refused like an unknown type."""
    codec = MsgpackCodec()
    codec.register(Fraction, encode=lambda value: value.gone, decode=lambda data: Fraction(*data))
    codec.register(Point)
    for broken in (Fraction(1, 2), object.__new__(Point)):
        with pytest.raises(
            EncodeError, match="taking it apart failed with AttributeError"
        ) as caught:
            codec.encode([broken])

        assert caught.value.value_type is type(broken)


def test_a_function_that_returns_the_instance_ends() -> None:
    """An ``encode`` that goes in circles is nested too deep."""
    codec = MsgpackCodec()
    codec.register(Fraction, encode=lambda value: value, decode=lambda data: data)

    with pytest.raises(EncodeError, match="nested too deep"):
        codec.encode(Fraction(1, 2))


def test_a_function_may_use_the_codec_itself() -> None:
    """An ``encode`` that encodes, and a ``decode`` that decodes, disturb nothing around them."""
    codec = MsgpackCodec()
    codec.register(
        Fraction,
        encode=lambda value: codec.encode([value.top, value.bottom]),
        decode=lambda data: Fraction(*codec.decode(data)),
    )
    halves = codec.decode(codec.encode([1, Fraction(1, 2), (Fraction(3, 4), 5)]))

    assert (halves[0], halves[1].bottom, halves[2][0].top, halves[2][1]) == (1, 2, 3, 5)


def test_an_encode_error_inside_a_function_names_the_inner_type() -> None:
    """The type at fault is the one that has to be registered."""
    codec = MsgpackCodec()
    codec.register(Fraction, encode=lambda value: codec.encode(object()), decode=make_half)

    with pytest.raises(EncodeError) as caught:
        codec.encode(Fraction(1, 2))

    assert caught.value.value_type is object

"""Values may be nested so deep and no deeper, in both directions, and overrun no stack."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from asynccache.codecs import MsgpackCodec
from asynccache.codecs.extensions import DEEPEST
from asynccache.codecs.packing import MOST_NESTED
from asynccache.errors import EncodeError


def nested(kind: type, depth: int) -> Any:
    value: Any = None
    for _ in range(depth):
        value = {"": value} if kind is dict else kind([value])
    return value


def self_containing_list() -> object:
    value: list[object] = []
    value.append([value])
    return value


def self_containing_dict() -> object:
    value: dict[str, object] = {}
    value["self"] = value
    return value


def self_containing_through_a_tuple() -> object:
    value: list[object] = []
    value.append((1, value))
    return value


@pytest.mark.parametrize(
    "value",
    [
        self_containing_list(),
        self_containing_dict(),
        self_containing_through_a_tuple(),
        nested(list, 5_000),
        nested(dict, 5_000),
        nested(tuple, DEEPEST + 1),
        nested(frozenset, DEEPEST + 1),
    ],
    ids=["list", "dict", "tuple", "deep list", "deep dict", "deep tuple", "deep frozenset"],
)
def test_what_is_nested_too_deep_is_refused(value: object) -> None:
    """A value that contains itself, or nearly so, is an error like any other."""
    with pytest.raises(EncodeError, match="nested too deep, or contains itself"):
        MsgpackCodec().encode(value)


@pytest.mark.parametrize(
    ("kind", "depth"), [(list, 500), (dict, 500), (tuple, DEEPEST), (frozenset, DEEPEST)]
)
def test_what_is_nested_within_the_limit_comes_back(kind: type, depth: int) -> None:
    """Whatever the codec encodes, it decodes: both ways have one limit."""
    codec = MsgpackCodec()
    value = nested(kind, depth)

    assert codec.decode(codec.encode(value)) == value


def test_the_deepest_value_overruns_no_stack() -> None:
    """Both limits together, lists inside tuples inside lists, fit a quarter of the usual stack."""
    script = """if True:
        import threading
        from asynccache.codecs import MsgpackCodec
        from asynccache.errors import EncodeError

        def work():
            outermost = value = []
            for _ in range(500):
                value = [value]
            outermost.append((value,))
            try:
                MsgpackCodec().encode(value)
            except EncodeError:
                print("refused")

        threading.stack_size(2_097_152)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "refused\n")


@pytest.mark.parametrize(
    ("tuples", "lists", "permitted"),
    [
        (4, 500, True),
        (5, MOST_NESTED - 1, True),
        (5, MOST_NESTED, False),
        (5, 500, False),
        (DEEPEST, 500, False),
    ],
)
def test_deep_inside_extensions_fewer_lists_are_permitted(
    tuples: int, lists: int, permitted: bool
) -> None:
    """The limit inside the first extensions is the C library's, and ours inside deeper ones."""
    codec = MsgpackCodec()
    value: object = nested(list, lists)
    for _ in range(tuples):
        value = (value, nested(dict, 3))
    if permitted:
        assert codec.decode(codec.encode(value)) == value
    else:
        with pytest.raises(EncodeError, match="nested too deep"):
            codec.encode(value)


def test_what_contains_itself_many_times_is_refused_at_once() -> None:
    """The work to find out does not double with each layer."""
    value: list[object] = []
    value += [value, value, {"again": value}]
    for _ in range(6):
        value = [(value, value)]

    with pytest.raises(EncodeError, match="nested too deep"):
        MsgpackCodec().encode(value)


def test_hostile_depth_overruns_no_stack_of_a_small_thread() -> None:
    """Extensions inside one another are refused, or decoded, on a stack of 256 KiB as well."""
    script = f"""if True:
        import threading
        from asynccache.codecs import MsgpackCodec
        from asynccache.errors import DecodeError

        def work():
            for depth in ({DEEPEST}, {DEEPEST} + 1, 2000):
                payload = b"\\xc0"
                for _ in range(depth):
                    payload = b"\\x91" + payload
                    payload = b"\\xc9" + len(payload).to_bytes(4, "big") + b"\\x01" + payload
                try:
                    MsgpackCodec().decode(payload)
                    print("a value")
                except DecodeError:
                    print("refused")

        threading.stack_size(262_144)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    """
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "a value\nrefused\nrefused\n")

"""The exceptions: the tree as it is drawn, and copies that are as good as the original."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable

import pytest

from asynccache import errors
from asynccache.errors import (
    ArgumentTypeError,
    AsyncCacheError,
    CacheClosed,
    DecodeError,
    EncodeError,
    InvalidArgument,
    LoadCancelled,
    LoadTimeout,
    NotAcknowledged,
    NotStarted,
    NotWired,
    RecursiveLoad,
    SessionClosed,
    SessionConflict,
    SessionError,
    SessionNotLoaded,
    SessionStoreUnavailable,
    SessionTooLarge,
    Unavailable,
    UsageError,
    WrongLoop,
    WrongProcess,
)

CLASSES = {
    value.__name__: value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, AsyncCacheError)
}

SAMPLES: list[AsyncCacheError] = [
    ArgumentTypeError("ttl", "must be a number: not a str"),
    AsyncCacheError("something", 7),
    CacheClosed("the cache is closed"),
    DecodeError("wrong checksum"),
    EncodeError("value", dict, "register the type"),
    InvalidArgument("ttl", "must be more than 0: got -1"),
    LoadCancelled("the loader cancelled itself"),
    LoadTimeout("user:7", 1.5),
    NotStarted("not started"),
    NotWired("not wired"),
    RecursiveLoad("user:{7}"),
    Unavailable("Redis refused"),
    NotAcknowledged(),
    UsageError("running already"),
    SessionClosed("about a session"),
    SessionConflict("about a session"),
    SessionError("about a session"),
    SessionNotLoaded("about a session"),
    SessionStoreUnavailable("about a session"),
    SessionTooLarge("about a session"),
    WrongLoop("another loop"),
    WrongProcess("another process"),
]


def drawn_tree() -> dict[str, tuple[str, ...]]:
    """Return each exception's bases, as the module's docstring draws them."""
    bases: dict[str, tuple[str, ...]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        node = re.match(r" {4}([ │├└─]*)(\w+)( .*\(also (\w+)\))?", line)
        if node is not None:
            depth = len(node[1]) // 4
            parent = path[depth - 1] if depth else "Exception"
            path[depth:] = [node[2]]
            bases[node[2]] = (parent, node[4]) if node[4] else (parent,)
    return bases


def test_the_tree_is_the_one_that_is_drawn() -> None:
    """Who reads the drawing knows what each ``except`` catches."""
    real = {name: tuple(base.__name__ for base in c.__bases__) for name, c in CLASSES.items()}

    assert drawn_tree() == real


def test_every_exception_has_a_sample() -> None:
    """No exception is left out of the tests below."""
    assert {type(sample).__name__ for sample in SAMPLES} == CLASSES.keys()


def through_pickle(protocol: int) -> Callable[[AsyncCacheError], AsyncCacheError]:
    """Return what sends an exception to another process and back."""
    return lambda error: pickle.loads(pickle.dumps(error, protocol))


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, *(through_pickle(n) for n in range(pickle.HIGHEST_PROTOCOL + 1))],
)
@pytest.mark.parametrize("error", SAMPLES, ids=lambda error: type(error).__name__)
def test_a_copy_has_the_type_arguments_attributes_and_notes(
    error: AsyncCacheError, duplicate: Callable[[AsyncCacheError], AsyncCacheError]
) -> None:
    """A failure that is shared by many callers, or crosses a process, says the same to each."""
    original = copy.copy(error)
    original.add_note("while loading the front page")

    twin = duplicate(original)

    assert twin is not original
    assert type(twin) is type(original)
    assert (str(twin), twin.args) == (str(original), original.args)
    assert vars(twin) == vars(original)
    assert twin.__notes__ == ["while loading the front page"]


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (InvalidArgument("ttl", "is: odd"), {"argument": "ttl"}),
        (ArgumentTypeError("ttl", "is odd"), {"argument": "ttl"}),
        (
            EncodeError("value", dict, "register it"),
            {"argument": "value", "value_type": dict, "remedy": "register it"},
        ),
        (RecursiveLoad("a"), {"key": "a"}),
        (LoadTimeout("a", 2.0), {"key": "a", "seconds": 2.0}),
    ],
)
def test_errors_carry_their_data_as_attributes(
    error: AsyncCacheError, attributes: dict[str, object]
) -> None:
    """Nobody has to parse a message."""
    assert vars(error) == attributes


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InvalidArgument("ttl", "must be more"), "ttl: must be more"),
        (
            EncodeError("value", OSError, "register it"),
            "value: cannot encode a value of type builtins.OSError; register it",
        ),
        (LoadTimeout("a", 0.25), "the loader of 'a' ran longer than 0.25 s"),
    ],
)
def test_messages_name_what_is_at_fault(error: AsyncCacheError, message: str) -> None:
    """The argument or the key stands in the text."""
    assert str(error) == message


def test_a_load_timeout_is_no_error_of_the_operating_system() -> None:
    """TimeoutError takes two arguments for an errno and its text; ours are neither."""
    error = LoadTimeout("a", 2.0)

    assert isinstance(error, TimeoutError)
    assert (error.errno, error.strerror, error.filename) == (None, None, None)

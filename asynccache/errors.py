"""Every exception that asynccache raises.

    AsyncCacheError
    ├── UsageError                  the calling code is wrong; fix the code
    │   ├── InvalidArgument         (also ValueError) an argument is out of range
    │   │   └── ArgumentTypeError   (also TypeError) an argument has the wrong type
    │   ├── EncodeError             (also TypeError) the codec cannot encode a value
    │   ├── NotStarted              the cache was used before ``async with`` or ``lifespan``
    │   ├── CacheClosed             the cache was used, or still waited for, after its end
    │   ├── WrongLoop               the cache was used from another event loop
    │   ├── WrongProcess            the cache was used in a forked child
    │   ├── NotWired                a request found no cache in its application
    │   └── RecursiveLoad           a loader waits, directly or through others, for its own key
    ├── LoadTimeout                 (also TimeoutError) a loader ran longer than ``load_timeout``
    ├── LoadCancelled               a loader cancelled itself
    ├── DecodeError                 bytes are not a record of ours (reads turn it into a miss)
    ├── Unavailable                 Redis could not be asked; no ``get*`` raises it
    │   └── NotAcknowledged         a ``strict`` write that Redis could not be told
    └── SessionError                a session cannot be used as it was meant
        ├── SessionNotLoaded        it was used before ``await session.load()``
        ├── SessionClosed           it is too late to make one: the response is on its way
        ├── SessionTooLarge         it holds more than it may; nothing was written
        ├── SessionConflict         another request has changed the same keys
        └── SessionStoreUnavailable the store could not be asked, or refused

A loader's own exceptions are not in this tree: they reach the caller as they are.
"""

from __future__ import annotations


class AsyncCacheError(Exception):
    """The base of every exception that asynccache raises."""


class UsageError(AsyncCacheError):
    """The calling code is wrong; the same call will fail again."""


class InvalidArgument(UsageError, ValueError):
    """An argument is out of range.

    Attributes:
        argument: The argument's name as the caller wrote it.
    """

    def __init__(self, argument: str, problem: str) -> None:
        super().__init__(f"{argument}: {problem}")
        self.argument = argument

    def __reduce__(self) -> tuple[object, ...]:
        problem = str(self)[len(self.argument) + 2 :]
        return (type(self), (self.argument, problem), self.__dict__)


class ArgumentTypeError(InvalidArgument, TypeError):
    """An argument has the wrong type."""


class EncodeError(UsageError, TypeError):
    """The codec cannot encode a value; nothing was stored.

    Attributes:
        argument: The name of the argument that held the value.
        value_type: The type that the codec does not know.
    """

    def __init__(self, argument: str, value_type: type, remedy: str) -> None:
        name = f"{value_type.__module__}.{value_type.__qualname__}"
        super().__init__(f"{argument}: cannot encode a value of type {name}; {remedy}")
        self.argument = argument
        self.value_type = value_type
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.argument, self.value_type, self.remedy), self.__dict__)


class NotStarted(UsageError):
    """The cache was used before ``async with cache`` or ``lifespan=cache.lifespan``."""


class CacheClosed(UsageError):
    """The cache was used, or a load was still waited for, after the cache was closed."""


class WrongLoop(UsageError):
    """The cache was used from an event loop that is not the one it was started in."""


class WrongProcess(UsageError):
    """The cache was used in a process that was forked from the one it was started in."""


class NotWired(UsageError):
    """A request asked for a cache that its application does not have."""


class RecursiveLoad(UsageError):
    """A loader waits, directly or through other loaders, for the key that it loads.

    Attributes:
        key: The key whose load would have waited for itself.
    """

    def __init__(self, key: str) -> None:
        super().__init__(
            f"the loader of {key!r} waits for {key!r} itself and would never end; "
            "read the key before loading it, or load a different key"
        )
        self.key = key

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.key,), self.__dict__)


class LoadTimeout(AsyncCacheError, TimeoutError):
    """A loader ran longer than its policy's ``load_timeout`` and was cancelled.

    Attributes:
        key: The key that was being loaded.
        seconds: The limit that was passed.
    """

    def __init__(self, key: str, seconds: float) -> None:
        super().__init__(f"the loader of {key!r} ran longer than {seconds:g} s")
        self.key = key
        self.seconds = seconds

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (self.key, self.seconds), self.__dict__)


class LoadCancelled(AsyncCacheError):
    """A loader cancelled itself.

    It is not a ``CancelledError``: nobody cancelled the callers that wait for it.
    """


class DecodeError(AsyncCacheError):
    """Bytes are not a record of ours: damaged, foreign, or of another version."""


class Unavailable(AsyncCacheError):
    """Redis could not be asked: refused, hanging, broken, or its breaker is open."""


class NotAcknowledged(Unavailable):
    """A write that was to be ``strict`` is done in this process, but Redis could not be told.

    It is in the journal, and other processes will hear of it when Redis is back.
    """

    def __init__(self) -> None:
        super().__init__(
            "done in this process, but Redis could not be told; it will be as soon as it is back"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (), self.__dict__)


class SessionError(AsyncCacheError):
    """A session cannot be used as it was meant."""


class SessionNotLoaded(SessionError):
    """A session was used before ``await session.load()``, with ``autoload`` off."""


class SessionClosed(SessionError):
    """A session would have to be made, and the response that would name it is on its way."""


class SessionTooLarge(SessionError):
    """A session would hold more than it may; nothing was written, and what was there is there."""


class SessionConflict(SessionError):
    """Another request has changed the same keys, and ``conflict="raise"``; nothing was written."""


class SessionStoreUnavailable(SessionError):
    """The store of sessions could not be asked, or refused; its cause says why."""

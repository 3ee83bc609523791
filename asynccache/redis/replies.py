"""Error replies as exceptions: values that are handed over, told apart by their first word."""

from __future__ import annotations

from collections.abc import Mapping

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

_BY_CODE: Mapping[str, type[Exception]] = {
    "CLUSTERDOWN": ClusterDownError,
    "LOADING": BusyLoadingError,
    "MASTERDOWN": MasterDownError,
    "NOAUTH": AuthenticationError,
    "NOPERM": NoPermissionError,
    "NOSCRIPT": NoScriptError,
    "OOM": OutOfMemoryError,
    "READONLY": ReadOnlyError,
    "WRONGPASS": AuthenticationError,
}


def reply_error(text: str) -> Exception:
    """Return the exception for an error reply.

    Args:
        text: What the server said; it is kept whole, with its code.
    """
    return _BY_CODE.get(text.partition(" ")[0], ResponseError)(text)

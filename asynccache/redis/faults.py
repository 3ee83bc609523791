"""Which exceptions mean that Redis cannot be asked, and which are an answer.

An error reply is an answer: the command was understood and refused (WRONGTYPE, NOSCRIPT, OOM), and
other commands fare better. Everything else that a connection raises means that there is no answer.
Some error replies mean the same: a server that is loading, busy, or not the one to be asked
refuses whatever it is sent.
"""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import TimeoutError as RedisTimeoutError

# RedisError: redis-py's own, its ConnectionError and TimeoutError are not the builtins.
# EOFError: a stream that ends in the middle of a reply.
# The last three leak out of a transport that is gone: writing to one that the peer has reset raises
# AttributeError or TypeError in some releases of CPython 3.12 and 3.13 (redis-py #4287), writing to
# one that was closed RuntimeError. They mean this only around calls of the transport.
TRANSPORT_ERRORS = (RedisError, OSError, EOFError, AttributeError, TypeError, RuntimeError)
"""What a connection raises when Redis cannot be asked through it."""

_REFUSALS = (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,  # LOADING: it reads its data set into memory
    ClusterDownError,  # and MasterDownError, a subclass: its data is not to be trusted
    ReadOnlyError,  # it has become a replica: somebody else is to be asked
)

# Those for which redis-py has no class, or not in every release. BUSY: a script has been running
# for seconds. The last one is said to a new connection, which is then closed.
_REFUSAL_CODES = ("BUSY ", "CLUSTERDOWN ", "MASTERDOWN ", "ERR max number of clients reached")


def is_refusal(error: Exception) -> bool:
    """Tell whether an error is a server's answer that it serves nobody, or not us."""
    return isinstance(error, _REFUSALS) or (
        isinstance(error, ResponseError) and str(error).startswith(_REFUSAL_CODES)
    )


def is_timeout(error: Exception) -> bool:
    """Tell whether an error means that time ran out."""
    return isinstance(error, RedisTimeoutError | TimeoutError)

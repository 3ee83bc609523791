"""Connections of redis-py: made here, connected, introduced, and cut.

redis-py is asked for what it does well: sockets, TLS, AUTH and credential providers, HELLO, the
database. Its pools are not used: under maintenance notifications, their default, they hand out
connections on which another command's reply is still waiting (redis-py #4252); the plain one
raises when all connections are in use, and the blocking one loses wake-ups when callers are
cancelled.
"""

from __future__ import annotations

import inspect
from typing import Any

from redis.asyncio import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, Connection

from asynccache.core.addresses import Address
from asynccache.redis.settings import RedisSettings


def make_connection(
    settings: RedisSettings, address: Address | None = None, *, protocol: int = 2
) -> AbstractConnection:
    """Return a connection that is not connected yet.

    It retries nothing, decodes nothing, and has no deadline for an answer: the one who asks has
    one. redis-py's own would cost a task for each command on Python 3.11.

    Args:
        settings: How to connect and who we are.
        address: Where to; None: where the settings say.
        protocol: The version of RESP. 3 costs a HELLO, and lets the server push.
    """
    arguments: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": settings.connect_timeout,
        "health_check_interval": 0,  # a PING in front of a command; silence is noticed anyway
        "protocol": protocol,
        "client_name": settings.client_name,
        **_SAY_NOTHING,
    }
    arguments |= {
        "db": settings.db,
        "username": settings.username,
        "password": settings.password,
        "credential_provider": settings.credential_provider,
    }
    if settings.connection_class is not None:
        place = {} if address is None else address._asdict()
        return settings.connection_class(**{**settings.connection_options, **place, **arguments})
    if settings.unix_socket is not None:
        return UnixDomainSocketConnection(path=settings.unix_socket, **arguments)
    host, port = (settings.host, settings.port) if address is None else address
    arguments |= {"host": host, "port": port, "socket_keepalive": True}
    if not settings.tls:
        return Connection(**arguments)
    return SSLConnection(
        ssl_cert_reqs="required" if settings.tls_verify else "none",
        ssl_check_hostname=settings.tls_verify,
        ssl_ca_certs=settings.tls_ca_file,
        ssl_certfile=settings.tls_cert_file,
        ssl_keyfile=settings.tls_key_file,
        **arguments,
    )


async def connect(connection: AbstractConnection) -> None:
    """Connect and introduce ourselves: HELLO or AUTH, CLIENT SETNAME, SELECT, as far as needed."""
    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py left it untyped


async def send(connection: AbstractConnection, *command: str | bytes) -> None:
    """Send one command and wait for no reply."""
    await connection.send_command(*command, check_health=False)


async def cut(connection: AbstractConnection) -> None:
    """Disconnect at once. The connection can be connected again."""
    # Closing would first wait, for minutes if need be, until the peer has taken what is unsent.
    # redis-py has no public way to the stream; fakeredis's stream has no such transport.
    abort = getattr(getattr(_writer_of(connection), "transport", None), "abort", None)
    if abort is not None:
        abort()
    await connection.disconnect(nowait=True)


def _writer_of(connection: AbstractConnection) -> Any:
    return getattr(connection, "_writer", None)


def _quiet_arguments() -> dict[str, Any]:
    known = inspect.signature(AbstractConnection.__init__).parameters
    quiet: dict[str, Any] = {}
    # CLIENT SETINFO is two more commands on every connection, and an error on a server before 7.2.
    if "driver_info" in known:
        quiet["driver_info"] = None
    else:
        quiet |= {"lib_name": None, "lib_version": None}
    if "maint_notifications_config" in known:
        # Another command, which only Redis Enterprise understands.
        from redis.maint_notifications import MaintNotificationsConfig  # noqa: PLC0415

        quiet["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    return quiet


_SAY_NOTHING = _quiet_arguments()

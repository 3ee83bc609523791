"""Where Redis is and how it is asked, validated once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis, RedisCluster, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import SentinelConnectionPool

from asynccache.core.arguments import positive_int, seconds, wrong_type
from asynccache.errors import InvalidArgument
from asynccache.redis.url import fields_of_texts, fields_of_url

_OURS = frozenset(
    (
        *("retry", "retry_on_error", "retry_on_timeout", "health_check_interval"),
        *("socket_timeout", "socket_connect_timeout", "event_dispatcher"),
        *("decode_responses", "encoding", "encoding_errors", "encoder_class"),
        *("protocol", "legacy_responses", "parser_class", "himport_registry"),
        *("client_name", "driver_info", "lib_name", "lib_version"),
        *("maint_notifications_config", "maint_notifications_pool_handler", "maintenance_state"),
        *("maintenance_notification_hash", "oss_cluster_maint_notifications_handler"),
        *("orig_host_address", "orig_socket_timeout", "orig_socket_connect_timeout"),
    )
)
"""What is not taken over from a client: we wait, retry, decode and introduce ourselves our way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSettings:
    """Where Redis is and how it is asked.

    Args:
        host: Name or address of the server.
        port: Its TCP port.
        db: The number of the database.
        username: The ACL user, if not the default one.
        password: Never shown.
        unix_socket: Path of the server's socket, instead of host and port.
        tls: Encrypt the connection.
        tls_verify: Check the server's certificate and that it is issued for ``host``.
        tls_ca_file: Certificates to trust instead of the system's.
        tls_cert_file: A certificate to show to the server.
        tls_key_file: Its key, if that is not in the same file.
        op_timeout: Seconds that one operation may take, waiting for a connection, connecting and
            a second attempt included; put off only while the replies of a large batch come.
        connect_timeout: Seconds of them that connecting may take.
        max_connections: How many connections there are at most; calls beyond them wait.
        client_name: The name that CLIENT LIST shows; None: none.
        connection_class: redis-py's class of connections, from `from_client`; None: by the above.
        connection_options: Its arguments; then ``host`` to ``tls_key_file`` are not used.

    Raises:
        ArgumentTypeError: An argument has the wrong type.
        InvalidArgument: An argument is out of range.
    """

    host: str = "localhost"
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    unix_socket: str | None = None
    tls: bool = False
    tls_verify: bool = True
    tls_ca_file: str | None = None
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    # A healthy Redis answers within a millisecond; whoever waits for a quarter of a second is
    # better served by the loader. With the loop's own delays on top: at most 0.3 s, once.
    op_timeout: float = 0.25
    # As much as an operation may take: connecting is part of the first one.
    connect_timeout: float = 0.25
    # Redis works on one command at a time, so that more would only wait there instead of here; and
    # its own limit of 10,000 clients has to do for every process of the fleet.
    max_connections: int = 20
    # So that CLIENT LIST tells whose connections these are.
    client_name: str | None = "asynccache"
    connection_class: type[AbstractConnection] | None = field(default=None, repr=False)
    connection_options: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)

    def __post_init__(self) -> None:
        for name in ("host", "username", "password", "unix_socket", "client_name"):
            _check_text(getattr(self, name), name)
        if positive_int(self.port, "port") > 65_535:
            raise InvalidArgument("port", f"must be at most 65535, got {self.port}")
        if isinstance(self.db, bool) or not isinstance(self.db, int):
            raise wrong_type("db", self.db, "the number of a database")
        if self.db < 0:
            raise InvalidArgument("db", f"must be 0 or more, got {self.db}")
        if self.username and self.password is None and self.connection_class is None:
            raise InvalidArgument("username", "needs a password too")
        if self.client_name is not None and not _is_one_word(self.client_name):
            raise InvalidArgument("client_name", "must be one word of printable ASCII")
        self._check_tls()
        # The dataclass is frozen: this is its constructor still.
        object.__setattr__(self, "op_timeout", seconds(self.op_timeout, "op_timeout"))
        limit = seconds(self.connect_timeout, "connect_timeout")
        object.__setattr__(self, "connect_timeout", limit)
        positive_int(self.max_connections, "max_connections")

    def _check_tls(self) -> None:
        for name in ("tls", "tls_verify"):
            if not isinstance(getattr(self, name), bool):
                raise wrong_type(name, getattr(self, name), "True or False")
        if self.tls and self.unix_socket:
            raise InvalidArgument("tls", "is not for a unix_socket, which leaves no machine")
        for name in ("tls_ca_file", "tls_cert_file", "tls_key_file"):
            path = getattr(self, name)
            _check_text(path, name)
            if path is None:
                continue
            if not self.tls:
                raise InvalidArgument(name, "needs tls=True, or a rediss:// URL")
            if not Path(path).is_file():
                raise InvalidArgument(name, f"there is no file {path!r}")
        if self.tls_key_file and not self.tls_cert_file:
            raise InvalidArgument("tls_key_file", "needs tls_cert_file too")

    @property
    def address(self) -> str:
        """Where the server is, for people: without credentials."""
        return self.unix_socket or f"{self.host}:{self.port}"

    @classmethod
    def from_url(cls, url: str) -> RedisSettings:
        """Read the settings from a URL.

        ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, or
        ``unix://user:password@/path/of/the.sock?db=0``. What stands in a URL is percent-decoded.
        Any setting may follow as a query argument: ``?op_timeout=0.1&max_connections=50``.

        Args:
            url: The URL.

        Raises:
            ArgumentTypeError: It is not a str.
            InvalidArgument: It is not such a URL, or a setting in it is out of range. The message
                shows nothing of the URL that could be a part of its password.
        """
        return cls(**fields_of_url(url))

    @classmethod
    def from_environment(cls, prefix: str = "ASYNCCACHE_REDIS_") -> RedisSettings:
        """Read the settings from environment variables.

        ``ASYNCCACHE_REDIS_URL`` and, winning over it, one variable for each setting:
        ``ASYNCCACHE_REDIS_PASSWORD``, ``ASYNCCACHE_REDIS_OP_TIMEOUT`` and so on.

        Args:
            prefix: What the names of the variables begin with.

        Raises:
            InvalidArgument: A variable cannot be understood; the message names it.
        """
        url = os.environ.get(f"{prefix}URL")
        settings = fields_of_url(url, f"{prefix}URL") if url else {}
        return cls(**{**settings, **fields_of_texts(os.environ, prefix=prefix)})

    @classmethod
    def from_client(cls, redis: Redis) -> RedisSettings:
        """Take over where a client of yours connects to and how it authenticates.

        The client itself is not used: its timeouts, retries and pool are made for other work.

        Args:
            redis: A client of redis-py's asyncio module.

        Raises:
            ArgumentTypeError: It is not such a client.
            InvalidArgument: It is a client of a cluster or of sentinels.
        """
        client: object = redis
        if isinstance(client, RedisCluster):
            raise InvalidArgument("redis", "Redis Cluster is not supported yet")
        if not isinstance(client, Redis):
            raise wrong_type("redis", client, "a redis.asyncio.Redis; or give a URL instead")
        pool = client.connection_pool
        if isinstance(pool, SentinelConnectionPool):
            raise InvalidArgument("redis", "Redis Sentinel is not supported yet")
        options = {k: v for k, v in pool.connection_kwargs.items() if k not in _OURS}
        known = ("host", "port", "db", "username", "password")
        shown = {name: options[name] for name in known if options.get(name) is not None}
        for name in ("port", "db"):  # redis-py takes numbers as text too
            shown[name] = int(shown.get(name, getattr(_DEFAULTS, name)))
        if issubclass(pool.connection_class, UnixDomainSocketConnection):
            shown["unix_socket"] = options.get("path")
        return cls(
            **shown,
            tls=issubclass(pool.connection_class, SSLConnection),
            max_connections=min(pool.max_connections, _DEFAULTS.max_connections),
            connection_class=pool.connection_class,
            connection_options=options,
        )


def _check_text(value: object, argument: str) -> None:
    if value is None and argument != "host":
        return
    if not isinstance(value, str):
        raise wrong_type(argument, value, "a str")
    if not value:
        raise InvalidArgument(argument, "must not be empty")


def _is_one_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


_DEFAULTS = RedisSettings()

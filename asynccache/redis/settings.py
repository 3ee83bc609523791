"""Where Redis is and how it is asked, validated once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from pathlib import Path
from typing import Any, Literal

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.connection import AbstractConnection
from redis.credentials import CredentialProvider

from asynccache.core.addresses import Address
from asynccache.core.arguments import positive_int, seconds, wrong_type
from asynccache.errors import InvalidArgument
from asynccache.redis.clients import fields_of_client
from asynccache.redis.url import fields_of_texts, fields_of_url


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
        credential_provider: redis-py's, instead of username and password: it is asked for them
            whenever a connection is made.
        cluster: The servers are a Redis Cluster.
        nodes: Hosts and ports of further servers of the cluster, to be asked for the rest when the
            first is down.
        sentinels: Hosts and ports of those who are asked where the master is; then host and port
            are not used.
        sentinel_master: The master's name, as the sentinels know it.
        sentinel_username: The ACL user at the sentinels, if not the default one.
        sentinel_password: Never shown.
        op_timeout: Seconds that one operation may wait for a sign of its answer, with connecting
            and a second attempt; what is being answered may take eight times that.
        connect_timeout: Seconds of them that connecting may take.
        topology_interval: Seconds after which a cluster is asked for its slots when all is well.
        max_pending: How many calls may wait on one connection; the next ones fail at once.
        on_failover: What a server's records count after it was restarted, or a replica has taken
            its place. "miss": nothing, since a deleted value may have come back with an old
            snapshot or a replica that lagged. "trust": what they did before; then no bound of
            staleness is promised.
        tracking: Let Redis itself push which records change, so that L1 hears of changes by others
            than caches too: other programs' writes and deletes, evictions, expiries. It costs a
            push to each process for each value that is stored.
        client_name: The name that CLIENT LIST shows; None: none.
        connection_class: redis-py's class of connections, from `from_client`; None: by the above.
        connection_options: Its arguments, but for who we are and which database; then ``tls`` to
            ``tls_key_file`` are not used.
        sentinel_connection_class: The same for the sentinels, which a client may speak to in
            another way than to the master; None: as ``tls`` to ``tls_key_file`` say.
        sentinel_connection_options: Its arguments.

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
    credential_provider: CredentialProvider | None = field(default=None, repr=False)
    cluster: bool = False
    nodes: Sequence[tuple[str, int]] = ()
    sentinels: Sequence[tuple[str, int]] = ()
    sentinel_master: str | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    # A healthy Redis answers within a millisecond; whoever waits for a quarter of a second is
    # better served by the loader. With the loop's own delays on top: at most 0.3 s, once.
    op_timeout: float = 0.25
    # As much as an operation may take: connecting is part of the first one.
    connect_timeout: float = 0.25
    # Whatever happens to a cluster is noticed by whom it concerns, who then asks at once. This is
    # for servers that nobody has needed; a reply is some kilobytes.
    topology_interval: float = 15.0
    # As much as can be answered within op_timeout: one process of Python handles some 100,000
    # commands in a second. Who comes later would only wait for nothing.
    max_pending: int = 20_000
    on_failover: Literal["miss", "trust"] = "miss"
    # Each fill is pushed to each process: most caches are filled more often than invalidated, and
    # written to by nobody else.
    tracking: bool = False
    # So that CLIENT LIST tells whose connections these are.
    client_name: str | None = "asynccache"
    connection_class: type[AbstractConnection] | None = field(default=None, repr=False)
    connection_options: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)
    sentinel_connection_class: type[AbstractConnection] | None = field(default=None, repr=False)
    sentinel_connection_options: Mapping[str, Any] = field(
        default_factory=dict, repr=False, hash=False
    )

    def __post_init__(self) -> None:
        for name in ("host", "username", "password", "unix_socket", "client_name"):
            _check_text(getattr(self, name), name)
        for name in ("sentinel_master", "sentinel_username", "sentinel_password"):
            _check_text(getattr(self, name), name)
        if positive_int(self.port, "port") > 65_535:
            raise InvalidArgument("port", f"must be at most 65535, got {self.port}")
        if isinstance(self.db, bool) or not isinstance(self.db, int):
            raise wrong_type("db", self.db, "the number of a database")
        if self.db < 0:
            raise InvalidArgument("db", f"must be 0 or more, got {self.db}")
        self._check_credentials()
        if self.client_name is not None and not _is_one_word(self.client_name):
            raise InvalidArgument("client_name", "must be one word of printable ASCII")
        if self.on_failover not in ("miss", "trust"):
            got = f"got {self.on_failover!r}"
            raise InvalidArgument("on_failover", f"must be 'miss' or 'trust', {got}")
        self._check_tls()
        # The dataclass is frozen: this is its constructor still.
        for name in ("nodes", "sentinels"):
            object.__setattr__(self, name, _checked_addresses(getattr(self, name), name))
        self._check_cluster()
        self._check_sentinels()
        for name in ("op_timeout", "connect_timeout", "topology_interval"):
            object.__setattr__(self, name, seconds(getattr(self, name), name))
        positive_int(self.max_pending, "max_pending")

    def _check_credentials(self) -> None:
        if self.credential_provider is not None:
            given: object = self.credential_provider
            if not isinstance(given, CredentialProvider):
                expected = "a redis.credentials.CredentialProvider"
                raise wrong_type("credential_provider", given, expected)
            if self.username or self.password:
                raise InvalidArgument("credential_provider", "is instead of username and password")
        elif self.username and self.password is None and self.connection_class is None:
            raise InvalidArgument("username", "needs a password too")
        if self.sentinel_username and self.sentinel_password is None:
            raise InvalidArgument("sentinel_username", "needs a sentinel_password too")

    def _check_cluster(self) -> None:
        if not isinstance(self.cluster, bool):
            raise wrong_type("cluster", self.cluster, "True or False")
        if self.nodes and not self.cluster:
            raise InvalidArgument("nodes", "needs cluster=True, or a redis+cluster:// URL")
        if self.cluster and self.db:
            raise InvalidArgument("db", "must be 0: a cluster has one database")
        if not isinstance(self.tracking, bool):
            raise wrong_type("tracking", self.tracking, "True or False")
        if self.cluster and self.tracking:
            raise InvalidArgument("tracking", "is not for a cluster, whose servers push apart")
        if self.cluster and self.unix_socket:
            raise InvalidArgument("unix_socket", "is not for a cluster")

    def _check_sentinels(self) -> None:
        if bool(self.sentinels) != (self.sentinel_master is not None):
            missing = "sentinel_master" if self.sentinels else "sentinels"
            raise InvalidArgument(missing, "sentinels and sentinel_master go together")
        if not self.sentinels:
            for name in ("sentinel_username", "sentinel_password"):
                if getattr(self, name) is not None:
                    raise InvalidArgument(name, "is for sentinels only")
        elif self.cluster or self.unix_socket:
            other = "cluster" if self.cluster else "unix_socket"
            raise InvalidArgument(other, "is not for a master that sentinels watch over")

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
        if self.sentinels:
            sentinels = ", ".join(map(str, starmap(Address, self.sentinels)))
            return f"{self.sentinel_master} ({sentinels})"
        return self.unix_socket or str(Address(self.host, self.port))

    @classmethod
    def from_url(cls, url: str) -> RedisSettings:
        """Read the settings from a URL.

        ``redis://user:password@host:6379/0``, ``rediss://…`` for TLS, or
        ``unix://user:password@/path/of/the.sock?db=0``; ``redis+cluster://host:7000,host:7001/``,
        ``redis+sentinel://host:26379,host:26379/mymaster/0``, and both with ``rediss+``. What
        stands in a URL is percent-decoded. Any setting may follow as a query argument:
        ``?op_timeout=0.1&max_pending=1000``.

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
    def from_client(cls, redis: Redis | RedisCluster) -> RedisSettings:
        """Take over where a client of yours connects to and how it authenticates.

        The client itself is not used: its timeouts, retries and pool are made for other work.

        Args:
            redis: A client of redis-py's asyncio module: of a server, of a cluster, or of the
                master that a ``Sentinel`` watches over.

        Raises:
            ArgumentTypeError: It is not such a client.
            InvalidArgument: It is a client of replicas, or one that translates addresses
                (``address_remap``, ``force_master_ip``).
        """
        return cls(**fields_of_client(redis))


def _check_text(value: object, argument: str) -> None:
    if value is None and argument != "host":
        return
    if not isinstance(value, str):
        raise wrong_type(argument, value, "a str")
    if not value:
        raise InvalidArgument(argument, "must not be empty")


def _is_one_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _checked_addresses(addresses: Iterable[object], argument: str) -> tuple[Address, ...]:
    checked = []
    if isinstance(addresses, str) or not isinstance(addresses, Iterable):
        raise wrong_type(argument, addresses, "several pairs of a host and a port")
    for each in addresses:
        match each:
            case (str() as host, int() as port) if host and not isinstance(port, bool):
                if not 0 < port < 65_536:
                    raise InvalidArgument(argument, f"a port must be 1 to 65535, got {port}")
                checked.append(Address(host, port))
            case _:
                raise wrong_type(argument, each, "pairs of a host and a port")
    return tuple(checked)

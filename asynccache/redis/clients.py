"""Settings taken over from a client of the user: where it connects to, and as whom.

The client itself is not used: its timeouts, retries and pool are made for other work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection, Connection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedConnection

from asynccache.core.addresses import Address
from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument

_OURS = frozenset(
    (
        *("retry", "retry_on_error", "retry_on_timeout", "health_check_interval"),
        *("socket_timeout", "socket_connect_timeout", "event_dispatcher", "max_connections"),
        *("decode_responses", "encoding", "encoding_errors", "encoder_class"),
        *("protocol", "legacy_responses", "parser_class", "himport_registry"),
        *("client_name", "driver_info", "lib_name", "lib_version", "redis_connect_func"),
        *("maint_notifications_config", "maint_notifications_pool_handler", "maintenance_state"),
        *("maintenance_notification_hash", "oss_cluster_maint_notifications_handler"),
        *("orig_host_address", "orig_socket_timeout", "orig_socket_connect_timeout"),
        *("connection_class", "connection_pool", "response_callbacks"),
    )
)
"""What is not taken over: we wait, retry, decode and introduce ourselves our way."""


def fields_of_client(client: object) -> dict[str, Any]:
    """Return the settings that a client holds; see `RedisSettings.from_client`.

    Args:
        client: A client of redis-py's asyncio module.

    Raises:
        ArgumentTypeError: It is not such a client.
        InvalidArgument: It is a client of replicas, or one that translates addresses.
    """
    if isinstance(client, RedisCluster):
        return _fields_of_cluster(client)
    if not isinstance(client, Redis):
        expected = "a client of redis.asyncio, Redis or RedisCluster; or give a URL instead"
        raise wrong_type("redis", client, expected)
    pool = client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        return _fields_of_sentinels(pool)
    return _fields(pool.connection_class, pool.connection_kwargs)


def _fields_of_cluster(client: RedisCluster) -> dict[str, Any]:
    # Without it we would try places that cannot be reached from here.
    if getattr(client.nodes_manager, "address_remap", None) is not None:
        raise InvalidArgument("redis", "has an address_remap, which cannot be taken over")
    nodes = list(client.nodes_manager.startup_nodes.values())
    first, *others = (Address(node.host, int(node.port)) for node in nodes)
    kind = nodes[0].connection_class
    fields = _fields(kind, {**nodes[0].connection_kwargs, "host": first.host, "port": first.port})
    return fields | {"cluster": True, "nodes": tuple(others)}


def _fields_of_sentinels(pool: SentinelConnectionPool) -> dict[str, Any]:
    if not pool.is_master:
        raise InvalidArgument("redis", "is a client of replicas, to which nothing can be written")
    kind: type[AbstractConnection] = pool.connection_class
    if issubclass(kind, SentinelManagedConnection):  # it asks the sentinels itself
        kind = SSLConnection if issubclass(kind, SSLConnection) else Connection
    manager = pool.sentinel_manager
    if getattr(manager, "_force_master_ip", None) is not None:  # there is no public name for it
        raise InvalidArgument("redis", "has a force_master_ip, which cannot be taken over")
    pools = [each.connection_pool for each in manager.sentinels]
    if not pools:
        raise InvalidArgument("redis", "has no sentinels")
    # redis-py gives all of them the same arguments, which are not the master's.
    asked = _fields(pools[0].connection_class, pools[0].connection_kwargs)
    return _fields(kind, pool.connection_kwargs) | {
        "sentinels": tuple(_address(each.connection_kwargs) for each in pools),
        "sentinel_master": pool.service_name,
        "sentinel_username": asked.get("username"),
        "sentinel_password": asked.get("password"),
        "sentinel_connection_class": asked["connection_class"],
        "sentinel_connection_options": asked["connection_options"],
    }


def _fields(kind: type[AbstractConnection], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in kwargs.items() if name not in _OURS}
    known = ("username", "password", "credential_provider")
    fields = {name: options[name] for name in known if options.get(name) is not None}
    if fields.get("credential_provider") is not None:
        fields.pop("username", None)
        fields.pop("password", None)
    address = _address(options)
    fields |= {"host": address.host, "port": address.port, "db": int(options.get("db") or 0)}
    if issubclass(kind, UnixDomainSocketConnection):
        fields["unix_socket"] = options.get("path")
    fields["tls"] = issubclass(kind, SSLConnection)
    return fields | {"connection_class": kind, "connection_options": options}


def _address(options: Mapping[str, Any]) -> Address:
    # redis-py takes a port as text too.
    return Address(options.get("host") or "localhost", int(options.get("port") or 6379))

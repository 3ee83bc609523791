"""Settings written as text: in a URL, or one by one in environment variables.

No message repeats a part of the text that may come from a password: in a URL whose password holds
an unescaped ``/``, ``?`` or ``#``, its end is taken for a path or a query.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from asynccache.core.addresses import Address, parse_address
from asynccache.core.arguments import wrong_type
from asynccache.errors import InvalidArgument

_SCHEMES = (
    *("memory", "redis", "rediss", "unix"),
    *("redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel"),
)
_REDIS_PORT = 6379
_SENTINEL_PORT = 26379
_NAME = re.compile(r"[a-z_]{1,30}")
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def _truth(text: str) -> bool:
    return _TRUTHS[text.lower()]


def _addresses(text: str) -> tuple[Address, ...]:
    found = [parse_address(each.strip()) for each in text.split(",")]
    if None in found:
        raise ValueError
    return tuple(address for address in found if address is not None)


_READERS: Mapping[str, tuple[Callable[[str], Any], str]] = {
    "host": (str, "a str"),
    "port": (int, "a whole number"),
    "db": (int, "a whole number"),
    "username": (str, "a str"),
    "password": (str, "a str"),
    "unix_socket": (str, "a path"),
    "tls": (_truth, "true or false"),
    "tls_verify": (_truth, "true or false"),
    "tls_ca_file": (str, "a path"),
    "tls_cert_file": (str, "a path"),
    "tls_key_file": (str, "a path"),
    "cluster": (_truth, "true or false"),
    "nodes": (_addresses, "host:port,host:port"),
    "sentinels": (_addresses, "host:port,host:port"),
    "sentinel_master": (str, "a name"),
    "sentinel_username": (str, "a str"),
    "sentinel_password": (str, "a str"),
    "op_timeout": (float, "a number of seconds"),
    "connect_timeout": (float, "a number of seconds"),
    "topology_interval": (float, "a number of seconds"),
    "max_pending": (int, "a whole number"),
    "on_failover": (str, "miss or trust"),
    "tracking": (_truth, "true or false"),
    "client_name": (str, "a str"),
}
"""The settings that can be written as text: how they are read, and what is expected."""

# These stand elsewhere in a URL.
_ELSEWHERE = {"host", "port", "unix_socket", "tls", "cluster", "nodes", "sentinels"}
_IN_QUERY = sorted(_READERS.keys() - _ELSEWHERE - {"sentinel_master"})


def fields_of_url(url: str, argument: str = "url") -> dict[str, Any]:
    """Return the settings that a URL holds; see `RedisSettings.from_url`.

    Args:
        url: The URL.
        argument: The name to use in an error.

    Raises:
        ArgumentTypeError: It is not a str.
        InvalidArgument: It is not such a URL.
    """
    scheme = _scheme_of(url, argument)
    try:
        parts = urlsplit(url)
        addresses = _hosts_of(parts)
    except ValueError:
        raise InvalidArgument(argument, f"has no valid host and port; {_ESCAPE}") from None
    if parts.fragment or "@" in parts.path + parts.query:
        raise InvalidArgument(argument, f"cannot be taken apart; {_ESCAPE}")

    credentials = {"username": parts.username, "password": parts.password}
    fields: dict[str, Any] = {k: unquote(v) for k, v in credentials.items() if v}
    if scheme == "unix":
        return fields | _socket_of(parts, argument) | _query_of(parts, argument)
    if scheme.startswith("rediss"):
        fields["tls"] = True
    if scheme.endswith("+sentinel"):
        fields |= {"sentinels": addresses} | _master_of(parts, argument)
    else:
        if addresses:
            fields |= {"host": addresses[0].host, "port": addresses[0].port}
        if scheme.endswith("+cluster"):
            fields |= {"cluster": True, "nodes": addresses[1:]}
        fields |= _database_of(parts.path, argument)
    return fields | _query_of(parts, argument)


def fields_of_texts(texts: Mapping[str, str], *, prefix: str) -> dict[str, Any]:
    """Return the settings that stand in a mapping under their names.

    Args:
        texts: For example `os.environ`.
        prefix: What the names, in capitals, begin with. Empty texts count as absent.

    Raises:
        InvalidArgument: A text cannot be read; the message names it.
    """
    names = {name: f"{prefix}{name.upper()}" for name in _READERS}
    return {
        name: _read(name, texts[variable], variable)
        for name, variable in names.items()
        if texts.get(variable)
    }


_ESCAPE = "a '/', '?', '#' or '@' in a user name or password must be percent-encoded"


def _scheme_of(url: object, argument: str) -> str:
    if not isinstance(url, str):
        raise wrong_type(argument, url, "a str such as redis://localhost:6379/0")
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        known = ", ".join(f"{name}://" for name in _SCHEMES)
        got = f", got {scheme}://" if separator and _NAME.fullmatch(scheme) else ""
        raise InvalidArgument(argument, f"must begin with one of {known}{got}")
    if scheme == "memory":
        raise InvalidArgument(argument, "memory:// is a cache without Redis: it has no settings")
    return scheme


def _read(name: str, text: str, argument: str) -> Any:
    reader, expected = _READERS[name]
    try:
        return reader(text)
    except (ValueError, KeyError):
        # Somebody may have written URLs where addresses belong, with a password in them.
        got = "" if "@" in text else f", got {text!r}"
        raise InvalidArgument(argument, f"must be {expected}{got}") from None


def _socket_of(parts: SplitResult, argument: str) -> dict[str, str]:
    if parts.netloc.rpartition("@")[2] or not parts.path:
        raise InvalidArgument(argument, "must hold an absolute path: unix:///run/redis.sock")
    return {"unix_socket": unquote(parts.path)}


def _hosts_of(parts: SplitResult) -> tuple[Address, ...]:
    """Return the hosts of a URL.

    Raises:
        ValueError: One is not valid, or there are several where there may be one.
    """
    kind = parts.scheme.partition("+")[2]
    text = parts.netloc.rpartition("@")[2]
    if not text:
        return ()
    port = _SENTINEL_PORT if kind == "sentinel" else _REDIS_PORT
    if not kind:
        given = parts.port  # a number out of range is the settings' matter
        return (Address(unquote(parts.hostname or "localhost"), port if given is None else given),)
    hosts = map(unquote, text.split(","))
    found = [parse_address(each, host="localhost", port=port) for each in hosts]
    if None in found:
        raise ValueError
    return tuple(address for address in found if address is not None)


def _master_of(parts: SplitResult, argument: str) -> dict[str, Any]:
    name, _, rest = parts.path.strip("/").partition("/")
    if not name or not parts.netloc.rpartition("@")[2]:
        raise InvalidArgument(argument, "must be like redis+sentinel://host:26379/mymaster/0")
    return {"sentinel_master": unquote(name)} | _database_of(rest, argument)


def _database_of(path: str, argument: str) -> dict[str, int]:
    text = unquote(path).strip("/")
    if not text:
        return {}
    if not (text.isascii() and text.isdigit()):
        raise InvalidArgument(argument, f"must end with the number of a database; {_ESCAPE}")
    return {"db": int(text)}


def _query_of(parts: SplitResult, argument: str) -> dict[str, Any]:
    fields = {}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _IN_QUERY:
            shown = f" {name!r}" if _NAME.fullmatch(name) else ""
            raise InvalidArgument(
                argument, f"unknown query argument{shown}; known are {', '.join(_IN_QUERY)}"
            )
        fields[name] = _read(name, text, f"{argument} ({name})")
    return fields

"""Getting a connection: where the server is, and which protocol it speaks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AuthenticationError, ResponseError

from asynccache.core.addresses import Address
from asynccache.redis.connections import connect, cut, make_connection
from asynccache.redis.settings import RedisSettings

_log = logging.getLogger("asynccache")


class Dialer(Protocol):
    """Makes connections to a server that may move."""

    def open(self, on_moved: Callable[[str], None]) -> None:
        """Begin to watch where the server is.

        Args:
            on_moved: Is told, with a reason, when new connections will lead somewhere else.
        """
        ...

    async def close(self) -> None:
        """End watching. May be called repeatedly, and without `open`."""
        ...

    async def dial(self, *, push: bool = True) -> AbstractConnection:
        """Return a connection that is connected and has introduced itself.

        Args:
            push: Speak RESP3, in which a server may send what nobody asked for, if the server can;
                False: RESP2, as redis-py reads pub/sub messages.

        Raises:
            TRANSPORT_ERRORS: There is nobody to connect to.
        """
        ...


class DirectDialer:
    """Dials one fixed address.

    Args:
        settings: How to connect.
        address: Where to; None: where the settings say.
    """

    def __init__(self, settings: RedisSettings, address: Address | None = None) -> None:
        self._settings = settings
        self._address = address
        self._speaks_resp3 = True

    def open(self, on_moved: Callable[[str], None]) -> None:
        """See `Dialer.open`: the address is fixed."""

    async def close(self) -> None:
        """See `Dialer.close`."""

    async def dial(self, *, push: bool = True) -> AbstractConnection:
        """See `Dialer.dial`."""
        if push and self._speaks_resp3:
            try:
                return await self._dial(3)
            except ResponseError as error:
                if isinstance(error, AuthenticationError) or not _is_about_hello(error):
                    raise
                _log.info("Redis does not know HELLO (a proxy, or older than 6): using RESP2")
                self._speaks_resp3 = False
        return await self._dial(2)

    async def _dial(self, protocol: int) -> AbstractConnection:
        connection = make_connection(self._settings, self._address, protocol=protocol)
        try:
            await connect(connection)
        except BaseException:
            await cut(connection)
            raise
        return connection


def _is_about_hello(error: ResponseError) -> bool:
    text = str(error)
    return "HELLO" in text.upper() or "NOPROTO" in text or "unknown command" in text

"""Where the master is, by what its sentinels say.

They are asked each time a connection is made, whatever the reason was; and whoever answers there
must say that it is a master: sentinels that were cut off believe in the old one. Between that, a
link to each sentinel hears of a switch at once, and every second they are asked whether the one in
use is still the one to use: an old master that was frozen comes back and answers as if nothing had
happened, for ten seconds and more, until somebody demotes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context
from dataclasses import replace
from typing import Any, Final

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from asynccache.core.addresses import Address
from asynccache.core.sentinel import Vote, chosen, is_replica, is_settled, switched_to, vote_of
from asynccache.errors import AsyncCacheError
from asynccache.redis.connections import cut, send
from asynccache.redis.dialing import DirectDialer
from asynccache.redis.link import Link
from asynccache.redis.listening import Listening
from asynccache.redis.settings import RedisSettings

_log = logging.getLogger("asynccache")

CHECK_SECONDS: Final = 1.0
"""Between questions whether the master is still the same: how long a message that was lost may
leave us with a stale one."""


def sentinel_settings(settings: RedisSettings, address: Address) -> RedisSettings:
    """Return how to speak to a sentinel: as to the master, but for who we are and where it is.

    What was taken over from a client may speak to its sentinels in another way altogether.
    """
    host, port = address
    options = settings.sentinel_connection_options
    return replace(
        settings,
        host=host,
        port=port,
        db=0,
        username=settings.sentinel_username,
        password=settings.sentinel_password,
        credential_provider=options.get("credential_provider"),
        connection_class=settings.sentinel_connection_class,
        connection_options=options,
        sentinels=(),
        sentinel_master=None,
        sentinel_username=None,
        sentinel_password=None,
        sentinel_connection_class=None,
        sentinel_connection_options={},
        # It is only a part of connecting.
        op_timeout=min(settings.op_timeout, settings.connect_timeout) / 2,
    )


async def _check_role(connection: AbstractConnection, address: Address) -> None:
    await send(connection, "ROLE")
    try:
        role = await connection.read_response()
    except NoPermissionError:
        return  # this user may not ask; READONLY will tell
    if is_replica(role):
        raise RedisConnectionError(f"{address} is a replica, though the sentinels say otherwise")


class SentinelDialer:
    """Dials whoever is the master.

    Args:
        settings: The sentinels, the master's name, and how to connect.

    Attributes:
        master: Where the last connection leads; None: there was none yet.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self._settings = settings
        self._name = str(settings.sentinel_master)
        self._links = [self._link_to(Address(*place)) for place in settings.sentinels]
        self._on_moved: Callable[[str], None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self.master: Address | None = None

    def _link_to(self, address: Address) -> Link:
        settings = sentinel_settings(self._settings, address)
        listening = Listening((("SUBSCRIBE", "+switch-master"), ("PING",)), self)
        return Link(settings, dialer=DirectDialer(settings, address), listening=listening)

    def open(self, on_moved: Callable[[str], None]) -> None:
        """See `Dialer.open`."""
        self._on_moved = on_moved
        for link in self._links:
            link.open()
        self._watching = asyncio.get_running_loop().create_task(
            self._watch(), name="asynccache sentinel watch", context=Context()
        )

    async def close(self) -> None:
        """See `Dialer.close`."""
        self._on_moved = None
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait((self._watching,))
            self._watching = None
        await asyncio.gather(*(link.close() for link in self._links))

    async def dial(self, *, push: bool = True) -> AbstractConnection:
        """See `Dialer.dial`."""
        address = await self._resolve()
        connection = await DirectDialer(self._settings, address).dial(push=push)
        try:
            await _check_role(connection, address)
        except BaseException:
            await cut(connection)
            raise
        self.master = address
        return connection

    async def _resolve(self) -> Address:
        """Return the master's address.

        Raises:
            RedisConnectionError: No sentinel knows it.
        """
        asking = {asyncio.ensure_future(self._ask(link)) for link in self._links}
        votes: list[Vote] = []
        try:
            # A majority, so that one that was cut off with the old master is outvoted, and one
            # that is frozen is not waited for.
            while asking and not is_settled(votes, of=len(self._links)):
                done, asking = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                votes += [vote for each in done if (vote := each.result()) is not None]
        finally:
            for each in asking:
                each.cancel()
        address = chosen(votes)
        if address is None:
            raise RedisConnectionError(f"no sentinel knows a master {self._name!r}")
        return address

    async def _ask(self, link: Link) -> Vote | None:
        try:
            (reply,) = await link.call(("SENTINEL", "MASTER", self._name))
        except AsyncCacheError:  # it is down, or this dialer is being closed
            return None
        return vote_of(reply)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                self._compare(await self._resolve(), "its sentinels name another master")
            except RedisConnectionError as error:
                _log.debug("%s", error)
            except Exception:  # noqa: BLE001
                # A dead watch would let a stale master answer.
                _log.exception("asking the sentinels failed in an unexpected way")

    def _compare(self, address: Address, reason: str) -> None:
        if self.master is not None and address != self.master and self._on_moved is not None:
            self.master = None  # until somebody has connected to the new one
            _log.info("the master %r is at %s now", self._name, address)
            self._on_moved(reason)

    # What the sentinels tell unasked.

    def connected(self, source: str) -> None:
        """See `PushListener.connected`."""

    def pushed(self, source: str, push: list[Any]) -> None:  # noqa: ARG002  # all say the same
        """See `PushListener.pushed`."""
        match push:
            case [b"message", b"+switch-master", bytes() as text]:
                address = switched_to(text, self._name)
                if address is not None:
                    self._compare(address, "the master was switched")

    def disconnected(self, source: str, reason: str) -> None:
        """See `PushListener.disconnected`: the watch asks anyway."""

    def refused(self, source: str, error: Exception) -> None:
        """See `PushListener.refused`: the watch asks anyway."""

"""A store on a real server or on fakeredis, with an ear on its channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import fakeredis

from asynccache.core.keys import KeySpace
from asynccache.core.messages import Message, unpack
from asynccache.core.policy import Lifetime
from asynccache.core.record import RecordFormat
from asynccache.levels.store import Item
from asynccache.redis import lua
from asynccache.redis.connections import connect, cut, make_connection, send
from asynccache.redis.link import Link
from asynccache.redis.scripts import Script
from asynccache.redis.settings import RedisSettings
from asynccache.redis.store import RedisStore
from asynccache.redis.transport import Carrier, Command, Transport

BACKENDS: Final = ("link", "fakeredis")
"""A store on the link, as a cache has it, and on fakeredis.

fakeredis is faithful in all that the contract says: commands, expiry, scripts, NOSCRIPT, messages.
It is not in what the contract does not say: it has no memory limit, no ACL, no CLIENT LIST or KILL,
no INFO, no timing, and a fault of it is none of a network; nor does its Lua keep a table of errors
apart as a server does, so that what a refused command leaves behind is tested on servers only.
"""

RECORDS: Final = RecordFormat()
SCRIPTS: Final = [each for each in vars(lua).values() if isinstance(each, Script)]


class RecordingTransport:
    """Remembers the commands that pass.

    Attributes:
        sent: Every command, in order.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.sent: list[Command] = []

    @property
    def is_ordered(self) -> bool:
        """See `Transport.is_ordered`."""
        return self._transport.is_ordered

    @property
    def generation(self) -> int:
        """See `Transport.generation`."""
        return self._transport.generation

    def stamp(self, key: str) -> bytes | None:
        """See `Transport.stamp`."""
        return self._transport.stamp(key)

    def time(self, key: str) -> float | None:
        """See `Transport.time`."""
        return self._transport.time(key)

    @property
    def op_timeout(self) -> float:
        """See `Transport.op_timeout`."""
        return self._transport.op_timeout

    async def primaries(self) -> Sequence[Carrier]:
        """Return what records too."""
        return [self]

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """Pass commands on."""
        self.sent += commands
        replies: list[Any] = await self._transport.call(*commands, retry=retry)
        return replies


class Bench:
    """A store, and all that a test needs around it.

    Attributes:
        store: The store.
        keys: Its keys in Redis.
        sent: Every command that it has sent.
    """

    def __init__(self, transport: Any, keys: KeySpace, ear: Any) -> None:
        self._recorder = RecordingTransport(transport)
        self._ear = ear
        self.keys = keys
        self.sent = self._recorder.sent
        self.store = RedisStore(self._recorder, keys, b"origin-1")
        self._transport = transport

    async def redis(self, *command: str | bytes | int) -> Any:
        """Send a command past the store and return the reply."""
        (reply,) = await self._transport.call(command)
        return reply

    async def record(self, key: str) -> Any:
        """Return the bytes under a key."""
        return await self.redis("GET", self.keys.record(key))

    async def pttl(self, key: str) -> int:
        """Return the milliseconds that a record has left."""
        left: int = await self.redis("PTTL", self.keys.record(key))
        return left

    async def lease(self, key: str) -> Any:
        """Return the token that holds the lease of a key."""
        return await self.redis("GET", self.keys.lease(key))

    async def heard(self) -> list[tuple[int, Message]]:
        """Return the numbered messages that were announced since this was last asked."""
        await self.redis("PUBLISH", self.keys.channel, "end")
        messages = []
        async with asyncio.timeout(10):
            while (reply := await self._ear.read_response())[2] != b"end":
                messages.append(unpack(reply[2]))
        return messages

    async def texts(self) -> list[tuple[str, ...]]:
        """Return what those messages name."""
        return [message.texts for _, message in await self.heard()]


def item(key: str, payload: bytes = b"v", *, fresh: float | None = 60, grace: float = 0) -> Item:
    """Return a record as a cache with the namespace ``test`` would store it."""
    lifetime = Lifetime(fresh, grace)
    identity = KeySpace("test").identity(key)
    return Item(RECORDS.pack(identity, payload, codec=1, lifetime=lifetime), lifetime.total_ms)


@asynccontextmanager
async def open_bench(backend: str, url: str) -> AsyncIterator[Bench]:
    """Open a store on one of the `BACKENDS`, which knows the scripts.

    One that does not is told them with the first call, and may then announce it twice.
    """
    if backend == "fakeredis":
        settings = RedisSettings.from_client(fakeredis.FakeAsyncRedis())
    else:
        settings = RedisSettings.from_url(url + "?op_timeout=10")
    keys = KeySpace("test")
    link = Link(settings)
    await link.start()
    ear = make_connection(settings)
    try:
        await connect(ear)
        await send(ear, "SUBSCRIBE", keys.channel)
        await ear.read_response()
        await link.call(*(("SCRIPT", "LOAD", script.source) for script in SCRIPTS))
        yield Bench(link, keys, ear)
    finally:
        await cut(ear)
        await link.close()

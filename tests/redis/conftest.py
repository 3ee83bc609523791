"""Links, started and closed, and a port that leads nowhere."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import pytest

from asynccache.redis.link import Link
from asynccache.redis.settings import RedisSettings


class OpenLink(Protocol):
    """Makes and starts a link."""

    async def __call__(
        self, url: str, *, on_heal: Callable[[], Awaitable[None]] | None = None, **settings: Any
    ) -> Link: ...


@pytest.fixture
async def open_link() -> AsyncIterator[OpenLink]:
    """Open links that are closed after the test.

    Their deadline is 10 s, which a busy machine keeps; a test of the deadline gives its own.
    """
    links = []

    async def make(
        url: str, *, on_heal: Callable[[], Awaitable[None]] | None = None, **settings: Any
    ) -> Link:
        given = {"op_timeout": 10.0, "connect_timeout": 10.0, **settings}
        link = Link(replace(RedisSettings.from_url(url), **given), on_heal=on_heal)
        await link.start()
        links.append(link)
        return link

    yield make
    for link in links:
        await link.close()


@pytest.fixture
def blackhole() -> Iterator[int]:
    """A port that answers no SYN: its queue of connections is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        time.sleep(0.05)
        yield address[1]
        for filler in fillers:
            filler.close()

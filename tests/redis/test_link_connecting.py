"""How a link connects: over TCP, TLS and sockets, to real and to fake servers."""

from __future__ import annotations

import ssl
from pathlib import Path

import fakeredis
import pytest
from redis.exceptions import ResponseError

from asynccache.errors import Unavailable
from asynccache.redis.link import Link
from asynccache.redis.settings import RedisSettings
from tests.redis.conftest import OpenLink
from tests.support.redis_server import RedisServer
from tests.support.scripted_server import ScriptedServer
from tests.support.waiting import until

pytestmark = pytest.mark.integration

CERTIFICATE = Path(__file__).parents[1] / "support" / "localhost.pem"
"""Self-signed, with its key, for 127.0.0.1 and localhost; valid until 2126."""


async def pong(command: list[bytes]) -> bytes:
    """Answer everything with PONG."""
    return b"+PONG\r\n"


async def test_connecting_takes_no_needless_round_trip(open_link: OpenLink) -> None:
    """HELLO with the credentials, the name and the database; no SETINFO or notifications."""
    async with ScriptedServer(pong) as server:
        plain = await open_link(server.url, client_name=None)
        await plain.call(("PING",))
        full = await open_link(server.url, username="me", password="secret", db=2)
        await full.call(("PING",))

    assert server.received == [
        [b"HELLO", b"3"],
        [b"PING"],
        [b"HELLO", b"3", b"AUTH", b"me", b"secret"],
        [b"CLIENT", b"SETNAME", b"asynccache"],
        [b"SELECT", b"2"],
        [b"PING"],
    ]


@pytest.mark.parametrize(
    "refusal", [b"-ERR unknown command 'HELLO'\r\n", b"-NOPROTO unsupported protocol version\r\n"]
)
async def test_a_server_without_resp3_is_spoken_to_in_resp2(
    open_link: OpenLink, refusal: bytes
) -> None:
    """A proxy, or a Redis before 6: found out once, and remembered for later connections."""

    async def old(command: list[bytes]) -> bytes | None:
        if command[0] == b"HELLO":
            return refusal
        if command[0] == b"AUTH":
            return b"+OK\r\n"
        return None if command == [b"DIE"] else b"+PONG\r\n"

    async with ScriptedServer(old, greets=False) as server:
        link = await open_link(server.url, password="secret", client_name=None)
        assert await link.call(("PING",)) == [b"PONG"]
        with pytest.raises(Unavailable):
            await link.call(("DIE",), retry=False)
        assert await link.call(("PING",)) == [b"PONG"]

    auth = [b"AUTH", b"secret"]
    assert [command[0] for command in server.received].count(b"HELLO") == 1
    assert server.received[1:] == [auth, [b"PING"], [b"DIE"], auth, [b"PING"]]


async def test_the_database_and_the_password_are_used(open_link: OpenLink) -> None:
    """Keys of one database are not in another."""
    with RedisServer(password="secret") as server:
        first = await open_link(server.url)
        second = await open_link(server.url, db=1)
        await first.call(("SET", "k", "first"))

        assert await first.call(("GET", "k")) == [b"first"]
        assert await second.call(("GET", "k")) == [None]


async def test_a_unix_socket_works(tmp_path: Path, open_link: OpenLink) -> None:
    """``unix://`` leads to the server's socket."""
    path = tmp_path / "redis.sock"
    with RedisServer("--unixsocket", str(path)):
        link = await open_link(f"unix://{path}")

        assert await link.call(("PING",)) == [b"PONG"]


async def test_tls_checks_the_certificate(open_link: OpenLink) -> None:
    """A certificate that nobody vouches for is refused, unless checking is switched off."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    async with ScriptedServer(pong, tls=context) as server:
        trusting = await open_link(server.url, tls_ca_file=str(CERTIFICATE))
        careless = await open_link(server.url, tls_verify=False)
        strict = await open_link(server.url)

        assert await trusting.call(("PING",)) == [b"PONG"]
        assert await careless.call(("PING",)) == [b"PONG"]
        with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await strict.call(("PING",))


async def test_a_fake_client_carries_commands() -> None:
    """Applications are tested on fakeredis; it is as good a server as any for plain commands."""
    link = Link(RedisSettings.from_client(fakeredis.FakeAsyncRedis(decode_responses=True)))
    await link.start()

    replies = await link.call(("SET", "k", b"v"), ("GET", "k"), ("LPUSH", "k", 1))
    await link.close()

    assert replies[:2] == [b"OK", b"v"]
    assert isinstance(replies[2], ResponseError)


async def test_a_fake_server_can_go_away_and_come_back() -> None:
    """Outages can be tested on fakeredis too."""
    server = fakeredis.FakeServer()
    link = Link(RedisSettings.from_client(fakeredis.FakeAsyncRedis(server=server)))
    await link.start()
    await link.call(("SET", "k", b"v"))

    server.connected = False
    with pytest.raises(Unavailable):
        await link.call(("GET", "k"))
    server.connected = True
    await until(lambda: link.breaker.state == "closed")

    assert await link.call(("GET", "k")) == [b"v"]
    await link.close()

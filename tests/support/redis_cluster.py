"""A real Redis Cluster of processes on loopback, to fail over and to move slots in."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Final, NamedTuple

from asynccache.core.slots import SLOTS, slot_of
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer

NODE_TIMEOUT_MS: Final = 1_000
"""After so long without an answer a server counts as failed: elections in a second or two."""

_PATIENCE = 50.0
_SETTLING = 5.0


class Member(NamedTuple):
    """A line of CLUSTER NODES."""

    identifier: str
    port: int
    flags: frozenset[str]
    primary: str
    epoch: int
    slots: tuple[tuple[int, int], ...]


class RedisCluster:
    """A cluster; a context manager that starts and stops it. Its methods block.

    Args:
        primaries: How many servers have slots.
        replicas: How many replicas each of them has.
        binary: The servers' program; None: that of `find_redis_server`.

    Attributes:
        nodes: All servers; at the start the primaries come first.
    """

    def __init__(self, primaries: int = 3, replicas: int = 0, binary: str | None = None) -> None:
        self._primaries = primaries
        self._bus_ports: dict[int, int] = {}
        self.nodes = [self._server(binary) for _ in range(primaries * (1 + replicas))]
        self._stack = ExitStack()

    def _server(self, binary: str | None) -> RedisServer:
        bus_port = free_port()
        server = RedisServer(
            *("--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)),
            *("--cluster-port", str(bus_port), "--repl-diskless-sync-delay", "0"),
            binary=binary,
        )
        self._bus_ports[server.port] = bus_port
        return server

    @property
    def url(self) -> str:
        """The URL of the whole cluster."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def __enter__(self) -> RedisCluster:
        try:
            for node in self.nodes:
                self._stack.enter_context(node)
            self._assemble()
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

    # What it is like.

    def primaries(self) -> list[RedisServer]:
        """Return the servers that have slots now, in order of their slots."""
        members = [each for each in self._members() if each.slots and "fail" not in each.flags]
        return [self._by_port(each.port) for each in sorted(members, key=lambda each: each.slots)]

    def owner_of(self, key: str) -> RedisServer:
        """Return the server that has a key now."""
        slot = slot_of(key)
        (owner,) = [
            each
            for each in self._members()
            if any(first <= slot <= last for first, last in each.slots)
        ]
        return self._by_port(owner.port)

    def replica_of(self, server: RedisServer) -> RedisServer:
        """Return a replica of a server."""
        members = self._members()
        (primary,) = [each.identifier for each in members if each.port == server.port]
        return self._by_port(next(each.port for each in members if each.primary == primary))

    def wait_until_ok(self) -> None:
        """Wait until every server that is well agrees with the others, and replicas follow."""
        _wait(self._is_ok, "the cluster to settle")

    # What can be done to it.

    def flush(self) -> None:
        """Remove all keys."""
        for server in self.primaries():
            server.flush()

    def failover(self, server: RedisServer) -> None:
        """Let a replica take over from a server that is well; wait until all know."""
        replica = self.replica_of(server)
        replica.command("CLUSTER", "FAILOVER")
        _wait(lambda: replica in self.primaries(), "a failover")
        self.wait_until_ok()

    def begin_migration(self, slot: int, target: RedisServer) -> None:
        """Let a slot be about to move: its keys are asked for at both servers."""
        source = self._owner_of_slot(slot)
        _ok(target.command("CLUSTER", "SETSLOT", str(slot), "IMPORTING", _identifier(source)))
        _ok(source.command("CLUSTER", "SETSLOT", str(slot), "MIGRATING", _identifier(target)))

    def move_keys(self, slot: int, target: RedisServer, count: int = 10_000) -> None:
        """Move some of a slot's keys."""
        source = self._owner_of_slot(slot)
        reply = source.command("CLUSTER", "GETKEYSINSLOT", str(slot), str(count))
        for key in re.findall(r"\$\d+\r\n(.*?)\r\n", reply.decode()):
            _ok(source.command("MIGRATE", "127.0.0.1", str(target.port), key, "0", "5000"))

    def finish_migration(self, slot: int, target: RedisServer) -> None:
        """Give a slot, whose keys have all moved, to its new owner; wait until all know."""
        others = [each for each in self.primaries() if each is not target]
        while True:
            for server in (target, *others):
                _ok(server.command("CLUSTER", "SETSLOT", str(slot), "NODE", _identifier(target)))
            try:
                return _wait(self._is_ok, "the cluster to settle", _SETTLING)
            except RuntimeError:
                # A message that was on its way has brought the old owner back, for ever: nobody
                # believes a claim that is no newer.
                target.command("CLUSTER", "BUMPEPOCH")

    def migrate_slot(self, slot: int, target: RedisServer) -> None:
        """Move a slot with its keys."""
        self.begin_migration(slot, target)
        self.move_keys(slot, target)
        self.finish_migration(slot, target)

    # How that is done.

    def _assemble(self) -> None:
        primaries = self.nodes[: self._primaries]
        for number, node in enumerate(primaries):
            first = number * SLOTS // self._primaries
            last = (number + 1) * SLOTS // self._primaries - 1
            _ok(node.command("CLUSTER", "ADDSLOTSRANGE", str(first), str(last)))
            node.command("CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        for node in self.nodes:
            for other in self.nodes:
                if other is not node:
                    bus_port = str(self._bus_ports[other.port])
                    node.command("CLUSTER", "MEET", "127.0.0.1", str(other.port), bus_port)
        _wait(self._all_know_all, "the servers to meet")
        for number, replica in enumerate(self.nodes[self._primaries :]):
            primary = primaries[number % self._primaries]
            _ok(replica.command("CLUSTER", "REPLICATE", _identifier(primary)))
        self.wait_until_ok()

    def _all_know_all(self) -> bool:
        return all(
            len({each.port for each in _members(node) if "handshake" not in each.flags})
            == len(self.nodes)
            for node in self.nodes
        )

    def _is_ok(self) -> bool:
        well = [node for node in self.nodes if node.is_well]
        views = set()
        for node in well:
            if b"cluster_state:ok" not in node.command("CLUSTER", "INFO"):
                return False
            replication = node.command("INFO", "replication")
            if b"role:slave" in replication and b"master_link_status:up" not in replication:
                return False
            owners = [each for each in _members(node) if each.slots]
            views.add(frozenset((each.port, each.epoch, each.slots) for each in owners))
        (view, *others) = views
        covered = sum(last + 1 - first for _, _, ranges in view for first, last in ranges)
        # Of two owners with one epoch the next to claim a slot might not be believed.
        epochs = {epoch for _, epoch, _ in view}
        return not others and covered == SLOTS and len(epochs) == len(view)

    def _members(self) -> list[Member]:
        return _members(next(node for node in self.nodes if node.is_well))

    def _owner_of_slot(self, slot: int) -> RedisServer:
        for each in self._members():
            if any(first <= slot <= last for first, last in each.slots):
                return self._by_port(each.port)
        raise LookupError(slot)

    def _by_port(self, port: int) -> RedisServer:
        return next(node for node in self.nodes if node.port == port)

    def __repr__(self) -> str:
        return f"<RedisCluster {len(self.nodes)} servers>"


def _members(node: RedisServer) -> list[Member]:
    members = []
    for line in node.command("CLUSTER", "NODES").decode().splitlines():
        words = line.split(" ")
        if len(words) < 8:
            continue  # the length of the reply, or its end
        identifier, place, flags, primary = words[:4]
        ranges = [word.partition("-") for word in words[8:] if not word.startswith("[")]
        slots = tuple((int(first), int(last or first)) for first, _, last in ranges)
        port = int(place.partition("@")[0].rpartition(":")[2])
        epoch = int(words[6])
        members.append(Member(identifier, port, frozenset(flags.split(",")), primary, epoch, slots))
    return members


def _identifier(node: RedisServer) -> str:
    return node.command("CLUSTER", "MYID").decode().split("\r\n")[1]


def _ok(reply: bytes) -> None:
    if not reply.startswith((b"+OK", b"+NOKEY")):
        raise RuntimeError(f"the cluster refused: {reply!r}")


def _wait(condition: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited for {what} in vain")
        time.sleep(0.02)

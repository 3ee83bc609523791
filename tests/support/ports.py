"""Ports to listen on."""

from __future__ import annotations

import os
import random
import socket

# Tests may run in several processes at once: each has ports of its own.
_PROCESSES = 16
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES

# Below the range that Linux and macOS hand to outgoing connections: a client that keeps trying a
# dead port of that range will, once in some 28,000 tries, be connected to itself.
_CANDIDATES = range(20_000 + _PROCESS, 32_000, _PROCESSES)


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    while True:
        port = random.choice(_CANDIDATES)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port

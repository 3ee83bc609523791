"""Ports to listen on."""

from __future__ import annotations

import random
import socket

# Below the range that Linux and macOS hand to outgoing connections: a client that keeps trying a
# dead port of that range will, once in some 28,000 tries, be connected to itself.
_CANDIDATES = range(20_000, 32_000)


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

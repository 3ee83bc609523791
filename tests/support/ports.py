"""Ports to listen on."""

from __future__ import annotations

import atexit
import itertools
import os
import random
import socket
from collections import deque
from typing import Final

# Tests may run in several processes at once: each has ports of its own.
_PROCESSES = 4
_PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES

# Below the range that Linux and macOS hand to outgoing connections: a client that keeps trying a
# dead port of that range will, once in some 28,000 tries, be connected to itself.
_CANDIDATES = list(range(20_000 + _PROCESS, 32_000, _PROCESSES))
random.shuffle(_CANDIDATES)
_next_candidates = itertools.cycle(_CANDIDATES)

_RESERVED: Final = 100
"""How many ports are kept from others: more than one test takes, and far from the limit of open
files."""

# Between the choice of a port and its server's start another run of the tests, on the same machine,
# might choose it too. UDP's ports are apart from TCP's: who has this one has the right to that one.
_reservations: deque[socket.socket] = deque()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now, or is about to.

    None is given out twice in a while: its server may be dead now and come back.
    """
    for port in _next_candidates:
        reservation = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            reservation.bind(("127.0.0.1", port))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation)
        if len(_reservations) > _RESERVED:
            _reservations.popleft().close()
        return port
    raise AssertionError("the candidates never end")


@atexit.register
def _give_back() -> None:
    while _reservations:
        _reservations.pop().close()

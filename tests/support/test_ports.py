"""Ports that are handed out are kept from other runs of the tests."""

from __future__ import annotations

import subprocess
import sys

from tests.support.ports import _CANDIDATES, _RESERVED, free_port

_TAKE_ALL = """
from tests.support.ports import _CANDIDATES, free_port
print(*{free_port() for _ in _CANDIDATES})
"""


def test_no_port_is_given_out_twice_in_a_while() -> None:
    """The server of the first may be dead now and come back."""
    ports = [free_port() for _ in range(2 * _RESERVED)]

    assert len(set(ports)) == len(ports)


def test_another_process_does_not_choose_a_port_whose_server_is_not_started_yet() -> None:
    """Nobody listens there, but it is taken."""
    mine = free_port()
    told = subprocess.run(
        [sys.executable, "-c", _TAKE_ALL], check=True, capture_output=True, text=True
    )
    theirs = set(map(int, told.stdout.split()))

    assert mine not in theirs
    assert len(theirs) > len(_CANDIDATES) // 2

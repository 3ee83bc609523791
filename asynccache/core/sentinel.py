"""Whom to believe to be the master, by what several sentinels say.

A sentinel that was cut off goes on naming the master that it knew. Each election has a higher
number than the one before (config-epoch), so that the newest answer wins, and a majority that
agrees need not wait for the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from asynccache.core.addresses import Address, parse_address


class Vote(NamedTuple):
    """What one sentinel says.

    Attributes:
        epoch: The number of the election in which the master was chosen.
        address: Where the master is.
    """

    epoch: int
    address: Address


def vote_of(reply: object) -> Vote | None:
    """Read the reply to SENTINEL MASTER; None: it names no master.

    Args:
        reply: A map of texts (RESP3), or the same as a flat list (RESP2).
    """
    try:
        if isinstance(reply, list):
            reply = dict(zip(reply[::2], reply[1::2], strict=True))
        if not isinstance(reply, Mapping):
            return None
        host, port, epoch = (_text(reply[name]) for name in (b"ip", b"port", b"config-epoch"))
    except (KeyError, TypeError, ValueError):
        return None
    address = parse_address(_joined(host, port))
    if address is None or not epoch.isdecimal():
        return None
    return Vote(int(epoch), address)


def chosen(votes: Iterable[Vote]) -> Address | None:
    """Return the master that is to be believed in: the newest, and of several the most named."""
    ordered = list(votes)
    if not ordered:
        return None
    newest = max(vote.epoch for vote in ordered)
    named = Counter(vote.address for vote in ordered if vote.epoch == newest)
    return max(named, key=lambda address: (named[address], address))


def is_settled(votes: Sequence[Vote], *, of: int) -> bool:
    """Tell whether more than half of all sentinels agree.

    Args:
        votes: What was said so far.
        of: How many sentinels there are.
    """
    return any(2 * count > of for count in Counter(votes).values())


def switched_to(message: bytes, name: str) -> Address | None:
    """Return the new master's address from a ``+switch-master`` message.

    Args:
        message: ``mymaster 10.0.0.1 6379 10.0.0.2 6379``: name, old place, new place.
        name: The master that is meant; of another one: None.
    """
    words = message.decode(errors="replace").split(" ")
    if len(words) != 5 or words[0] != name:
        return None
    return parse_address(_joined(words[3], words[4]))


def is_replica(role: object) -> bool:
    """Tell whether the reply to ROLE is that of a replica."""
    return isinstance(role, list) and role[:1] in ([b"slave"], ["slave"])


def _joined(host: str, port: str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _text(value: object) -> str:
    if not isinstance(value, bytes):
        raise TypeError("not text")
    return value.decode()

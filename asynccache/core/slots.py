"""Which server of a cluster has which keys, and what its servers say about it.

The Redis Cluster specification: a key belongs to slot CRC16(key) mod 16384, or CRC16 of what stands
in its first pair of braces.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from asynccache.core.addresses import Address, parse_address
from asynccache.errors import DecodeError

SLOTS: Final = 16_384

NAMELESS: Final = "?"
"""The host of a server that was told to announce its name, and has none."""


def slot_of(key: str | bytes) -> int:
    """Return the slot of a key."""
    name = key.encode() if isinstance(key, str) else key
    start = name.find(b"{") + 1
    if start:
        end = name.find(b"}", start)
        if end > start:
            name = name[start:end]
    return crc_hqx(name, 0) % SLOTS


class SlotMap:
    """The owner of each slot.

    Args:
        owners: One for each of the slots, in order; None: nobody has it.

    Attributes:
        primaries: The servers that have a slot, or had one when the map was made.
    """

    __slots__ = ("_owners", "primaries")

    def __init__(self, owners: Iterable[Address | None]) -> None:
        self._owners = list(owners)
        self.primaries = {owner for owner in self._owners if owner is not None}

    @classmethod
    def from_reply(cls, reply: object, asked: Address) -> SlotMap:
        """Read the reply to CLUSTER SLOTS.

        Args:
            reply: Ranges: first slot, last slot, primary, replicas; each server is a list that
                begins with its host and port.
            asked: Who has replied. A server that does not know its own host leaves it empty.

        Raises:
            DecodeError: It is no such reply.
        """
        owners: list[Address | None] = [None] * SLOTS
        try:
            for first, last, primary, *_ in _sequence(reply):
                if not 0 <= first <= last < SLOTS:
                    raise DecodeError(f"a range of slots from {first!r} to {last!r}")
                owners[first : last + 1] = [_server(primary, asked)] * (last + 1 - first)
        except (TypeError, ValueError) as error:
            raise DecodeError(f"not a reply to CLUSTER SLOTS: {error}") from error
        return cls(owners)

    @property
    def is_complete(self) -> bool:
        """Whether every slot has an owner."""
        return None not in self._owners

    def owner(self, slot: int) -> Address | None:
        """Return who has a slot; None: nobody."""
        return self._owners[slot]

    def move(self, slot: int, owner: Address) -> bool:
        """Note the new owner of a slot; tell whether it is a server that was not known."""
        self._owners[slot] = owner
        is_new = owner not in self.primaries
        self.primaries.add(owner)
        return is_new

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SlotMap) and self._owners == other._owners

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        missing = self._owners.count(None)
        return f"<SlotMap {len(self.primaries)} primaries, {missing} slots missing>"


def _sequence(reply: object) -> Sequence[Any]:
    if not isinstance(reply, list) or not reply:
        raise DecodeError("no slots")
    return reply


def _server(words: Any, asked: Address) -> Address:
    host, port, *_ = words
    host = host.decode() if isinstance(host, bytes) else host
    known = isinstance(host, str) and host not in ("", NAMELESS)
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65_536:
        raise DecodeError(f"a server at port {port!r}")
    return Address(host if known else asked.host, port)


@dataclass(frozen=True, slots=True)
class Redirect:
    """A server's answer that it is not the one to ask, or not now.

    Attributes:
        kind: MOVED: ask the other one from now on. ASK: ask it this once, after ASKING. TRYAGAIN:
            ask again in a moment.
        slot: Whose keys are concerned; -1 for TRYAGAIN.
        address: Whom to ask; None for TRYAGAIN.
    """

    kind: Literal["MOVED", "ASK", "TRYAGAIN"]
    slot: int
    address: Address | None


def parse_redirect(text: str, asked: Address) -> Redirect | None:
    """Return what an error reply says about where to ask; None: it is about something else.

    Args:
        text: ``MOVED 3999 10.0.0.7:6381``.
        asked: Who has said it; an empty host, or "?", means the same one.
    """
    kind, _, rest = text.partition(" ")
    if kind == "TRYAGAIN":
        return Redirect("TRYAGAIN", -1, None)
    if kind not in ("MOVED", "ASK"):
        return None
    digits, _, place = rest.partition(" ")
    place = place.strip().removeprefix(NAMELESS)
    address = parse_address(place, host=asked.host)
    if address is None or not digits.isdecimal() or not int(digits) < SLOTS:
        return None
    return Redirect("MOVED" if kind == "MOVED" else "ASK", int(digits), address)

"""The link to a cluster: one link to each primary, and every command to the one that has its key.

Each server has a breaker of its own, so that a frozen one costs the keys of the others nothing.
Redirections are followed: MOVED corrects the map, ASK is for one command during a migration,
TRYAGAIN means that a script's keys are on both sides of one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context
from dataclasses import replace
from itertools import starmap
from typing import Any, Final, Literal

from redis.asyncio.connection import AbstractConnection

from asynccache.core.addresses import Address
from asynccache.core.routing import slot_of_command
from asynccache.core.slots import SLOTS, SlotMap, slot_of
from asynccache.errors import CacheClosed, DecodeError, NotStarted, Unavailable
from asynccache.redis.dialing import DirectDialer
from asynccache.redis.errands import Errand
from asynccache.redis.link import Link
from asynccache.redis.listening import Listening
from asynccache.redis.settings import RedisSettings
from asynccache.redis.topology import Topology
from asynccache.redis.transport import Carrier, Command

MOST_HOPS: Final = 5
"""Redirections of one command: MOVED, then ASK, and a few TRYAGAIN; more means a cluster that does
not agree with itself."""

TRY_AGAIN_SECONDS: Final = 0.02
"""Until a script is tried again whose keys are being moved: MIGRATE takes milliseconds."""


class ClusterLink:
    """A transport to a Redis Cluster. It belongs to the event loop in which it is started.

    Args:
        settings: Where the cluster's first servers are, and how all are asked.
        listening: What else is to be heard from every primary; None: nothing.
        on_incarnation: See `Link`.
        asks_time: See `Link`.
        on_state: See `Link`.

    Attributes:
        settings: What it was made with.
    """

    is_ordered = False

    def __init__(
        self,
        settings: RedisSettings,
        *,
        listening: Listening | None = None,
        on_incarnation: Callable[[], None] | None = None,
        asks_time: bool = False,
        on_state: Callable[[str, str | None], None] | None = None,
    ) -> None:
        self.settings = settings
        self._on_state = on_state
        self._on_incarnation = on_incarnation
        self._asks_time = asks_time
        self._listening = listening
        self._links: dict[Address, Link] = {}
        self._primaries: frozenset[Address] = frozenset()
        self._past_unavailable = 0  # of servers that have left
        self._topology: Topology | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._phase: Literal["new", "started", "closed"] = "new"

    @property
    def generation(self) -> int:
        """See `Transport.generation`."""
        return 0 if self._topology is None else self._topology.generation

    @property
    def state(self) -> Literal["closed", "open"]:
        """Whether every primary is being asked ("closed") or one was given up ("open")."""
        return "open" if self._is_incomplete() else "closed"

    @property
    def unavailable(self) -> int:
        """How many calls could not be answered."""
        return self._past_unavailable + sum(link.unavailable for link in self._links.values())

    async def start(self) -> None:
        """Begin to carry commands. No server need be there yet.

        Raises:
            CacheClosed: It was closed.
        """
        if self._phase == "closed":
            raise CacheClosed("the link to Redis was closed; make a new one")
        if self._phase == "new":
            self._phase = "started"
            self._topology = Topology(
                self._whom_to_ask,
                self._ask_for_slots,
                on_change=self._changed,
                is_urgent=self._is_incomplete,
                interval=self.settings.topology_interval,
            )
            self._spawn(self._topology.run(), "asynccache cluster topology")

    async def close(self) -> None:
        """End every link and task. May be called repeatedly."""
        self._phase = "closed"
        if self._topology is not None:
            await self._topology.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(link.close() for link in self._links.values()))

    async def call(self, *commands: Command, retry: bool = True) -> list[Any]:
        """See `Carrier.call`. A failure of one server fails the whole call.

        Raises:
            Unavailable: A server cannot be asked, or redirects without end.
            CacheClosed: The link is closed, or was while this call was under way.
            NotStarted: The link was not started.
            InvalidArgument: A command's keys are in different slots.
            redis.exceptions.DataError: An argument is not a str, bytes, int or float.
        """
        topology = self._usable_topology()
        slot_map = topology.map or await self._first_map(topology)
        errands = [self._errand(command, slot_map) for command in commands]
        under_way = errands
        for hop in range(MOST_HOPS):
            await self._run(under_way, retry=retry)
            under_way = [errand for errand in under_way if self._is_redirected(errand)]
            if not under_way:
                return [errand.reply for errand in errands]
            if any(errand.has_to_wait for errand in under_way):
                await asyncio.sleep(TRY_AGAIN_SECONDS * (hop + 1))
        raise Unavailable(f"the cluster has redirected a command {MOST_HOPS} times")

    @property
    def op_timeout(self) -> float:
        """See `Transport.op_timeout`."""
        return self.settings.op_timeout

    def stamp(self, key: str) -> bytes | None:
        """See `Transport.stamp`."""
        link = self._link_of(key)
        return None if link is None else link.stamp(key)

    def time(self, key: str) -> float | None:
        """See `Transport.time`."""
        link = self._link_of(key)
        return None if link is None else link.time(key)

    def _link_of(self, key: str) -> Link | None:
        slot_map = None if self._topology is None else self._topology.map
        owner = None if slot_map is None else slot_map.owner(slot_of(key))
        return None if owner is None else self._links.get(owner)

    async def primaries(self) -> Sequence[Carrier]:
        """See `Transport.primaries`."""
        topology = self._usable_topology()
        await topology.refresh()
        slot_map = await topology.known()
        return [self._link(address) for address in sorted(slot_map.primaries)]

    async def dial_owner(self, key: str) -> AbstractConnection:
        """Return a connection of its own, in RESP2, to the server that has a key."""
        slot_map = await self._usable_topology().known()
        address = self._owner(slot_map, slot_of(key))
        return await DirectDialer(self.settings, address).dial(push=False)

    # Errands.

    async def _first_map(self, topology: Topology) -> SlotMap:
        try:
            async with asyncio.timeout(self.settings.op_timeout):
                return await topology.known()
        except TimeoutError:
            raise Unavailable("no server of the cluster has told its slots in time") from None

    def _errand(self, command: Command, slot_map: SlotMap) -> Errand:
        slot = slot_of_command(command)
        if slot is None:  # it does not matter who is asked
            slot = random.randrange(SLOTS)  # noqa: S311
        return Errand(command, self._owner(slot_map, slot))

    def _owner(self, slot_map: SlotMap, slot: int) -> Address:
        owner = slot_map.owner(slot)
        if owner is None:
            self._usable_topology().refresh_soon()
            raise Unavailable(f"no server of the cluster has slot {slot}")
        return owner

    async def _run(self, errands: Sequence[Errand], *, retry: bool) -> None:
        groups: dict[Address, list[Errand]] = {}
        for errand in errands:
            groups.setdefault(errand.address, []).append(errand)
        sendings = [self._send(address, group, retry) for address, group in groups.items()]
        if len(sendings) == 1:
            await sendings[0]
            return
        # All are waited for: none may still be on its way when this call has failed.
        for outcome in await asyncio.gather(*sendings, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _send(self, address: Address, errands: Sequence[Errand], retry: bool) -> None:
        commands = [part for errand in errands for part in errand.parts()]
        try:
            replies = iter(await self._link(address).call(*commands, retry=retry))
        except Unavailable:
            self._usable_topology().refresh_soon()  # somebody else may have taken over
            raise
        except CacheClosed as error:
            self._usable_topology()  # raises if it was this whole link
            raise Unavailable(f"Redis at {address} has left the cluster") from error
        for errand in errands:
            for _ in errand.parts():
                errand.reply = next(replies)

    def _is_redirected(self, errand: Errand) -> bool:
        """Tell whether an errand has to be run again, and learn from it where slots are."""
        redirect = errand.redirected()
        if redirect is None:
            return False
        if redirect.kind == "MOVED" and redirect.address is not None:
            self._usable_topology().moved(redirect.slot, redirect.address)
        return True

    # Servers.

    def _link(self, address: Address) -> Link:
        if address not in self._links:
            self._links[address] = self._new_link(address, self._listening)
        return self._links[address]

    def _new_link(self, address: Address, listening: Listening | None) -> Link:
        host, port = address
        settings = replace(self.settings, host=host, port=port, cluster=False, nodes=())
        link = Link(
            settings,
            dialer=DirectDialer(self.settings, address),
            listening=listening,
            on_incarnation=self._on_incarnation,
            asks_time=self._asks_time,
            on_state=self._on_state,
        )
        link.open()
        return link

    def _whom_to_ask(self) -> list[Address]:
        """Return who may tell the slots; those that answer, in no order, come first."""
        known = random.sample(sorted(self._primaries), len(self._primaries))
        known.sort(key=self._is_down)
        first = [
            Address(self.settings.host, self.settings.port),
            *starmap(Address, self.settings.nodes),
        ]
        return list(dict.fromkeys([*known, *first]))

    def _is_down(self, address: Address) -> bool:
        return address in self._links and self._links[address].state == "open"

    def _is_incomplete(self) -> bool:
        return any(map(self._is_down, self._primaries))

    async def _ask_for_slots(self, address: Address) -> SlotMap:
        known = self._links.get(address)
        # Not kept: it need not be a primary, to be listened to like one.
        link = known or self._new_link(address, listening=None)
        try:
            (reply,) = await link.call(("CLUSTER", "SLOTS"))
        finally:
            if known is None:
                await link.close()
        if isinstance(reply, Exception):
            raise Unavailable(f"Redis at {address} does not tell its slots: {reply}")
        try:
            return SlotMap.from_reply(reply, address)
        except DecodeError as error:
            raise Unavailable(f"Redis at {address} tells no slots: {error}") from error

    def _changed(self, slot_map: SlotMap) -> None:
        self._primaries = frozenset(slot_map.primaries)
        for address in self._primaries:
            self._link(address)  # so that it is listened to
        for address in self._links.keys() - self._primaries:
            self._spawn(self._dismiss(self._links.pop(address)), "asynccache cluster link")

    async def _dismiss(self, link: Link) -> None:
        """Close a link, after the calls on it had their time."""
        try:
            await asyncio.sleep(self.settings.op_timeout)
        finally:
            self._past_unavailable += link.unavailable
            await link.close()

    def _usable_topology(self) -> Topology:
        if self._phase == "closed":
            raise CacheClosed("the link to Redis is closed")
        if self._topology is None:
            raise NotStarted("the link to Redis is not started")
        return self._topology

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def __repr__(self) -> str:
        links = ", ".join(map(repr, self._links.values()))
        return f"<ClusterLink [{self._phase}, {links or 'no server'}]>"

"""The steps of the protocol, and its mechanisms, each of which a mutant goes without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.model.state import Flight, Process, Record, World, Write

MECHANISMS = {
    "the delete takes the lease": "race 2: what is loaded meanwhile may still be filled",
    "a fill needs its own lease": "races 1 and 3: absent is taken for allowed",
    "an invalidation poisons": "race 5: what is on its way is kept",
    "an invalidation detaches": "race 7: newcomers join what is overtaken",
    "dropped again after the answer": "race 8: what began in between is kept",
    "changed before it is told": "race 9: who is told reads the old value again",
    "a gap empties": "race 10: a lost message is never made up for",
    "the journal": "race 20: what could not be said is forgotten",
    "the bypass": "race 20: and until it is said, it is read back",
    "the stamp": "races 14 and 15: what was deleted comes back",
    "the token is from before the load": "race 26: a stale value under a new token",
    "an intent is seen": "race 18: what is loaded under an intent is kept",
    "intents are counted": "race 19: one writer takes back the other's",
}
"""What each is for."""


class Violation(Exception):
    """A promise was broken."""


@dataclass(frozen=True)
class Protocol:
    """The protocol, or one without some of its mechanisms.

    Args:
        without: Names from `MECHANISMS`.
        kinds: What changes invalidate: "key", "tag" or "intent".
        faults: What may go wrong: "lose", "unreachable", "expire", "restart", "crash", "evict".
        late_tag: The tag is known only from the loaded value.
    """

    without: frozenset[str] = frozenset()
    kinds: tuple[str, ...] = ("key",)
    faults: frozenset[str] = frozenset()
    late_tag: bool = False

    def has(self, mechanism: str) -> bool:
        """Tell whether a mechanism is at work."""
        assert mechanism in MECHANISMS
        return mechanism not in self.without

    def steps(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield each step that may be next, and the world after it.

        Raises:
            Violation: A step gives a reader something that it must not get.
        """
        for me in (0, 1):
            process = world.processes[me]
            name = "AB"[me]
            yield from self._reads(world, me, process, name)
            yield from self._flights(world, me, process, name)
            yield from self._writes(world, me, process, name)
            yield from self._messages(world, me, process, name)
        yield from self._server(world)

    # Readers.

    def _reads(
        self, world: World, me: int, process: Process, name: str
    ) -> Iterator[tuple[str, World]]:
        if not process.reads:
            return
        left = process._replace(reads=process.reads - 1)
        if process.l1 >= 0:
            if process.l1 < process.floor:
                raise Violation(f"{name} reads {process.l1} in L1 after its own {process.floor}")
            yield f"{name} hits L1", put(world, me, left)
            return
        flight = process.flight
        if flight is None:
            begun = Flight(floor=process.floor)
            yield f"{name} begins a load", put(world, me, left._replace(flight=begun))
        elif flight.joinable:
            joined = flight._replace(floor=max(flight.floor, process.floor))
            yield f"{name} joins the load", put(world, me, left._replace(flight=joined))

    def _flights(
        self, world: World, me: int, process: Process, name: str
    ) -> Iterator[tuple[str, World]]:
        flight, redis = process.flight, world.redis
        if flight is None:
            return
        reached = self._reach(world, me)
        if flight.stage == "look":
            bypassed = bool(process.journal) and self.has("the bypass")
            record = None if bypassed else self._readable(reached)
            if record is not None:
                found = flight._replace(stage="install", value=record.value)
                yield f"{name} finds {record.value} in Redis", flown(reached, me, found)
            else:
                stage = "load" if bypassed else "claim"
                yield f"{name} finds nothing", flown(reached, me, flight._replace(stage=stage))
        elif flight.stage == "claim":
            stamp = reached.processes[me].stamp
            token = 0 if self.late_tag else redis.token
            unkept = bool(redis.marks) and self.has("an intent is seen")
            if redis.lease and not unkept:
                # Refused: in the end it is tired of waiting, and loads without a lease (race 4).
                again = flight._replace(stage="load", token=token, stamp=stamp)
                yield f"{name} is refused the lease", flown(reached, me, again)
                return
            lease = 0 if unkept else me + 1  # a process has one load at a time here
            granted = flight._replace(
                stage="load", lease=lease, token=token, stamp=stamp, unkept=unkept
            )
            claimed = redis._replace(lease=lease or redis.lease)
            after = flown(reached._replace(redis=claimed), me, granted)
            yield f"{name} is granted the lease", after
        elif flight.stage == "load":
            stage = "fill" if flight.lease else "install"
            loaded = flight._replace(stage=stage, value=world.source)
            yield f"{name} loads {world.source}", flown(world, me, loaded)
        elif flight.stage == "fill":
            yield f"{name} fills {flight.value}", self._fill(reached, me, flight)
        else:
            yield f"{name} is answered {flight.value}", self._install(world, me, process, flight)

    def _fill(self, world: World, me: int, flight: Flight) -> World:
        redis = world.redis
        token = flight.token
        if self.late_tag:
            # P7: a token asked for after the load counts if nothing was invalidated since.
            if self.has("the token is from before the load") and redis.token != 1:
                return flown(world, me, flight._replace(stage="install", lease=0))
            token = redis.token
        allowed = redis.lease == flight.lease or (
            not self.has("a fill needs its own lease") and redis.lease == 0
        )
        if not allowed:
            return flown(world, me, flight._replace(stage="install", intact=False))
        record = Record(flight.value, flight.stamp, token)
        filled = world._replace(redis=redis._replace(record=record, lease=0))
        return flown(filled, me, flight._replace(stage="install"))

    def _install(self, world: World, me: int, process: Process, flight: Flight) -> World:
        if flight.value < flight.floor:
            raise Violation(f"{'AB'[me]} is answered {flight.value} after its own {flight.floor}")
        kept = flight.value if flight.intact and not flight.unkept else process.l1
        return put(world, me, process._replace(flight=None, l1=kept))

    # Writers.

    def _writes(  # noqa: C901  # a branch for each stage
        self, world: World, me: int, process: Process, name: str
    ) -> Iterator[tuple[str, World]]:
        write = process.write
        if write is None:
            if process.writes:
                for kind in self.kinds:
                    stage = "mark" if kind == "intent" else "commit"
                    begun = process._replace(writes=process.writes - 1, write=Write(stage, kind))
                    yield f"{name} begins to change ({kind})", put(world, me, begun)
            return
        if "crash" in self.faults and world.faults and write.stage == "drop":
            dead = Process(reads=0, stamp=world.redis.stamp)
            yield (
                f"{name} dies after its commit",
                put(world, me, dead)._replace(faults=world.faults - 1),
            )
        if write.stage == "mark":
            marked = world.redis._replace(
                record=None, lease=0, marks=world.redis.marks | {self._mark(me)}
            )
            told = self._tell(world._replace(redis=marked), me, "key")
            mine = self._forgotten(told.processes[me], "key")
            yield (
                f"{name} marks",
                put(told, me, mine._replace(write=write._replace(stage="commit"))),
            )
        elif write.stage == "commit":
            version = world.source + 1
            done = process._replace(write=write._replace(stage="drop", version=version))
            yield f"{name} commits {version}", put(world._replace(source=version), me, done)
        elif write.stage == "drop":
            mine = self._forgotten(process, write.kind)
            sending = mine._replace(write=write._replace(stage="send"))
            yield f"{name} drops", put(world, me, sending)
        elif write.stage == "send":
            yield from self._send(world, me, write, name)
        elif write.stage == "tell":
            told = self._tell(world, me, write.kind)
            yield f"{name} tells", self._answered(told, me, write._replace(acknowledged=True))
        elif write.stage == "change":
            changed = self._changed(world, me, write.kind)
            yield f"{name} changes", self._answered(changed, me, write._replace(acknowledged=True))
        else:
            mine = process
            if self.has("dropped again after the answer"):
                mine = self._forgotten(process, write.kind)
            over = mine._replace(write=None, floor=max(mine.floor, write.version))
            yield f"{name} returns", put(world, me, over)

    def _send(self, world: World, me: int, write: Write, name: str) -> Iterator[tuple[str, World]]:
        reached = self._reach(world, me)
        if self.has("changed before it is told"):
            changed = self._changed(reached, me, write.kind)
            told = self._tell(changed, me, write.kind)
            yield (
                f"{name} changes Redis",
                self._answered(told, me, write._replace(acknowledged=True)),
            )
        else:
            told = self._tell(reached, me, write.kind)
            mine = told.processes[me]._replace(write=write._replace(stage="change"))
            yield f"{name} tells first", put(told, me, mine)
        if "unreachable" in self.faults and world.faults:
            process = world.processes[me]
            journal = write.kind if self.has("the journal") else ""
            noted = process._replace(journal=journal)
            after = put(world, me, noted)._replace(faults=world.faults - 1)
            yield f"{name} cannot reach Redis", self._answered(after, me, write)

    def _answered(self, world: World, me: int, write: Write) -> World:
        process = world.processes[me]
        return put(world, me, process._replace(write=write._replace(stage="return")))

    def _changed(self, world: World, me: int, kind: str) -> World:
        redis = world.redis
        if kind == "tag":
            return world._replace(redis=redis._replace(token=redis.token + 1))
        lease = 0 if self.has("the delete takes the lease") else redis.lease
        marks = redis.marks - {self._mark(me)} if kind == "intent" else redis.marks
        return world._replace(redis=redis._replace(record=None, lease=lease, marks=marks))

    def _mark(self, me: int) -> int:
        return me if self.has("intents are counted") else 0

    # Messages.

    def _tell(self, world: World, me: int, kind: str) -> World:
        other = 1 - me
        process = world.processes[other]
        message = "tag" if kind == "tag" else "key"
        return put(world, other, process._replace(inbox=(*process.inbox, message)))

    def _messages(
        self, world: World, me: int, process: Process, name: str
    ) -> Iterator[tuple[str, World]]:
        if process.inbox:
            first, *rest = process.inbox
            heard = self._forgotten(process, first)._replace(inbox=tuple(rest))
            yield f"{name} hears of {first}", put(world, me, heard)
            if "lose" in self.faults and world.faults:
                deaf = process._replace(inbox=tuple(rest), has_lost=True)
                after = put(world, me, deaf)._replace(faults=world.faults - 1)
                yield f"{name} loses a message", after
        if process.has_lost:
            emptied = process._replace(has_lost=False)
            if self.has("a gap empties"):
                emptied = self._forgotten(emptied, "key")
            yield f"{name} finds a gap", put(world, me, emptied)
        if process.journal and process.write is None:
            reached = self._reach(world, me)
            changed = self._changed(reached, me, process.journal)
            told = self._tell(changed, me, process.journal)
            mine = self._forgotten(told.processes[me], process.journal)
            yield f"{name} replays", put(told, me, mine._replace(journal=""))

    def _forgotten(self, process: Process, kind: str) -> Process:
        """Drop what is kept, and overtake what is on its way (P2)."""
        del kind  # a tag's epoch does to the only key what its delete does
        flight = process.flight
        if flight is not None:
            flight = flight._replace(
                intact=flight.intact and not self.has("an invalidation poisons"),
                joinable=flight.joinable and not self.has("an invalidation detaches"),
            )
        return process._replace(l1=-1, flight=flight)

    # The server.

    def _server(self, world: World) -> Iterator[tuple[str, World]]:
        redis = world.redis
        if not world.faults:
            return
        fewer = world._replace(faults=world.faults - 1)
        if "expire" in self.faults and redis.lease:
            yield "the lease expires", fewer._replace(redis=redis._replace(lease=0))
        if "evict" in self.faults and redis.token:
            yield (
                "the token is evicted",
                fewer._replace(redis=redis._replace(token=redis.token + 1)),
            )
        if "expire" in self.faults and redis.marks:
            # Only of who has died: a mark outlives the block that it is for.
            alive = {me for me in (0, 1) if world.processes[me].write is not None}
            kept = redis.marks & alive
            if kept != redis.marks:
                yield "a mark expires", fewer._replace(redis=redis._replace(marks=kept))
        if "restart" in self.faults:
            if redis.snapshot is None:
                saved = redis._replace(snapshot=(redis.record, redis.lease))
                yield "a snapshot is taken", world._replace(redis=saved)
            else:
                record, lease = redis.snapshot
                again = redis._replace(
                    record=record, lease=lease, stamp=redis.stamp + 1, snapshot=None
                )
                processes = [
                    process._replace(inbox=(), has_lost=True) for process in world.processes
                ]
                yield (
                    "Redis restarts from it",
                    fewer._replace(redis=again, processes=(processes[0], processes[1])),
                )

    def _reach(self, world: World, me: int) -> World:
        """Speak to Redis: a connection to another life tells so, and empties L1 (P5)."""
        process = world.processes[me]
        if process.stamp == world.redis.stamp:
            return world
        return put(world, me, process._replace(stamp=world.redis.stamp))

    def _readable(self, world: World) -> Record | None:
        redis = world.redis
        record = redis.record
        if record is None or record.token != redis.token:
            return None
        if record.stamp != redis.stamp and self.has("the stamp"):
            return None
        return record


def put(world: World, me: int, process: Process) -> World:
    """Return the world with another process in a place."""
    first, second = world.processes
    return world._replace(processes=(process, second) if me == 0 else (first, process))


def flown(world: World, me: int, flight: Flight) -> World:
    """Return the world with another flight in a process."""
    return put(world, me, world.processes[me]._replace(flight=flight))

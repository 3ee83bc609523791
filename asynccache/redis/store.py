"""The second level on Redis: each method is one exchange of plain commands and single-slot scripts.

The announcement of a change always follows the change itself in the same exchange.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from asynccache.core.keys import KeySpace
from asynccache.core.messages import UNNUMBERED, Kind, Message, forget_keys
from asynccache.core.pattern import Pattern, redis_globs
from asynccache.core.record import NO_TOKEN
from asynccache.core.tags import NAMESPACE
from asynccache.errors import Unavailable
from asynccache.levels.store import Item, Lease, Outcome, Raw
from asynccache.redis import lua
from asynccache.redis.scripts import Script, ScriptCall, run
from asynccache.redis.transport import Argument, Carrier, Command, Transport

SCAN_COUNT = 500
"""Keys that one SCAN step visits: some 100 us of the server's time."""

MOST_SCANS = 3
"""Of everything, while the keys of a cluster are moving."""

WAIT_MS = 10_000
"""How long it stays known that somebody waits for a load: longer than anybody does."""

TOKEN_MS = 30 * 86_400_000
"""How long a tag's token lives when nobody uses it; extended once a day while somebody does."""

MOST_TRIES = 3
"""Of a change that Redis came to after its time."""

FIRST_NUMBERS = 2**52
"""A sequence starts below: two that begin anew do not meet, and both can be counted exactly."""

_NUMBER = re.compile(rb"[0-9]{1,19}")


class RedisStore:
    """The second level on one Redis server.

    Args:
        transport: Carries commands.
        keys: The namespace's Redis keys.
        origin: Identifies this cache in the messages that it sends.

    Attributes:
        announced: How many messages this store has sent over the bus.
        settled_at: See `Store.settled_at`.
    """

    def __init__(self, transport: Transport, keys: KeySpace, origin: bytes) -> None:
        self._transport = transport
        self._keys = keys
        self._origin = origin
        self.announced = 0
        self.settled_at = 0.0

    async def read(self, keys: Sequence[str]) -> list[Raw]:
        """See `Store.read`."""
        if len(keys) == 1:
            record = self._keys.record(keys[0])
            return [Raw(*await self._transport.call(("GET", record), ("PTTL", record)))]
        replies = await self._transport.call(*self._reads(keys))
        return _pairs(replies)

    async def acquire(
        self, keys: Sequence[str], token: bytes, lease_ms: int, *, steal: bool = False
    ) -> list[Lease]:
        """See `Store.acquire`."""
        only_if_free = () if steal else ("NX",)
        commands: list[Command] = []
        for key in keys:
            lease = self._keys.lease(key)
            commands += [
                ("SET", lease, token, *only_if_free, "PX", lease_ms),
                *self._reads([key]),
                ("EXISTS", self._keys.intent(key)),
                ("PTTL", self._keys.settling(key)),
            ]
        ordered = self._transport.is_ordered
        if ordered:  # else another server would have to be asked, which may be down
            commands.append(("GET", self._keys.tag_clock))
        # Sent twice, a claim could be refused because of itself.
        replies = await self._transport.call(*commands, retry=False)
        clock = _number(replies.pop()) if ordered else None
        return [
            Lease(
                granted=reply in (b"OK", True),
                raw=Raw(value, pttl),
                denied=isinstance(reply, ResponseError),
                is_written=intents != 0,
                settling_ms=settling if isinstance(settling, int) and settling > 0 else 0,
                clock=clock,
            )
            for reply, value, pttl, intents, settling in _groups(replies, 5)
        ]

    async def lease_left(self, key: str) -> tuple[Raw, int]:
        """See `Store.lease_left`."""
        lease = self._keys.lease(key)
        # First: whoever fills from here on says so.
        waiting: Command = ("SET", self._keys.wait(key), "", "PX", WAIT_MS)
        look: list[Command] = [waiting, *self._reads([key]), ("PTTL", lease)]
        _, value, pttl, left = await self._transport.call(*look)
        if left == -1:
            # Leases always expire: this is somebody's garbage, and would stand in the way for ever.
            await self._transport.call(("DEL", lease))
        return Raw(value, pttl), left if isinstance(left, int) else -2

    async def renew(self, keys: Collection[str], token: bytes, lease_ms: int) -> None:
        """See `Store.renew`."""
        await run(self._transport, *(self._script(lua.RENEW, key, token, lease_ms) for key in keys))

    async def release(self, keys: Collection[str], token: bytes) -> None:
        """See `Store.release`."""
        releases = (
            self._script(lua.RELEASE, key, token, *self._waking(key), third=self._keys.wait(key))
            for key in keys
        )
        await run(self._transport, *releases)

    async def fill(
        self, items: Mapping[str, Item], token: bytes, *, announce: bool = False
    ) -> set[str]:
        """See `Store.fill`."""
        fills = [
            self._script(
                *(lua.FILL, key, token, *item, *self._waking(key)), third=self._keys.wait(key)
            )
            for key, item in items.items()
        ]
        announcements = self._announcements(list(items)) if announce else []
        replies = _checked(await self._run_and_announce(fills, announcements))
        return {key for key, reply in zip(items, replies, strict=True) if reply == 1}

    async def put(self, items: Mapping[str, Item], version: int = 0) -> list[Outcome]:
        """See `Store.put`."""
        halves = divmod(version, 2**32)

        def putting(key: str, limit: int) -> ScriptCall:
            intent = self._keys.intent(key)
            return self._script(lua.PUT, key, limit, *items[key], *halves, third=intent)

        outcomes = await self._in_time(list(items), putting, self._announcements(list(items)))
        return [Outcome(outcome) for outcome in _checked(outcomes)]

    async def add(self, key: str, item: Item) -> bool:
        """See `Store.add`."""

        def adding(key: str, limit: int) -> ScriptCall:
            return self._script(lua.ADD, key, limit, *item)

        (stored,) = _checked(await self._in_time([key], adding, retry=False))
        if stored:
            _checked(await run(self._transport, *self._announcements([key])))
        return bool(stored)

    async def increment(self, key: str, amount: int, px: int, prefix: bytes) -> int | Raw:
        """See `Store.increment`."""

        def adding(key: str, limit: int) -> ScriptCall:
            return self._script(lua.INCREMENT, key, limit, amount, px, prefix)

        (count,) = await self._in_time([key], adding, self._announcements([key]), retry=False)
        if isinstance(count, ResponseError):
            if "overflow" in str(count):
                raise OverflowError(str(count))
            if "not an integer" not in str(count):
                raise Unavailable(f"Redis refused: {count}") from count
            (raw,) = await self.read([key])
            return raw
        return int(count)

    async def exchange(self, key: str, old: bytes, new: bytes) -> bool:
        """See `Store.exchange`."""
        script = self._script(lua.EXCHANGE, key, old, new)
        (done,) = _checked(await run(self._transport, script))
        return bool(done)

    async def forget(self, keys: Sequence[str], settle_ms: int = 0) -> int:
        """See `Store.forget`."""
        removals = [
            self._script(lua.FORGET, key, settle_ms, third=self._keys.settling(key)) for key in keys
        ]
        return sum(await self._change(removals, keys))

    async def mark(self, key: str, nonce: bytes, ms: int) -> None:
        """See `Store.mark`."""
        marking = self._script(lua.MARK, key, nonce, ms, third=self._keys.intent(key))
        await self._change([marking], [key])

    async def unmark(self, key: str, nonce: bytes) -> int:
        """See `Store.unmark`."""
        unmarking = self._script(lua.UNMARK, key, nonce, third=self._keys.intent(key))
        (removed,) = await self._change([unmarking], [key])
        return removed

    async def expire(self, keys: Sequence[str]) -> int:
        """See `Store.expire`."""
        return sum(await self._change([self._script(lua.EXPIRE, key) for key in keys], keys))

    async def touch(self, key: str, fresh_ms: int) -> bool:
        """See `Store.touch`."""
        (fresh,) = await self._change([self._script(lua.TOUCH, key, fresh_ms)], [key])
        return bool(fresh)

    # Tags.

    def stamp(self, key: str) -> bytes:
        """See `Store.stamp`."""
        return self._transport.stamp(self._keys.record(key)) or NO_TOKEN

    async def meet(self, keys: Sequence[str]) -> None:
        """See `Store.meet`."""
        records = map(self._keys.record, keys)
        unmet = [record for record in records if self._transport.stamp(record) is None]
        if unmet:
            await self._transport.call(*(("EXISTS", record) for record in unmet))

    async def ensure(self, tags: Sequence[str]) -> dict[str, bytes]:
        """See `Store.ensure`."""
        return {tag: token for tag, (token, _) in (await self._ensured(tags)).items()}

    async def _ensured(self, tags: Sequence[str]) -> dict[str, tuple[bytes, int]]:
        ensuring = [
            (lua.ENSURE, (self._keys.token(tag),), (secrets.token_bytes(8), TOKEN_MS))
            for tag in tags
        ]
        tokens = _checked(await run(self._transport, *ensuring))
        return {tag: (token[:8], _clock(token)) for tag, token in zip(tags, tokens, strict=True)}

    async def ensure_unless_later(self, tags: Sequence[str], clock: int) -> dict[str, bytes] | None:
        """See `Store.ensure_unless_later`."""
        tokens = await self._ensured(tags)
        # Asked for afterwards: a tag without a time was made by whoever used it first, and may
        # have been invalidated before that, and evicted.
        (now,) = await self._transport.call(("GET", self._keys.tag_clock))
        if _number(now) == clock or all(0 < at <= clock for _, at in tokens.values()):
            return {tag: token for tag, (token, _) in tokens.items()}
        return None

    async def invalidate_tags(self, tags: Sequence[str]) -> None:
        """See `Store.invalidate_tags`."""
        messages = forget_keys(self._origin, tags, Kind.FORGET_TAGS)
        await self._retag(tags, [self._announcement(message) for message in messages])

    async def renew_era(self) -> None:
        """See `Store.renew_era`."""
        await self._retag([NAMESPACE], [self._announcement(Message(self._origin, Kind.FORGET_ALL))])

    async def _retag(self, tags: Sequence[str], announcements: Sequence[ScriptCall]) -> None:
        ordered = self._transport.is_ordered
        time = ""
        if not ordered:
            tick: ScriptCall = (lua.TICK, (self._keys.tag_clock,), ())
            (clock,) = _checked(await run(self._transport, tick))
            time = f"{clock:016x}"
        changes: list[ScriptCall] = []
        for tag in tags:
            token = self._keys.token(tag)
            # In a cluster a script may only name what is in one slot, and has the time already.
            names = (self._keys.tag_clock if ordered else token, token)
            changes.append((lua.RETAG, names, (secrets.token_bytes(8), TOKEN_MS, time)))
        _checked(await self._run_and_announce(changes, announcements))

    async def forget_matching(self, pattern: Pattern) -> int:
        """See `Store.forget_matching`."""
        # Leases first: a load that fills before its lease is gone has filled before the records
        # are scanned, and SCAN returns whatever is there from its start to its end.
        await self._unlink_matching(self._keys.leases, pattern)
        removed = await self._unlink_matching(self._keys.records, pattern)
        message = Message(self._origin, Kind.FORGET_MATCHING, (pattern.glob,))
        _checked(await run(self._transport, self._announcement(message)))
        return removed

    async def announce_probe(self, nonce: str) -> None:
        """Send a message to ourselves, to see that it arrives."""
        probe = Message(self._origin, Kind.PROBE, (nonce,))
        _checked(await run(self._transport, self._announcement(probe)))

    async def nudge(self, name: str) -> None:
        """Change a Redis key that is not there, and leave it so."""
        _checked(await run(self._transport, (lua.NUDGE, (name,), ())))

    async def sequence(self) -> int:
        """Return the number of the last message that was sent in this namespace."""
        (number,) = await self._transport.call(("GET", self._keys.sequence))
        return _number(number)

    async def _unlink_matching(self, prefix: str, pattern: Pattern) -> int:
        removed = 0
        for _ in range(MOST_SCANS):
            primaries = await self._transport.primaries()
            generation = self._transport.generation
            for primary in primaries:
                removed += await self._unlink_on(primary, prefix, pattern)
            await self._transport.primaries()
            if self._transport.generation == generation:
                break  # else a key may have moved from a server that was not scanned yet
        return removed

    async def _unlink_on(self, primary: Carrier, prefix: str, pattern: Pattern) -> int:
        removed = 0
        for glob in redis_globs(pattern):
            cursor: Any = 0
            while True:
                scan = ("SCAN", cursor, "MATCH", f"{prefix}{{{glob}}}", "COUNT", SCAN_COUNT)
                ((cursor, found),) = _checked(await primary.call(scan))
                victims = [name for name in found if self._is_match(name, pattern)]
                if victims:
                    # One command for each key: in a cluster they are in different slots. Not to
                    # this server: a key that is moving away is where the cluster says.
                    unlinks = [("UNLINK", victim) for victim in victims]
                    removed += sum(_checked(await self._transport.call(*unlinks)))
                if int(cursor) == 0:
                    break
        return removed

    def _is_match(self, redis_key: bytes, pattern: Pattern) -> bool:
        name = self._keys.name_of(redis_key)
        return name is not None and pattern.may_match_name(name)

    async def _change(self, commands: Sequence[ScriptCall], keys: Sequence[str]) -> list[int]:
        """Run scripts that change keys, then announce it; return the scripts' own replies."""
        return _checked(await self._run_and_announce(commands, self._announcements(keys)))

    async def _in_time(
        self,
        keys: Sequence[str],
        script: Callable[[str, int], ScriptCall],
        announcements: Sequence[ScriptCall] = (),
        *,
        retry: bool = True,
    ) -> list[Any]:
        """Run a script for each key that is not to be carried out later than we wait for it.

        Args:
            keys: The keys.
            script: Returns a key's script, given the last millisecond of its server's time.
            announcements: See `_run_and_announce`.
            retry: See `Carrier.call`.

        Raises:
            Unavailable: Redis cannot be asked, or takes too long.
        """
        patience = self._transport.op_timeout
        times = {key: self._transport.time(self._keys.record(key)) for key in keys}
        limits = {
            key: 0 if time is None else int((time + patience) * 1000) for key, time in times.items()
        }
        replies: dict[str, Any] = {}
        for _ in range(MOST_TRIES):
            scripts = [script(key, limit) for key, limit in limits.items()]
            sent = asyncio.get_running_loop().time()
            try:
                outcomes = await self._run_and_announce(scripts, announcements, retry=retry)
            except BaseException:
                self.settled_at = max(self.settled_at, sent + patience)
                raise
            replies |= zip(limits, outcomes, strict=True)
            # It took long, and nobody has given up yet; or its clock was set.
            limits = {
                key: round(patience * 1000) - reply
                for key, reply in replies.items()
                if isinstance(reply, int) and reply < 0
            }
            if not limits:
                return [replies[key] for key in keys]
        raise Unavailable(f"Redis came to it too late {MOST_TRIES} times")

    async def _run_and_announce(
        self,
        scripts: Sequence[ScriptCall],
        announcements: Sequence[ScriptCall],
        *,
        retry: bool = True,
    ) -> list[Any]:
        """Run scripts, and afterwards their announcements; return the scripts' replies.

        One exchange, unless the order in it is not kept: then who hears of a change might find
        the old value still (race 9).
        """
        if self._transport.is_ordered:
            replies = await run(self._transport, *scripts, *announcements, retry=retry)
            _checked(replies[len(scripts) :])
            return replies[: len(scripts)]
        replies = await run(self._transport, *scripts, retry=retry)
        if announcements:
            _checked(await run(self._transport, *announcements, retry=retry))
        return replies

    def _waking(self, key: str) -> tuple[str, bytes]:
        """Return the channel and the message by which those are woken who wait for a key."""
        message = Message(self._origin, Kind.FILLED, (key,))
        return self._keys.channel, UNNUMBERED + message.pack()

    def _announcements(self, keys: Sequence[str]) -> list[ScriptCall]:
        return [self._announcement(message) for message in forget_keys(self._origin, keys)]

    def _announcement(self, message: Message) -> ScriptCall:
        self.announced += 1
        start = 1 + secrets.randbelow(FIRST_NUMBERS)
        arguments = (self._keys.channel, message.pack(), start)
        return (lua.PUBLISH, (self._keys.sequence,), arguments)

    def _reads(self, keys: Iterable[str]) -> list[Command]:
        commands: list[Command] = []
        for key in keys:
            record = self._keys.record(key)
            commands += [("GET", record), ("PTTL", record)]
        return commands

    def _script(
        self, script: Script, key: str, *arguments: Argument, third: str | None = None
    ) -> ScriptCall:
        names = (self._keys.record(key), self._keys.lease(key))
        return (script, names if third is None else (*names, third), arguments)


def _groups(replies: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    return (replies[start : start + size] for start in range(0, len(replies), size))


def _number(reply: object) -> int:
    """Return a number that Redis counts for us; 0: none yet, or garbage, which the next count will
    replace."""
    return int(reply) if isinstance(reply, bytes) and _NUMBER.fullmatch(reply) else 0


def _clock(token: bytes) -> int:
    try:
        return int(token[8:], 16)
    except ValueError:
        return 0  # garbage: nobody knows when


def _pairs(replies: Sequence[object]) -> list[Raw]:
    return [Raw(*pair) for pair in _groups(replies, 2)]


def _checked(replies: list[Any]) -> list[Any]:
    """Return replies without an error among them: a refused change is one that did not happen."""
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise Unavailable(f"Redis refused: {reply}") from reply
    return replies

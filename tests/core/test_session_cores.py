"""The cores of sessions: values in, values out."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from asynccache.core.session_changes import Changes, changes_of
from asynccache.core.session_cookie import Cookie, default_name
from asynccache.core.session_csrf import mask_token, token_proves
from asynccache.core.session_headers import with_session
from asynccache.core.session_ids import SessionKeys, new_ticket, parse_ticket, rotated
from asynccache.core.session_record import (
    TOMBSTONE,
    SessionRecord,
    Tombstone,
    Verdict,
    judge,
    parse_record,
    touch_is_due,
)
from asynccache.sessions.serializer import JSONSerializer

JSON = JSONSerializer()
NOW = 1_700_000_000_000
FIELDS = {
    b"k": b"d" * 32,
    b"c": b"5",
    b"a": b"900",
    b"i": b"60",
    b"r": b"5",
    b"u": b"ann",
    b"n": b"1",
    b"b": b"3",
    b"f": b"1",
    b"g": b"g1",
    b".a": b"1",
}


def entropy() -> Any:
    """Return a source of bytes that are not random."""
    numbers = itertools.count(1)
    return lambda size: bytes([next(numbers)]) * size


def test_an_identifier_and_its_parts() -> None:
    source = entropy()
    ticket = new_ticket(source)
    other = rotated(ticket, source)

    assert len(ticket.cookie) == 64
    assert parse_ticket(ticket.cookie) == ticket
    assert (other.public_id, other.seed) == (ticket.public_id, ticket.seed)
    assert other.verifier != ticket.verifier
    assert ticket.seed not in repr(ticket)
    assert ticket.public_id not in ticket.cookie


@pytest.mark.parametrize(
    "value", ["", "a" * 63, "a" * 65, "a" * 63 + "=", "a" * 63 + "\n", "é" * 64]
)
def test_what_is_no_identifier(value: str) -> None:
    assert parse_ticket(value) is None


def test_keys_tell_purposes_apart() -> None:
    keys, ticket = SessionKeys([b"n" * 32, b"o" * 32]), new_ticket(entropy())

    assert keys.digests(ticket) == [keys.digest(ticket), SessionKeys([b"o" * 32]).digest(ticket)]
    assert keys.proofs(ticket, "g1") != keys.proofs(ticket, "g2")
    assert set(keys.proofs(ticket, "g1")).isdisjoint(keys.digests(ticket))


def test_tokens() -> None:
    proof = bytes(range(32))
    token = mask_token(proof, b"m" * 32)

    assert token_proves(token, [b"x" * 32, proof])
    assert token != mask_token(proof, b"n" * 32)
    for wrong in (None, 7, "", token[:-1], token + "A", "é" * 86, "A" * 86, "!" * 86):
        assert not token_proves(wrong, [proof])


def test_a_record_is_read() -> None:
    record = parse_record(FIELDS)

    assert isinstance(record, SessionRecord)
    assert (record.user, record.deadline, record.data) == ("ann", 900, {"a": b"1"})
    assert "d" * 32 not in repr(record)


@pytest.mark.parametrize(
    "change",
    [
        *({b"c": b""}, {b"c": b"-1"}, {b"a": b"9" * 17}, {b"a": b"1e3"}, {b"u": b"\xff"}),
        *({b"g": b"\xff"}, {b".\xff": b"1"}, {b"i": b"nan"}, {b"px": b"x"}),
    ],
)
def test_a_damaged_record_is_none(change: dict[bytes, bytes]) -> None:
    assert parse_record({**FIELDS, **change}) is None


def test_half_a_record_is_none_and_a_tombstone_is_one() -> None:
    for name in (b"c", b"a", b"i", b"r"):
        assert parse_record({key: raw for key, raw in FIELDS.items() if key != name}) is None
    assert parse_record({}) is None
    assert isinstance(parse_record({b"x": b"1"}), Tombstone)


def record(**changes: Any) -> SessionRecord:
    """Return a record."""
    fields: dict[str, Any] = {
        "digest": b"d" * 32,
        "created": NOW,
        "deadline": NOW + 1_000,
        "idle": 100,
        "renewed": NOW,
        **changes,
    }
    return SessionRecord(**fields)


@pytest.mark.parametrize(
    ("found", "digests", "verdict"),
    [
        (None, [b"d" * 32], Verdict.MISSING),
        (TOMBSTONE, [b"d" * 32], Verdict.ENDED),
        (record(), [b"d" * 32], Verdict.CURRENT),
        (record(), [b"n" * 32, b"d" * 32], Verdict.CURRENT),
        (record(), [b"x" * 32], Verdict.STALE),
        (record(deadline=NOW), [b"d" * 32], Verdict.MISSING),
        (
            record(previous=b"p" * 32, previous_until=NOW + 1, mode="g"),
            [b"p" * 32],
            Verdict.PREVIOUS,
        ),
        (record(previous=b"p" * 32, previous_until=NOW, mode="g"), [b"p" * 32], Verdict.STALE),
        (
            record(previous=b"p" * 32, previous_until=NOW + 1, mode="s"),
            [b"p" * 32],
            Verdict.SUPERSEDED,
        ),
        (record(previous=b"p" * 32, previous_until=NOW, mode="s"), [b"p" * 32], Verdict.STALE),
    ],
)
def test_what_an_identifier_is_worth(
    found: SessionRecord | Tombstone | None, digests: list[bytes], verdict: Verdict
) -> None:
    told, matched = judge(found, digests, NOW)

    assert told is verdict
    assert (matched in digests) == (verdict not in (Verdict.MISSING, Verdict.ENDED, Verdict.STALE))
    assert verdict.opens == (verdict in (Verdict.CURRENT, Verdict.PREVIOUS))


@pytest.mark.parametrize(
    ("ttl", "now", "due"),
    [(100, NOW, False), (91, NOW, False), (90, NOW, True), (-1, NOW, True), (40, NOW + 955, False)],
)
def test_when_a_life_is_extended(ttl: int, now: int, due: bool) -> None:
    assert touch_is_due(record(), ttl, now, 10) is due


def changed(loaded: dict[str, bytes], current: dict[str, Any], *touched: str) -> Changes:
    """Return what has changed."""
    return changes_of(loaded, current, set(touched), cleared=False, serializer=JSON)


def test_changes() -> None:
    loaded = {"a": b"1", "list": b"[1]", "odd": b"[ 1 ]", "gone": b"1"}
    current = {"a": 1, "list": [1], "odd": [1], "gone": 1}

    assert not changed(loaded, current)
    assert changed(loaded, current, "a").sets == {"a": b"1"}
    assert changed(loaded, {**current, "list": [1, 2]}).sets == {"list": b"[1,2]"}
    del current["gone"]
    assert changed(loaded, current, "gone", "never").deletes == ("gone",)
    cleared = changes_of(loaded, {"b": 2}, {"b"}, cleared=True, serializer=JSON)
    assert (cleared.sets, cleared.clear) == ({"b": b"2"}, True)
    assert cleared.applied_to(loaded) == {"b": b"2"}


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), float("inf"), "\ud800", b"x"])
def test_what_cannot_be_encoded_is_named(value: object) -> None:
    with pytest.raises(TypeError, match=r"session\['odd'\]"):
        changed({}, {"odd": value}, "odd")


@pytest.mark.parametrize(
    "raw", [b"", b"[", b"[" * 100_000, b"NaN", b"-Infinity", b"1e999", b"\xff"]
)
def test_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        JSON.loads(raw)


def test_cookies_are_read_in_order() -> None:
    cookie = Cookie("sid")
    first, second = "a" * 64, "b" * 64
    headers = [
        (b"cookie", f"x=1; sid={first};sid = {'c' * 64}; SID={'d' * 64}; sid=junk".encode()),
        (b"host", b"sid=" + b"e" * 64),
        (b"cookie", f"sid={second}; sid={first}; sid={'f' * 5_000}".encode()),
    ]

    assert [each.cookie for each in cookie.tickets(headers)] == [first, second]


def test_the_safest_name() -> None:
    assert default_name(secure=True, domain=None, path="/") == "__Host-session"
    assert default_name(secure=False, domain=None, path="/") == "session"
    assert default_name(secure=True, domain="a.test", path="/") == "session"
    assert default_name(secure=True, domain=None, path="/a") == "session"


@pytest.mark.parametrize(
    ("headers", "accessed", "cookies", "expected"),
    [
        ([(b"x", b"1")], False, [], [(b"x", b"1")]),
        ([], True, [], [(b"cache-control", b"private"), (b"vary", b"Cookie")]),
        (
            [(b"Vary", b"Accept"), (b"vary", b"Origin"), (b"cache-control", b"public")],
            True,
            [],
            [(b"cache-control", b"public"), (b"vary", b"Accept, Origin, Cookie")],
        ),
        ([(b"vary", b"cookie"), (b"cache-control", b"no-cache")], True, [], None),
        ([(b"vary", b"*"), (b"cache-control", b"no-cache")], True, [], None),
        (
            [(b"Cache-Control", b"public"), (b"cache-control", b"max-age=5")],
            False,
            [b"s=1"],
            [(b"cache-control", b"no-store"), (b"vary", b"Cookie"), (b"set-cookie", b"s=1")],
        ),
    ],
)
def test_what_a_response_says(
    headers: list[tuple[bytes, bytes]],
    accessed: bool,
    cookies: list[bytes],
    expected: list[tuple[bytes, bytes]] | None,
) -> None:
    told = with_session(headers, accessed=accessed, cookies=cookies)

    assert told == (headers if expected is None else expected)

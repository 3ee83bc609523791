"""Who decides whether and for how long a response is stored (RFC 9111, 3 and 4.2; RFC 9213)."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from asynccache.core.http_dates import format_date
from asynccache.core.http_decision import MOST_NAMES, Kept, Rules, decide

Headers = list[tuple[bytes, bytes]]
NOW = 1_700_000_000.0
RFC = Rules(is_rfc=True, statuses=None)
ETAG = (b"etag", b'"a"')
OLD = (b"last-modified", format_date(NOW - 1_000))


def decided(rules: Rules, headers: Headers, **more: Any) -> Kept | str:
    """Return the decision about a response that comes at once."""
    facts: dict[str, Any] = {"status": 200, "has_credentials": False, **more}
    return decide(rules, headers=headers, request_time=NOW, response_time=NOW, **facts)


def lifetime(rules: Rules, headers: Headers, **more: Any) -> float | str:
    """Return the lifetime that is decided, or why there is none."""
    found = decided(rules, headers, **more)
    return found if isinstance(found, str) else found.lifetime


def cc(value: str) -> tuple[bytes, bytes]:
    """Return a ``Cache-Control``."""
    return (b"Cache-Control", value.encode())


def expires(seconds: float) -> tuple[bytes, bytes]:
    """Return an ``Expires``."""
    return (b"Expires", format_date(NOW + seconds))


LADDER = ["targeted", "handler", "policy", "s-maxage", "max-age", "expires", "default", "heuristic"]
"""Who decides, first to last; each says how many seconds it is from the end."""


@pytest.mark.parametrize("is_rfc", [False, True])
@pytest.mark.parametrize(
    "present", [set(names) for n in range(9) for names in itertools.combinations(LADDER, n)]
)
def test_precedence(present: set[str], is_rfc: bool) -> None:
    """All combinations of what may decide: the first that says something does.

    In the mode of the RFC a policy has no seconds of its own, and a targeted field puts away
    Cache-Control and Expires (RFC 9213, 2.2).
    """
    rules = Rules(
        is_rfc=is_rfc,
        targets=(b"x",),
        ttl=600.0 if "policy" in present else None,
        default_ttl=200.0 if "default" in present else None,
        heuristic=0.1 if "heuristic" in present else None,
    )
    said = [each for each in ("s-maxage=500", "max-age=400") if each.split("=")[0] in present]
    headers = [OLD, *([cc(", ".join(said))] if said else [])]
    headers += [expires(300)] if "expires" in present else []
    headers += [(b"x", b"max-age=800")] if "targeted" in present else []
    seconds = dict(zip(LADDER, (800, 700, 600, 500, 400, 300, 200, 100), strict=True))
    if is_rfc:
        seconds.pop("policy")
    expected = next((seconds[name] for name in LADDER if name in present & set(seconds)), None)

    found = lifetime(rules, headers, ttl=700.0 if "handler" in present else None)

    if expected is None:
        assert found == ("stale" if is_rfc else "no-lifetime")
    else:
        assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"x", b"max-age=9"), cc("max-age=5")], 9),
        ([(b"x", b"max-age=9, s-maxage=8")], 8),
        ([(b"x", b"max-age=9"), cc("no-store")], 9),
        ([(b"x", b"max-age=9"), cc("private, no-cache")], 9),
        ([(b"x", b"max-age=0"), cc("max-age=5")], "stale"),
        ([(b"x", b"no-store"), cc("max-age=5")], "no-store"),
        ([(b"x", b"private"), cc("public")], "private"),
        ([(b"x", b"no-cache")], "no-cache"),
        # It says nothing of seconds: neither do the fields that it puts away.
        ([(b"x", b"public"), cc("max-age=5")], 60),
        ([(b"x", b"public"), expires(5)], 60),
        ([(b"x", b"public"), OLD], 60),
        # It is none, and puts away nothing.
        ([(b"x", b"max-age=9,"), cc("no-store")], "no-store"),
        ([(b"x", b""), cc("max-age=5")], 60),
        ([(b"y", b"max-age=9, no-store")], 60),
    ],
)
def test_a_targeted_field(headers: Headers, expected: float | str) -> None:
    """Before the policy's seconds and its heuristic too (RFC 9213, 2.2)."""
    assert lifetime(Rules(ttl=60, targets=(b"x",), heuristic=0.1), headers) == expected


@pytest.mark.parametrize(
    ("headers", "more", "reason"),
    [
        ([cc("no-store")], {}, "no-store"),
        ([cc("public"), cc("NO-STORE")], {}, "no-store"),
        ([cc("private; max-age=60")], {}, "private"),
        ([cc("no-cache")], {}, "no-cache"),
        ([(b"set-cookie", b"a=b")], {}, "set-cookie"),
        ([(b"vary", b"a, *")], {}, "vary"),
        ([(b"vary", b"a"), (b"Vary", b"*")], {}, "vary"),
        ([(b"vary", b"a b")], {}, "vary"),
        ([(b"vary", b",".join(b"x%d" % n for n in range(MOST_NAMES + 1)))], {}, "vary"),
        ([(b"content-type", b"text/event-stream")], {}, "event-stream"),
        ([], {"status": 206}, "status"),
        ([], {"status": 304}, "status"),
        ([], {"status": 404}, "status"),
        ([], {"has_credentials": True}, "authorization"),
        ([cc("must-understand")], {"status": 299}, "must-understand"),
    ],
)
def test_vetoes_come_first(headers: Headers, more: dict[str, Any], reason: str) -> None:
    """Whatever the policy and the handler say (RFC 9111, 3 and 3.5)."""
    statuses = None if more.get("status") == 299 else frozenset({200})
    rules = Rules(ttl=60, default_ttl=60, heuristic=0.1, statuses=statuses, keep=60)
    assert lifetime(rules, headers, ttl=70.0, **more) == reason
    assert lifetime(rules, [*headers, expires(60)], ttl=70.0, **more) == reason


@pytest.mark.parametrize("names", [0, 1, MOST_NAMES])
def test_vary(names: int) -> None:
    """So many names are no veto."""
    listed = {b"x%d" % number for number in range(names)}
    found = decided(Rules(ttl=60), [(b"Vary", b", ".join(sorted(listed)).upper())])
    assert isinstance(found, Kept)
    assert found.names == listed


@pytest.mark.parametrize(
    ("rules", "headers", "more", "expected"),
    [
        (Rules(ttl=60), [(b"age", b"100")], {}, 160),
        (Rules(ttl=60), [(b"date", format_date(NOW - 100))], {}, 160),
        (Rules(ttl=60), [cc("max-age=5"), (b"age", b"100")], {"ttl": 7.0}, 107),
        (Rules(default_ttl=60), [(b"age", b"59")], {}, 60),
        (Rules(default_ttl=60), [(b"age", b"60")], {}, "stale"),
        (RFC, [cc("max-age=5"), (b"age", b"4")], {}, 5),
        (RFC, [cc("max-age=5"), (b"age", b"5")], {}, "stale"),
        (RFC, [cc("max-age=5, stale-if-error=9"), (b"age", b"13")], {}, 5),
        (RFC, [cc("max-age=5, stale-if-error=9"), (b"age", b"14")], {}, "stale"),
        (Rules(ttl=0.0), [], {}, "stale"),
        (Rules(ttl=60), [], {"ttl": 0.0}, "stale"),
        (Rules(ttl=0.0, stale_while_revalidate=5), [], {}, 0),
        (RFC, [cc("max-age=0")], {}, "stale"),
    ],
)
def test_age(rules: Rules, headers: Headers, more: dict[str, Any], expected: float | str) -> None:
    """Seconds of the policy or the handler count from now, those of a header from the source."""
    assert lifetime(rules, headers, **more) == expected


@pytest.mark.parametrize(
    ("rules", "headers", "status", "expected"),
    [
        (Rules(ttl=60), [], 503, "status"),
        (Rules(default_ttl=60), [], 503, "no-lifetime"),
        (Rules(default_ttl=60), [cc("max-age=5")], 503, 5),
        (Rules(), [cc("max-age=5")], 503, 5),
        (Rules(heuristic=0.1), [OLD], 503, "no-lifetime"),
        (Rules(heuristic=0.1), [OLD], 501, 100),
        (Rules(default_ttl=60), [OLD], 501, "no-lifetime"),
        (Rules(is_rfc=True, default_ttl=60, keep=9), [ETAG], 500, "no-lifetime"),
        (RFC, [cc("max-age=5")], 500, 5),
        (RFC, [expires(5)], 599, 5),
        (Rules(ttl=60), [], 499, 60),
    ],
)
def test_failures(rules: Rules, headers: Headers, status: int, expected: float | str) -> None:
    """They are kept only if they say so themselves, never by a policy's seconds."""
    rules = Rules(**{name: getattr(rules, name) for name in Rules.__slots__} | {"statuses": None})
    found = lifetime(rules, headers, status=status)
    assert found == (expected if isinstance(expected, str) else pytest.approx(expected))


def test_a_handler_that_says_seconds_of_a_failure_is_not_heard() -> None:
    """It said them before it failed."""
    assert lifetime(RFC, [], status=500, ttl=7.0) == "status"
    assert lifetime(RFC, [cc("max-age=5")], status=500, ttl=7.0) == "status"


@pytest.mark.parametrize(
    ("status", "control", "is_any"),
    [
        *((status, "", True) for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414)),
        *((status, "", False) for status in (201, 202, 299, 302, 303, 307, 400, 401, 403, 409)),
        *((status, "public", True) for status in (201, 302, 307, 400)),
    ],
)
def test_what_does_not_say_that_it_may_be_stored(status: int, control: str, is_any: bool) -> None:
    """By the RFC it depends on the status (RFC 9111, 3; RFC 9110, 15.1); else on the policy."""
    rules = Rules(is_rfc=True, statuses=None, default_ttl=60, keep=9)
    assert lifetime(rules, [cc(control)], status=status) == (60 if is_any else "no-lifetime")
    kept = Rules(is_rfc=True, statuses=None, keep=9)
    assert lifetime(kept, [cc(control), ETAG], status=status) == (0 if is_any else "no-lifetime")
    assert lifetime(kept, [cc(control), ETAG], status=status, ttl=7.0) == 7
    assert lifetime(Rules(statuses=None, default_ttl=60), [], status=status) == 60


@pytest.mark.parametrize(
    ("headers", "keep", "expected"),
    [
        ([], 9, "no-lifetime"),
        ([ETAG], 0, "stale"),
        ([ETAG], 9, 0),
        ([OLD], 9, 0),
        ([ETAG, cc("no-cache, max-age=5")], 9, 0),
        ([cc("no-cache, max-age=5")], 9, "stale"),
        ([ETAG, cc("max-age=0, must-revalidate")], 9, 0),
        ([cc("max-age=0")], 9, "stale"),
        ([ETAG, cc("max-age=5")], 9, 5),
    ],
)
def test_what_can_be_validated_is_kept(
    headers: Headers, keep: float, expected: float | str
) -> None:
    """Without freshness, or with what may not be served without asking (4.3, 5.2.2.4)."""
    assert lifetime(Rules(is_rfc=True, keep=keep), headers) == expected


def test_policies_do_not_validate() -> None:
    """There a validator keeps nothing."""
    assert lifetime(Rules(keep=9), [ETAG]) == "no-lifetime"
    found = decided(Rules(keep=9, ttl=60), [ETAG])
    assert isinstance(found, Kept)
    assert found.grace == 0


@pytest.mark.parametrize(
    ("rules", "control", "expected"),
    [
        (Rules(ttl=60), "", (0, 0, 0)),
        (Rules(ttl=60, stale_while_revalidate=5, stale_if_error=7), "", (5, 7, 7)),
        (Rules(ttl=60, stale_while_revalidate=5), "stale-while-revalidate=9", (9, 0, 9)),
        (Rules(ttl=60, stale_if_error=7), "stale-if-error=0", (0, 0, 0)),
        (Rules(ttl=60, stale_while_revalidate=5), "must-revalidate", (0, 0, 0)),
        (Rules(ttl=60, stale_if_error=7), "s-maxage=60", (0, 0, 0)),
        (Rules(is_rfc=True, keep=30, stale_if_error=7), "max-age=60", (0, 7, 30)),
        (Rules(is_rfc=True, keep=30), "max-age=60, must-revalidate", (0, 0, 30)),
    ],
)
def test_what_may_be_served_stale(
    rules: Rules, control: str, expected: tuple[float, float, float]
) -> None:
    """What is kept for validation only is not served (4.2.4)."""
    found = decided(rules, [cc(control), ETAG])
    assert isinstance(found, Kept)
    assert (found.while_revalidate, found.if_error, found.grace) == expected


def test_what_is_kept() -> None:
    """Without what belongs to a connection, a client, or a moment (3.1)."""
    headers = [
        cc('max-age=60, no-cache="X-A", private=x-b, stale-while-revalidate=5'),
        *((b"X-A", b"1"), (b"X-B", b"1"), (b"X-C", b"1"), (b"Connection", b"close, X-D")),
        *((b"X-D", b"1"), (b"Age", b"3"), (b"Set-Cookie", b"a=b"), (b"Vary", b"Accept, accept")),
        (b"X-C", b"2"),
    ]
    found = decided(Rules(allow_set_cookie=True), headers)

    assert found == Kept(
        fields=(
            *((b"cache-control", headers[0][1]), (b"x-c", b"1"), (b"vary", b"Accept, accept")),
            (b"x-c", b"2"),
        ),
        names=frozenset({b"accept"}),
        age=3,
        lifetime=60,
        while_revalidate=5,
        if_error=0,
        grace=5,
        shared=False,
    )


@pytest.mark.parametrize(
    ("value", "shared"),
    [
        *((value, True) for value in ("public", "s-maxage=60", "must-revalidate, max-age=60")),
        *((value, False) for value in ("", "max-age=60", "proxy-revalidate", 'private="x"')),
    ],
)
def test_what_may_answer_requests_with_credentials(value: str, shared: bool) -> None:
    """RFC 9111, 3.5."""
    found = decided(Rules(ttl=60), [cc(value)])
    assert isinstance(found, Kept)
    assert found.shared is shared
    asked = decided(Rules(ttl=60), [cc(value)], has_credentials=True)
    assert isinstance(asked, Kept) is shared
    told_apart = Rules(ttl=60, by_credentials=True)
    assert isinstance(decided(told_apart, [cc(value)], has_credentials=True), Kept)


def test_random_bytes_never_raise() -> None:
    """Whatever an application sends; and what is kept is of some use."""
    chance = random.Random(20)
    names = [b"cache-control", b"vary", b"age", b"date", b"expires", b"etag", b"x", b"connection"]
    values = [b"", b"max-age=5", b"public", b"*", b"5", b'"', b"\xff", format_date(NOW), b"private"]
    rules = [
        *(RFC, Rules(ttl=5), Rules(default_ttl=5), Rules(is_rfc=True, keep=5, targets=(b"x",))),
        Rules(heuristic=0.5, stale_if_error=5),
    ]
    for _ in range(5_000):
        headers = [
            (chance.choice(names), chance.choice(values)) for _ in range(chance.randrange(6))
        ]
        found = decided(chance.choice(rules), headers, status=chance.choice([200, 302, 404, 503]))
        if isinstance(found, Kept):
            assert found.lifetime + found.grace > found.age >= 0

"""The checklist of attacks, races and faults, by its numbers; A identifiers, B caches, K races."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from asynccache import InvalidArgument, ManualClock, MemorySessionStore, SessionManager
from tests.sessions.site import Site, ask, cookie_of, sets_cookie
from tests.sessions.visits import begun, data, store_of

MakeSite = Callable[..., Site]


@pytest.fixture(params=["memory", "redis"])
async def make_site(request: pytest.FixtureRequest) -> AsyncIterator[MakeSite]:
    """Make sites whose sessions are in one store; in memory and in Redis."""
    sites: list[Site] = []
    store = MemorySessionStore()
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""

    def make(**options: Any) -> Site:
        place = {"redis": url} if url else {"store": store}
        sites.append(Site(**{**place, **options}))
        return sites[-1]

    yield make
    for site in sites:
        await store_of(site).close()


async def test_a1_identifiers_are_random_in_every_place(make_site: MakeSite) -> None:
    site = make_site()

    cookies = [await begun(site) for _ in range(150)]

    assert len(set(cookies)) == 150
    assert all(len({cookie[place] for cookie in cookies}) > 20 for place in range(64))


async def test_a2_redis_holds_nothing_that_opens_a_session(redis_url: str) -> None:
    site = Site(redis=redis_url)
    cookie = cookie_of(await ask(site, "/login"))
    await ask(site, "/set?a=1", cookie)
    redis = Redis.from_url(redis_url)
    pieces: list[bytes] = []
    async for key in redis.scan_iter():
        pieces += [bytes(key), await redis.dump(key) or b""]
    await redis.aclose()
    kept = b" ".join(pieces)

    windows = [cookie[start : start + 20].encode() for start in range(45)]
    assert not [window for window in windows if window in kept]
    for found in re.findall(rb"[A-Za-z0-9_-]{20,}", kept):
        for guess in (found.decode(), (found.decode() * 4)[:64], found.decode().ljust(64, "A")):
            assert await data(site, guess) == {}
    await store_of(site).close()


async def test_a2_an_older_key_still_opens(make_site: MakeSite) -> None:
    cookie = await begun(make_site(secret_key="o" * 32))
    both = make_site(secret_key=["n" * 32, "o" * 32])

    assert await data(both, cookie) == {"a": "1"}
    assert await data(make_site(secret_key="n" * 32), cookie) == {}
    await ask(both, "/set?b=2", cookie)
    assert await data(make_site(secret_key="n" * 32), cookie) == {"a": "1", "b": "2"}


@pytest.mark.parametrize("cookie", ["x" * 64, "A" * 63, "../../etc/passwd", "{}*" * 21 + "a"])
async def test_a3_an_unknown_identifier_is_never_adopted(make_site: MakeSite, cookie: str) -> None:
    site = make_site()

    response = await ask(site, "/set?a=1", cookie)

    assert cookie_of(response) != cookie
    assert cookie_of(response)[:24] != cookie[:24]
    assert await data(site, cookie) == {}


@pytest.mark.parametrize("path", ["/login", "/set?user=ann"])
async def test_a4_a_login_replaces_the_identifier(make_site: MakeSite, path: str) -> None:
    site = make_site()
    before = await begun(site)

    after = cookie_of(await ask(site, path, before))

    assert after != before
    assert (await data(site, after))["a"] == "1"
    assert await data(site, before) == {}
    about = (await ask(site, "/about", after)).json()
    assert about["user"] == "ann"


async def test_a5_a_renewed_identifier_lands_what_is_under_way(make_site: MakeSite) -> None:
    site = make_site(rotation_grace=10)
    old = await begun(site)

    first, second = await asyncio.gather(
        ask(site, "/regenerate", old), ask(site, "/regenerate", old)
    )
    late = await ask(site, "/set?late=1", old)

    handed_out = [cookie_of(each) for each in (first, second) if sets_cookie(each)]
    assert handed_out
    assert not sets_cookie(late)
    for cookie in handed_out:
        assert await data(site, cookie) == {"a": "1", "late": "1"}


async def test_a5_the_old_one_is_dead_after_its_grace(clock: ManualClock) -> None:
    site = Site(store=MemorySessionStore(clock), rotation_grace=10)
    old = await begun(site)
    new = cookie_of(await ask(site, "/regenerate", old))

    clock.advance(9.9)
    assert await data(site, old) == {"a": "1"}
    clock.advance(0.2)
    assert await data(site, old) == {}
    assert await data(site, new) == {"a": "1"}


@pytest.mark.parametrize("path", ["/set?b=2", "/clear", "/pop", "/read", "/logout"])
async def test_a6_a_superseded_identifier_sets_no_cookie(make_site: MakeSite, path: str) -> None:
    site = make_site()
    old = await begun(site)
    new = cookie_of(await ask(site, "/login", old))

    response = await ask(site, path, old)

    assert response.status_code == 200
    assert not sets_cookie(response)
    assert await data(site, new) == {"a": "1"}


async def test_a6_a_login_with_it_works(make_site: MakeSite) -> None:
    site = make_site()
    old = await begun(site)
    await ask(site, "/login", old)

    other = cookie_of(await ask(site, "/login?who=bob", old))

    assert (await ask(site, "/about", other)).json()["user"] == "bob"


async def test_a7_a10_attributes_of_the_cookie(make_site: MakeSite) -> None:
    site = make_site(max_age=3_600)
    response = await ask(site, "/set?a=1")
    ended = await ask(site, "/logout", cookie_of(response))

    (line,) = response.headers.get_list("set-cookie")
    (end,) = ended.headers.get_list("set-cookie")
    rest = "; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert line == f"__Host-session={cookie_of(response)}; Max-Age=3600{rest}"
    assert end == f"__Host-session=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT{rest}"


@pytest.mark.parametrize(
    "line",
    [b"", b"=", b"\x00" * 64, b"x" * 6_000, b"{}" * 32, b"*" * 64, b"\xff" * 64, b"a b;c=d; ;;="],
)
async def test_a8_garbage_costs_no_command(make_site: MakeSite, line: bytes) -> None:
    site = make_site(store=_Untouchable(), redis=None)
    status = 0

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/read",
        "raw_path": b"/read",
        "root_path": "",
        "query_string": b"",
        "http_version": "1.1",
        "scheme": "https",
        "headers": [(b"host", b"site.test"), (b"cookie", b"__Host-session=" + line)],
    }
    await site.app(scope, receive, send)

    assert status == 200


class _Untouchable(MemorySessionStore):
    async def load(self, place: str) -> Any:
        raise AssertionError(place)


async def test_a9_of_several_cookies_the_first_counts(make_site: MakeSite) -> None:
    site = make_site()
    mine, planted = await begun(site, a="mine"), await begun(site, a="planted")

    found = await data(site, f"garbage; __Host-session={mine}; __Host-session={planted}")

    assert found == {"a": "mine"}
    assert "ambiguous" in site.events


async def test_a11_no_cookie_unless_the_identifier_is_new(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site)

    for path in ("/read", "/set?a=2", "/append?item=1", "/untouched", "/incr"):
        assert not sets_cookie(await ask(site, path, cookie))


@pytest.mark.parametrize("path", ["/read", "/has", "/logout", "/clear", "/pop", "/untouched"])
async def test_a12_who_has_no_session_gets_none(make_site: MakeSite, path: str) -> None:
    site = make_site(store=_Untouchable(), redis=None)

    response = await ask(site, path)

    assert response.status_code == 200
    assert not sets_cookie(response)
    assert site.events == []


async def test_b1_b3_what_caches_are_told(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site)

    untouched = await ask(site, "/untouched", cookie)
    looked = await ask(site, "/has", cookie)
    written = await ask(site, "/set?b=1", cookie)

    assert "vary" not in untouched.headers
    assert "cache-control" not in untouched.headers
    assert (looked.headers["vary"], looked.headers["cache-control"]) == ("Cookie", "private")
    # The application has said so itself; shared caches have a Vary at least.
    assert written.headers["cache-control"] == "public, max-age=60"
    assert written.headers["vary"] == "Cookie"


@pytest.mark.parametrize("path", ["/set?a=1", "/login", "/regenerate", "/logout"])
async def test_b2_who_hands_out_a_cookie_is_not_stored(make_site: MakeSite, path: str) -> None:
    site = make_site()
    cookie = None if path == "/set?a=1" else await begun(site)

    response = await ask(site, path, cookie)

    assert sets_cookie(response)
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["vary"] == "Cookie"


async def test_k1_fifty_writers_lose_nothing(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site)
    requests = [
        asyncio.create_task(ask(site, f"/slow?k{number}=1", cookie)) for number in range(50)
    ]
    await asyncio.sleep(0.2)
    site.gate.set()

    responses = await asyncio.gather(*requests)

    assert {response.status_code for response in responses} == {200}
    assert len(await data(site, cookie)) == 51


async def test_k2_a_reader_does_not_undo_a_write(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site)
    reading = asyncio.create_task(ask(site, "/slow", cookie))
    await site.reached.wait()

    await ask(site, "/set?a=2", cookie)
    site.gate.set()
    await reading

    assert await data(site, cookie) == {"a": "2"}


@pytest.mark.parametrize("path", ["/slow", "/slow?b=2"])
async def test_k3_what_was_ended_stays_ended(make_site: MakeSite, path: str) -> None:
    site = make_site()
    cookie = await begun(site)
    late = asyncio.create_task(ask(site, path, cookie))
    await site.reached.wait()

    await ask(site, "/logout", cookie)
    site.gate.set()
    response = await late

    assert response.status_code == 200
    assert not sets_cookie(response)
    assert await data(site, cookie) == {}


async def test_k4_who_began_before_a_login_sets_no_cookie(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site)
    late = asyncio.create_task(ask(site, "/slow?b=2", cookie))
    await site.reached.wait()

    new = cookie_of(await ask(site, "/login", cookie))
    site.gate.set()

    assert not sets_cookie(await late)
    assert await data(site, new) == {"a": "1"}
    assert "dropped" in site.events


async def test_k5_numbers_and_takes_are_atomic(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site, flash="hello")

    counts = await asyncio.gather(*(ask(site, "/incr", cookie) for _ in range(20)))
    taken = await asyncio.gather(*(ask(site, "/take", cookie) for _ in range(5)))

    assert sorted(each.json() for each in counts) == list(range(1, 21))
    assert [each.json() for each in taken].count("hello") == 1
    assert await data(site, cookie) == {"n": 20}


async def test_k5_a_conflict_may_be_told(make_site: MakeSite) -> None:
    site = make_site(conflict="raise")
    cookie = await begun(site)
    late = asyncio.create_task(ask(site, "/slow?a=late", cookie))
    await site.reached.wait()

    await ask(site, "/set?a=early", cookie)
    site.gate.set()

    assert (await late).status_code == 409
    assert await data(site, cookie) == {"a": "early"}


async def test_k6_two_first_requests_are_two_sessions(make_site: MakeSite) -> None:
    site = make_site()

    first, second = await begun(site, a="1"), await begun(site, b="2")

    assert await data(site, first) == {"a": "1"}
    assert await data(site, second) == {"b": "2"}


async def test_k7_a_session_that_expires_under_way_is_not_written_in_part(
    clock: ManualClock,
) -> None:
    store = MemorySessionStore(clock)
    site = Site(store=store, idle_timeout=60)
    cookie = await begun(site)
    late = asyncio.create_task(ask(site, "/slow?b=2", cookie))
    await site.reached.wait()

    clock.advance(61)
    site.gate.set()

    assert not sets_cookie(await late)
    assert await data(site, cookie) == {}


async def test_t1_idle_and_absolute_time(clock: ManualClock) -> None:
    site = Site(store=MemorySessionStore(clock), idle_timeout=60, max_age=300)
    cookie = await begun(site)

    for _ in range(5):
        clock.advance(50)
        assert await data(site, cookie) == {"a": "1"}
    clock.advance(50.1)  # within the idle time, but past the deadline
    assert await data(site, cookie) == {}

    cookie = await begun(site)
    clock.advance(60.1)
    assert await data(site, cookie) == {}


async def test_t1_a_login_resets_both(clock: ManualClock) -> None:
    site = Site(store=MemorySessionStore(clock), idle_timeout=60, max_age=100)
    cookie = await begun(site)
    clock.advance(59)

    cookie = cookie_of(await ask(site, "/login", cookie))
    clock.advance(59)

    assert await data(site, cookie) == {"a": "1"}


async def test_t2_one_touch_in_an_interval(clock: ManualClock) -> None:
    store = _Counting(clock)
    site = Site(store=store, idle_timeout=100)
    cookie = await begun(site)

    for _ in range(50):
        clock.advance(1)
        await ask(site, "/read", cookie)

    assert store.touches == 5


class _Counting(MemorySessionStore):
    touches = 0

    async def touch(self, place: str, digest: bytes) -> None:
        self.touches += 1
        await super().touch(place, digest)


async def test_t1_remember_me(clock: ManualClock) -> None:
    site = Site(store=MemorySessionStore(clock), idle_timeout=60, max_age=100)
    response = await ask(site, "/remember", await begun(site))

    clock.advance(20_000)

    (line,) = response.headers.get_list("set-cookie")
    assert "Max-Age=2592000" in line
    assert await data(site, cookie_of(response)) == {"a": "1"}


async def test_renewal_of_identifiers(clock: ManualClock) -> None:
    site = Site(store=MemorySessionStore(clock), renew_every=300)
    cookie = await begun(site)

    assert not sets_cookie(await ask(site, "/read", cookie))
    clock.advance(301)
    renewed = cookie_of(await ask(site, "/read", cookie))

    assert renewed != cookie
    assert renewed[:24] == cookie[:24]
    assert await data(site, renewed) == {"a": "1"}


async def test_csrf_tokens(make_site: MakeSite) -> None:
    site = make_site()
    response = await ask(site, "/csrf")
    cookie, token = cookie_of(response), response.text
    other = (await ask(site, "/csrf", cookie)).text
    stranger = await begun(site)

    async def holds(token: str, cookie: str) -> bool:
        return bool((await ask(site, f"/check?token={token}", cookie)).json())

    assert token != other
    assert await holds(token, cookie)
    assert await holds(other, cookie)
    assert not await holds(token, stranger)
    assert not await holds(("A" if token[0] != "A" else "B") + token[1:], cookie)
    assert not await holds("", cookie)
    renewed = cookie_of(await ask(site, "/regenerate", cookie))
    assert await holds(token, renewed)
    after = await ask(site, "/login", renewed)
    assert not await holds(token, cookie_of(after))
    assert await holds(after.text, cookie_of(after))


async def test_users_sessions_are_listed_and_ended(make_site: MakeSite) -> None:
    site = make_site()
    mine, phone, tablet = [cookie_of(await ask(site, "/login")) for _ in range(3)]
    manager = SessionManager(store=store_of(site))

    listed = await manager.list("ann")
    own = (await ask(site, "/about", mine)).json()["id"]
    assert {each.user_id for each in listed} == {"ann"}
    assert len({each.public_id for each in listed} & {own}) == 1
    assert await data(site, own) == {}

    phone = cookie_of(await ask(site, "/regenerate", phone))
    assert await manager.revoke_all("ann", except_=own) == 2
    for cookie, user in ((mine, "ann"), (phone, None), (tablet, None)):
        assert (await ask(site, "/about", cookie)).json()["user"] == user
    assert await manager.revoke(own)
    assert not await manager.revoke(own)
    assert await manager.list("ann") == []


async def test_a_user_may_have_so_many(make_site: MakeSite) -> None:
    site = make_site(max_sessions=2)

    cookies = [cookie_of(await ask(site, "/login")) for _ in range(4)]

    users = [(await ask(site, "/about", cookie)).json()["user"] for cookie in cookies]
    assert users[-1] == "ann"
    assert users.count("ann") == 2


@pytest.mark.parametrize("skew", [-5.0, 5.0])
async def test_t3_the_clock_of_the_application_does_not_matter(
    redis_url: str, skew: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(redis=redis_url, idle_timeout=300, max_age=400)
    wall = time.time
    monkeypatch.setattr("asynccache.sessions.redis_store.time.time", lambda: wall() + skew)

    cookie = cookie_of(await ask(site, "/login"))
    renewed = cookie_of(await ask(site, "/regenerate", cookie))
    redis = Redis.from_url(redis_url)
    (key,) = await redis.keys("acs:s:*")

    assert (await ask(site, "/about", cookie)).json()["user"] == "ann"
    assert (await ask(site, "/about", renewed)).json()["user"] == "ann"
    assert 296_000 < await redis.pttl(key) <= 300_000
    await redis.aclose()
    await store_of(site).close()


async def test_a4_a_login_keeps_what_it_is_told_to(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site, cart="tea", planted="by somebody")

    after = cookie_of(await ask(site, "/login_keeping", cookie))

    assert await data(site, after) == {"cart": "tea"}


async def test_without_autoload_nobody_asks_in_vain(make_site: MakeSite) -> None:
    site = make_site(autoload=False)
    cookie = await begun(make_site())

    assert (await ask(site, "/load", cookie)).json() == "1"
    assert (await ask(site, "/untouched", cookie)).status_code == 200
    assert (await ask(site, "/read", cookie)).status_code == 500


async def test_a4_no_value_stands_for_the_user_of_a_login(make_site: MakeSite) -> None:
    site = make_site()
    before = await begun(site, user="bob")

    after = cookie_of(await ask(site, "/login_with_profile", before))

    assert (await ask(site, "/about", after)).json()["user"] == "7"
    assert await data(site, after) == {"user": {"name": "Ann"}}


async def test_nobody_is_no_user(make_site: MakeSite) -> None:
    site = make_site()
    cookie = await begun(site)

    with pytest.raises(InvalidArgument, match="user_id"):
        await SessionManager(store=store_of(site)).revoke_all("")

    assert await data(site, cookie) == {"a": "1"}

"""Checklist 25 to 28: one run for many, and nobody waits for what does not help."""

from __future__ import annotations

import asyncio

import pytest

from asynccache import Cache
from asynccache.http.policy import OutputPolicy
from tests.http.site import Answer, Exchange, Site, site

EVERYTHING = OutputPolicy(ttl=60)


async def test_25_twenty_misses_run_the_application_once() -> None:
    """All of them get its response."""

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        await exchange.respond(f"{exchange.number}")

    async with site(handler, EVERYTHING) as here:
        answers = await asyncio.gather(*(here.get("/") for _ in range(20)))

        assert {answer.body for answer in answers} == {b"1"}
        assert here.calls == 1


async def test_25_twenty_misses_of_a_page_that_varies() -> None:
    """Once for each variant, though nobody knew before that it varies."""

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.02)
        await exchange.respond(f"{exchange.header('accept')}", [("vary", "accept")])

    async with site(handler, EVERYTHING) as here:
        asked = ["a", "b"] * 10
        answers = await asyncio.gather(*(here.get("/", [("accept", each)]) for each in asked))

        assert [answer.body.decode() for answer in answers] == asked
        assert here.calls == 2


async def test_26_uncacheable_responses_do_not_queue() -> None:
    """Those who wait are released when the response begins, not when it ends."""
    end = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await asyncio.sleep(0.01)
        await exchange.start([("cache-control", "no-store")])
        if exchange.number == 1:
            await end.wait()
        await exchange.body(f"{exchange.number}".encode())

    async with site(handler, EVERYTHING) as here:
        first = asyncio.create_task(here.get("/"))
        others = await asyncio.wait_for(
            asyncio.gather(*(here.get("/") for _ in range(10))), timeout=5
        )
        assert len({answer.body for answer in others}) == 10
        end.set()
        await first


async def test_26_hit_for_miss_ends_by_itself() -> None:
    """Nobody tries for a moment; then the page may turn out to be cacheable after all."""
    control = "no-store"

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("cache-control", control)])

    async with site(handler, EVERYTHING) as here:
        await here.get("/")
        control = "max-age=60"
        await here.get("/")
        assert not (await here.get("/")).is_stored
        here.advance(0.3)
        await here.get("/")
        assert (await here.get("/")).is_stored


async def test_26_what_cannot_be_stored_for_one_may_be_for_another() -> None:
    """Clients that are known get what is theirs; the page is stored for all others nevertheless."""

    async def handler(exchange: Exchange) -> None:
        private = [("cache-control", "private")] if exchange.header("cookie") else []
        await exchange.respond("x", private)

    async with site(handler, EVERYTHING) as here:
        for _ in range(5):
            await here.get("/", [("cookie", "user=1")])
            here.advance(0.3)
        await here.get("/")
        assert (await here.get("/")).is_stored


async def test_26_of_a_marked_page_nobody_waits_for_who_tries() -> None:
    """One request at a time tries again; the others go on."""
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.number == 2:
            await go_on.wait()
        await exchange.respond("x", [("cache-control", "no-store")])

    async with site(handler, EVERYTHING) as here:
        await here.get("/")
        here.advance(1)
        trying = asyncio.create_task(here.get("/"))
        await asyncio.sleep(0.01)
        here.advance(1)
        assert (await asyncio.wait_for(here.get("/"), 5)).body == b"x"
        go_on.set()
        await trying


@pytest.mark.parametrize("how", ["raises", "is cancelled", "stops"])
async def test_27_a_leader_that_ends_badly_is_replaced(how: str) -> None:
    """One of those who wait takes over; none hangs, and none gets the leader's end."""
    begun = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.set()
        await asyncio.sleep(0.02)
        if exchange.number == 1:
            if how == "raises":
                raise RuntimeError("broken")
            if how == "is cancelled":
                await asyncio.sleep(60)
            return
        await exchange.respond(f"{exchange.number}")

    async with site(handler, EVERYTHING) as here:
        leader = asyncio.create_task(here.get("/"))
        await begun.wait()
        followers = [asyncio.create_task(here.get("/")) for _ in range(5)]
        await asyncio.sleep(0.03)
        if how == "is cancelled":
            leader.cancel()
        answers = await asyncio.wait_for(asyncio.gather(*followers), timeout=5)

        assert all(answer.status == 200 for answer in answers)
        if how != "raises":
            assert here.calls == 2
        await asyncio.gather(leader, return_exceptions=True)


async def test_27_who_waits_too_long_runs_the_application() -> None:
    """The lock times out."""
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.number == 1:
            await go_on.wait()
        await exchange.respond(f"{exchange.number}")

    async with site(handler, OutputPolicy(ttl=60, lock_timeout=0.05)) as here:
        leader = asyncio.create_task(here.get("/"))
        await asyncio.sleep(0.01)
        assert (await here.get("/")).body == b"2"
        go_on.set()
        assert (await leader).body == b"1"
        assert (await here.get("/")).body == b"1"


async def test_27_without_a_lock_nobody_waits() -> None:
    """Everybody runs the application until there is a response."""
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.number == 1:
            await go_on.wait()
        await exchange.respond(f"{exchange.number}")

    async with site(handler, OutputPolicy(ttl=60, lock="off")) as here:
        leader = asyncio.create_task(here.get("/"))
        await asyncio.sleep(0.01)
        assert (await here.get("/")).body == b"2"
        go_on.set()
        await leader


async def stale_site(here: Site) -> Answer:
    """Have something stored, and let it go stale."""
    answer = await here.get("/")
    here.advance(15)
    return answer


async def test_28_stale_hits_return_at_once() -> None:
    """One refresh, whatever becomes of the client that has set it off."""
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.number > 1:
            await go_on.wait()
        await exchange.respond(f"{exchange.number}")

    async with site(handler, OutputPolicy(ttl=10, stale_while_revalidate=60)) as here:
        await stale_site(here)
        answers = [await here.get("/") for _ in range(5)]
        assert {answer.body for answer in answers} == {b"1"}
        assert here.calls <= 2
        go_on.set()
        await asyncio.sleep(0.05)

        assert (await here.get("/")).body == b"2"
        assert here.calls == 2


async def test_28_beyond_its_window_nothing_stale_is_served() -> None:
    """The client waits for what is new."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(f"{exchange.number}")

    async with site(handler, OutputPolicy(ttl=10, stale_while_revalidate=20)) as here:
        await here.get("/")
        here.advance(31)
        assert (await here.get("/")).body == b"2"


async def test_28_a_refresh_ends_with_the_cache() -> None:
    """It is cancelled and awaited; no task is left."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number > 1:
            await asyncio.sleep(60)
        await exchange.respond("x")

    policy = OutputPolicy(ttl=10, stale_while_revalidate=60)
    before = asyncio.all_tasks()
    async with site(handler, policy, shutdown_timeout=0.1) as here:
        await stale_site(here)
        await here.get("/")
        await asyncio.sleep(0.01)
        assert here.calls == 2

    assert asyncio.all_tasks() == before


async def test_28_a_refresh_that_takes_too_long_is_given_up() -> None:
    """The next stale hit tries again."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number == 2:
            await asyncio.sleep(60)
        await exchange.respond(f"{exchange.number}")

    policy = OutputPolicy(ttl=10, stale_while_revalidate=60, background_timeout=0.05)
    async with site(handler, policy) as here:
        await stale_site(here)
        await here.get("/")
        await asyncio.sleep(0.1)
        here.advance(1.1)
        assert (await here.get("/")).body == b"1"
        await asyncio.sleep(0.05)
        assert (await here.get("/")).body == b"3"


def test_a_cache_is_needed() -> None:
    """Neither none nor two."""
    from asynccache.errors import InvalidArgument  # noqa: PLC0415
    from asynccache.http.cache import OutputCache  # noqa: PLC0415
    from asynccache.http.middleware import OutputCacheMiddleware  # noqa: PLC0415

    async def app(scope: object, receive: object, send: object) -> None:
        raise AssertionError

    cache = Cache()
    with pytest.raises(InvalidArgument, match="cache"):
        OutputCacheMiddleware(app)
    with pytest.raises(InvalidArgument, match="cache"):
        OutputCacheMiddleware(app, cache=cache, output=OutputCache(cache))


@pytest.mark.parametrize("vary", [[], [("vary", "accept")]])
async def test_a_response_is_stored_though_its_client_did_not_wait(
    vary: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may take longer than the last byte waits."""
    monkeypatch.setattr("asynccache.http.storing.STORE_PATIENCE", 0)

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", vary)

    async with site(handler, EVERYTHING) as here:
        await here.get("/")
        await asyncio.sleep(0.05)
        assert (await here.get("/")).is_stored
        assert here.calls == 1


async def test_what_cannot_be_stored_is_sent_all_the_same() -> None:
    """A field's name with a blank: no server would send it, but that is not our business."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond("x", [("bad name", "1")])

    async with site(handler, EVERYTHING) as here:
        for _ in range(2):
            answer = await asyncio.wait_for(here.get("/"), 5)
            assert (answer.body, answer.is_stored) == (b"x", False)


async def test_while_the_cache_is_closing_responses_pass() -> None:
    """What began before ends well; nothing is left behind."""
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        await exchange.start()
        await go_on.wait()
        await exchange.body(b"x")

    async with site(handler, EVERYTHING, shutdown_timeout=0.05) as here:
        running = asyncio.create_task(here.get("/"))
        await asyncio.sleep(0.01)
    go_on.set()
    assert (await asyncio.wait_for(running, 5)).body == b"x"


async def test_28_an_application_that_fails_is_not_asked_at_each_stale_hit() -> None:
    """Once a second is enough."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number > 1:
            raise RuntimeError("down")
        await exchange.respond("x")

    async with site(handler, OutputPolicy(ttl=10, stale_while_revalidate=60)) as here:
        await stale_site(here)
        for _ in range(5):
            assert (await here.get("/")).is_stored
            await asyncio.sleep(0.01)
        assert here.calls == 2
        here.advance(1.1)
        await here.get("/")
        await asyncio.sleep(0.01)
        assert here.calls == 3


@pytest.mark.parametrize("window", [0, 60])
@pytest.mark.parametrize("how", ["gone", "private", "refused"])
async def test_28_what_is_known_to_be_wrong_is_not_served_any_longer(
    how: str, window: float
) -> None:
    """The new response cannot be stored: the old one has to go all the same."""

    async def handler(exchange: Exchange) -> None:
        if exchange.number > 1 and how == "refused":
            exchange.scope["state"]["output_cache"].no_store()
        private = [("cache-control", "private")] if exchange.number > 1 and how == "private" else []
        status = 404 if exchange.number > 1 and how == "gone" else 200
        await exchange.respond(f"{exchange.number}", private, status)

    policy = OutputPolicy(ttl=10, stale_while_revalidate=window, stale_if_error=60)
    async with site(handler, policy) as here:
        await stale_site(here)
        assert (await here.get("/")).body == (b"1" if window else b"2")
        await asyncio.sleep(0.02)
        assert (await here.get("/")).body == b"3"

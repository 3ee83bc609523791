"""Typed views of sessions, and messages for the next page."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from asynccache import ArgumentTypeError, MemorySessionStore
from asynccache.sessions.views import view_of
from tests.sessions.site import Site, ask, session_of
from tests.sessions.visits import begun, data


@dataclass
class Basket:
    """A view."""

    items: list[str] = field(default_factory=list)
    coupon: str | None = None


class Profile(BaseModel):
    """A view that checks."""

    theme: str = "light"
    visits: int = 0


class Shop(Site):
    """A site with views and messages."""

    async def do_basket(self, request: Request) -> Response:
        basket = session_of(request).as_model(Basket)
        basket.items.append(request.query_params["item"])
        await asyncio.sleep(0.05)
        return JSONResponse(basket.items)

    async def do_profile(self, request: Request) -> Response:
        profile = session_of(request).as_model(Profile)
        profile.visits += 1
        await asyncio.sleep(0.05)
        return JSONResponse(profile.visits)

    async def do_look(self, request: Request) -> Response:
        session_of(request).as_model(Basket)
        return JSONResponse(session_of(request).modified)

    async def do_flash(self, request: Request) -> Response:
        session_of(request).flash(request.query_params["text"], "good")
        await asyncio.sleep(0.05)
        return Response()

    async def do_flashes(self, request: Request) -> Response:
        return JSONResponse(session_of(request).flashes())


async def test_only_the_fields_that_changed_are_saved() -> None:
    site = Shop(store=MemorySessionStore())
    cookie = await begun(site)

    await asyncio.gather(
        ask(site, "/basket?item=tea", cookie),
        ask(site, "/profile", cookie),
        ask(site, "/set?coupon=x", cookie),
    )

    held = await data(site, cookie)
    assert held == {"a": "1", "items": ["tea"], "visits": 1, "coupon": "x"}
    assert (await ask(site, "/look", cookie)).json() is False
    assert (await ask(site, "/basket?item=jam", cookie)).json() == ["tea", "jam"]


def test_what_is_no_view() -> None:
    with pytest.raises(ArgumentTypeError):
        view_of(dict, {})
    with pytest.raises(ValidationError):
        view_of(Profile, {"visits": "many"})

    @dataclass
    class Needy:
        must: int

    with pytest.raises(ValueError, match="must"):
        view_of(Needy, {})


async def test_messages_are_shown_once_and_none_is_lost() -> None:
    site = Shop(store=MemorySessionStore())
    cookie = await begun(site)

    await asyncio.gather(*(ask(site, f"/flash?text={number}", cookie) for number in range(5)))
    shown = (await ask(site, "/flashes", cookie)).json()

    assert sorted(shown) == [[str(number), "good"] for number in range(5)]
    assert (await ask(site, "/flashes", cookie)).json() == []
    assert await data(site, cookie) == {"a": "1"}

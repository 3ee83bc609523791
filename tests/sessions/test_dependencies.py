"""The dependencies of FastAPI handlers."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, FastAPI
from starlette.testclient import TestClient

from asynccache import (
    MemorySessionStore,
    Session,
    SessionMiddleware,
    csrf_protect,
    get_session,
    require_user,
)


def application(*, with_sessions: bool = True) -> FastAPI:
    """Return an application that protects a page and a form."""
    app = FastAPI()

    @app.post("/login")
    async def login(session: Annotated[Session, Depends(get_session)]) -> str:
        session.login(7)
        return session.csrf_token()

    @app.get("/me")
    async def me(user: Annotated[str, Depends(require_user)]) -> str:
        return user

    @app.post("/form", dependencies=[Depends(csrf_protect)])
    @app.get("/form", dependencies=[Depends(csrf_protect)])
    async def form() -> str:
        return "done"

    if with_sessions:
        app.add_middleware(
            SessionMiddleware, secret_key="k" * 32, store=MemorySessionStore(), autoload=False
        )
    return app


def test_require_user() -> None:
    client = TestClient(application())

    assert client.get("/me").status_code == 401
    client.post("/login")
    assert client.get("/me").json() == "7"


def test_csrf_protect() -> None:
    client = TestClient(application())
    token = client.post("/login").json()

    assert client.get("/form").status_code == 200
    assert client.post("/form").status_code == 403
    assert client.post("/form", headers={"X-CSRF-Token": "x" * 86}).status_code == 403
    assert client.post("/form", headers={"X-CSRF-Token": token}).json() == "done"
    assert client.post("/form", data={"csrf_token": token}).json() == "done"
    assert client.post("/form", data={"csrf_token": "no"}).status_code == 403
    assert (
        TestClient(application()).post("/form", headers={"X-CSRF-Token": token}).status_code == 403
    )


def test_without_the_middleware_it_says_what_is_missing() -> None:
    client = TestClient(application(with_sessions=False), raise_server_exceptions=False)

    assert client.get("/me").status_code == 500

"""What the middleware refuses at its making."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.datastructures import Secret

from asynccache import Cache, InvalidArgument, MemorySessionStore, SessionManager, SessionMiddleware

KEY = "k" * 32


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("secret_key", {"secret_key": "short"}),
        ("secret_key", {"secret_key": []}),
        ("secret_key", {"secret_key": [KEY, 7]}),
        ("same_site", {"same_site": "none"}),
        ("same_site", {"same_site": "sometimes"}),
        ("partitioned", {"partitioned": True}),
        ("session_cookie", {"session_cookie": "__Host-x"}),
        ("session_cookie", {"session_cookie": "__Host-x", "https_only": True, "domain": "a.test"}),
        ("session_cookie", {"session_cookie": "__Host-x", "https_only": True, "path": "/app"}),
        ("session_cookie", {"session_cookie": "__secure-x"}),
        ("session_cookie", {"session_cookie": "a b"}),
        ("session_cookie", {"session_cookie": "a;b"}),
        ("session_cookie", {"session_cookie": ""}),
        ("path", {"path": "/;x"}),
        ("path", {"path": "app"}),
        ("domain", {"domain": "a.test; Secure"}),
        ("idle_timeout", {"idle_timeout": 100, "max_age": 50}),
        ("idle_timeout", {"idle_timeout": 0}),
        ("touch_interval", {"idle_timeout": 100, "touch_interval": 50}),
        ("on_store_error", {"on_store_error": "ignore"}),
        ("conflict", {"conflict": "merge"}),
        ("auth_keys", {"auth_keys": "user"}),
        ("max_sessions", {"max_sessions": 0}),
        ("max_bytes", {"max_bytes": 0}),
        ("io_timeout", {"io_timeout": -1}),
        ("save_on", {"save_on": 500}),
        ("events", {"events": "log"}),
        ("autoload", {"autoload": "yes"}),
        ("https_only", {"https_only": "yes"}),
        ("redis", {"redis": "memory://"}),
    ],
)
def test_it_names_the_argument_at_fault(argument: str, options: dict[str, Any]) -> None:
    given: dict[str, Any] = {"secret_key": KEY, "store": MemorySessionStore(), **options}

    with pytest.raises(InvalidArgument) as caught:
        SessionMiddleware(Starlette(), **given)

    assert caught.value.argument == argument


def test_secrets_and_keys_are_not_shown() -> None:
    middleware = SessionMiddleware(
        Starlette(), Secret("geheim" * 8), store=MemorySessionStore(), https_only=True
    )

    assert "geheim" not in repr(middleware) + repr(middleware.settings)
    assert middleware.settings.cookie.name == "__Host-session"


def test_a_cache_in_memory_shares_its_sessions_with_a_manager() -> None:
    cache = Cache()

    middleware = SessionMiddleware(Starlette(), KEY, cache=cache)

    assert SessionManager(cache=cache).store is middleware.store
    assert SessionManager(cache=Cache()).store is not middleware.store


def test_without_a_place_sessions_are_in_memory_and_it_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    middleware = SessionMiddleware(Starlette(), KEY)

    assert isinstance(middleware.store, MemorySessionStore)
    assert "in this process only" in caplog.text


def test_a_manager_without_a_place_would_manage_nothing() -> None:
    with pytest.raises(InvalidArgument, match="one of redis, cache and store"):
        SessionManager()

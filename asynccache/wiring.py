"""Where an application keeps its caches, and how a request's own cache is found again.

Plain functions on ``app.state`` and ASGI scopes: a cache wires itself without knowing a framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asynccache.core.arguments import wrong_type
from asynccache.errors import NotWired, UsageError

STATE_KEY = "asynccache"
"""In ``app.state`` and in the lifespan state: the application's caches by name."""

DEFAULT_NAME = "default"


def wire(app: Any, name: str, cache: object) -> dict[str, Any]:
    """Make a cache known to an application; return its lifespan state.

    Raises:
        ArgumentTypeError: It is no application.
        UsageError: Another cache has the name.
    """
    if not hasattr(app, "state"):
        raise wrong_type("app", app, "a Starlette or FastAPI application")
    caches: dict[str, object] | None = getattr(app.state, STATE_KEY, None)
    if caches is None:
        caches = {}
        setattr(app.state, STATE_KEY, caches)
    if caches.get(name, cache) is not cache:
        raise UsageError(
            f"this application has another cache named {name!r}; give each a name of its own: "
            "Cache(..., name='sessions')"
        )
    caches[name] = cache
    if name == DEFAULT_NAME:
        app.state.cache = cache
    return {STATE_KEY: caches}


def unwire(app: Any, name: str, cache: object) -> None:
    """Forget a cache that has ended."""
    caches: dict[str, object] = getattr(app.state, STATE_KEY, {})
    if caches.get(name) is cache:
        del caches[name]
        if getattr(app.state, "cache", None) is cache:
            del app.state.cache


def find(scope: Mapping[str, Any], name: str) -> object:
    """Return the cache of a request.

    Args:
        scope: The request's ASGI scope.
        name: The cache's name.

    Raises:
        NotWired: Its application has no such cache.
    """
    app = scope.get("app")
    # A mounted application has its own ``app.state``; the lifespan state reaches it as well.
    places = (getattr(getattr(app, "state", None), STATE_KEY, {}), _lifespan_state(scope))
    for caches in places:
        cache: object | None = caches.get(name)
        if cache is not None:
            return cache
    known = sorted({known for caches in places for known in caches})
    raise NotWired(
        f"this application has no cache named {name!r}"
        + (f" (it has: {', '.join(map(repr, known))})" if known else "")
        + "; give it one with FastAPI(lifespan=cache.lifespan), or 'async with "
        "cache.lifespan(app):' in your own lifespan, which has to yield the same for applications "
        "mounted in this one. In tests, use the client as a context "
        "manager: 'with TestClient(app) as client:'"
    )


def _lifespan_state(scope: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Mapping[str, Any]] = scope.get("state", {})
    return state.get(STATE_KEY, {})

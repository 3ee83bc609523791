"""What visitors of a site do again and again."""

from __future__ import annotations

from typing import Any

from asynccache import SessionStore
from tests.sessions.site import Site, ask, cookie_of


def store_of(site: Site) -> SessionStore:
    """Return where a site keeps its sessions; it must have been visited."""
    layer: Any = site.app.middleware_stack
    while not hasattr(layer, "store"):
        layer = layer.app
    store: SessionStore = layer.store
    return store


async def begun(site: Site, **values: str) -> str:
    """Begin a session that holds something; return its cookie."""
    query = "&".join(f"{key}={value}" for key, value in (values or {"a": "1"}).items())
    return cookie_of(await ask(site, f"/set?{query}"))


async def data(site: Site, cookie: str) -> Any:
    """Return what a cookie's session holds."""
    return (await ask(site, "/read", cookie)).json()

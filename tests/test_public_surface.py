"""The public names and signatures. A change here is a change of what users' programs rely on."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import asynccache

NAMES = {
    # the cache, and what it is made with
    *("Cache", "Clock", "Codec", "ManualClock", "MsgpackCodec", "Policy", "RedisSettings"),
    *("RemovalCause", "SystemClock"),
    # ways to use it
    *("BoundCachedFunction", "CachedFunction", "Region", "cached"),
    *("LoadContext", "load_context"),
    *("cache_of", "combine_lifespans", "get_cache", "named_cache"),
    # the output cache
    *("OutputCache", "OutputCacheContext", "OutputCacheMiddleware", "OutputPolicy"),
    *("StoredResponse", "get_output_cache", "output_cache"),
    # sessions
    "Flash",
    *("JSONSerializer", "MemorySessionStore", "RedisSessionStore", "Session", "SessionEvent"),
    *("SessionInfo", "SessionManager", "SessionMiddleware", "SessionStore"),
    *("csrf_protect", "get_session", "require_user"),
    *("SessionClosed", "SessionConflict", "SessionError", "SessionNotLoaded"),
    *("SessionStoreUnavailable", "SessionTooLarge"),
    # what it answers
    *("Health", "LoadResult", "Verification", "MISSING", "Missing", "Statistics", "WriteResult"),
    # what it raises
    *("ArgumentTypeError", "AsyncCacheError", "CacheClosed", "DecodeError", "EncodeError"),
    *(
        "InvalidArgument",
        "LoadCancelled",
        "LoadTimeout",
        "NotAcknowledged",
        "NotStarted",
        "NotWired",
    ),
    *("RecursiveLoad", "Unavailable", "UsageError", "WrongLoop", "WrongProcess"),
}

SIGNATURES = {
    "Cache": (
        "url, *, redis, namespace, name, policy, codec, max_entries, max_bytes, weigher,"
        " on_removal, max_staleness, max_concurrent_loads, outage, outage_staleness,"
        " observer, shutdown_timeout, secret, clock"
    ),
    "Cache.add": "key, value, *, ttl, policy, tags",
    "Cache.clear": "*, strict",
    "Cache.close": "",
    "Cache.delete": "key, *, settle, strict",
    "Cache.delete_many": "keys, *, settle, strict",
    "Cache.expire": "key, *, strict",
    "Cache.get": "key, default, *, policy",
    "Cache.get_many": "keys, *, policy",
    # Not keyword-only: that alone would cost a tenth of a hit.
    "Cache.get_or_load": "key, loader, ttl, policy, tags",
    "Cache.get_or_load_result": "key, loader, ttl, policy, tags",
    "Cache.peek": "key, default",
    "Cache.peek_result": "key, *, stale",
    "Cache.get_or_load_many": "keys, load_missing, *, ttl, policy, tags",
    "Cache.health": "",
    "Cache.incr": "key, amount, *, ttl, policy",
    "Cache.invalidate_pattern": "pattern, *, strict",
    "Cache.invalidate_tags": "*tags, strict",
    "Cache.lifespan": "app",
    "Cache.refresh": "key, loader, *, ttl, policy, tags",
    "Cache.region": "prefix, type_, *, loader, ttl, policy, tags",
    "Cache.set": "key, value, *, ttl, policy, tags, version, strict",
    "Cache.set_many": "values, *, ttl, policy, tags, strict",
    "Cache.statistics": "",
    "Cache.touch": "key, *, ttl, policy",
    "Cache.verify": "*, sample",
    "Cache.writing": "key, *, ttl, on_outage",
    "CachedFunction.invalidate": "*args, **kwargs",
    "CachedFunction.key": "*args, **kwargs",
    "CachedFunction.refresh": "*args, **kwargs",
    "CachedFunction.tags": "*args, **kwargs",
    "ManualClock": "start",
    "ManualClock.advance": "seconds",
    "ManualClock.monotonic": "",
    "OutputCache": (
        "cache, policies, *, name, cache_status, targets, allowed_hosts, keyed_headers,"
        " stripped_headers, max_total_size, hit_for_miss, wall"
    ),
    "OutputCache.evict_all": "",
    "OutputCache.evict_tags": "*tags",
    "OutputCache.evict_url": "url",
    "OutputCache.statistics": "",
    "OutputCacheContext.add_tags": "*tags",
    "OutputCacheContext.no_store": "",
    "OutputCacheContext.vary_by": "name, value",
    "OutputCacheMiddleware": "app, *, cache, policies, output, **options",
    "OutputPolicy": (
        "path, *, when, name, enabled, mode, ttl, default_ttl, heuristic, vary_by_query,"
        " vary_by_header, vary_by_cookie, vary_by_route, vary_by, tags, statuses, lock,"
        " lock_timeout, stale_while_revalidate, stale_if_error, keep, background_timeout, etag,"
        " max_body_size, max_variants, honor_request_cache_control,"
        " allow_set_cookie, on_request, on_serve, on_store"
    ),
    "OutputPolicy.matches": "scope",
    "Policy": (
        "*, ttl, l1_ttl, grace, eager, soft_timeout, background, negative_ttl, jitter, share,"
        " load_timeout, lease_wait, bulkhead, cancel_abandoned"
    ),
    "RedisSettings.from_client": "redis",
    "RedisSettings.from_environment": "prefix",
    "RedisSettings.from_url": "url",
    "Region.clear": "",
    "Region.delete": "id_",
    "Region.delete_many": "ids",
    "Region.expire": "id_",
    "Region.find": "id_",
    "Region.peek": "id_",
    "Region.get": "id_",
    "Region.get_many": "ids",
    "Region.key": "id_",
    "Region.refresh": "id_",
    "Region.set": "id_, value, *, version",
    "Region.set_many": "values",
    "Region.tags": "id_",
    "Session.as_model": "type_",
    "Session.check_csrf": "token",
    "Session.csrf_token": "",
    "Session.flash": "message, category",
    "Session.flashes": "",
    "Session.incr": "key, by",
    "Session.is_valid": "",
    "Session.load": "",
    "Session.login": "user_id, *, max_age, keep",
    "Session.logout": "",
    "Session.regenerate": "",
    "Session.save": "",
    "Session.set_expiry": "*, idle, absolute",
    "Session.take": "key, default",
    "Session.touch": "",
    "SessionManager": "redis, *, cache, store, prefix, io_timeout",
    "SessionManager.list": "user_id",
    "SessionManager.revoke": "public_id",
    "SessionManager.revoke_all": "user_id, *, except_",
    "SessionMiddleware": (
        "app, secret_key, session_cookie, max_age, path, same_site, https_only, domain,"
        " partitioned, *, redis, cache, store, prefix, autoload, **options"
    ),
    "cache_of": "connection, name",
    "csrf_protect": "request",
    "get_session": "connection",
    "require_user": "connection",
    "get_output_cache": "request",
    "output_cache": "policy, **settings",
    "cached": "cache, template, *, ttl, policy, tags",
    "combine_lifespans": "*lifespans",
    "get_cache": "connection",
    "named_cache": "name",
}

INTERNAL = {
    *("Cache.load_registered", "Cache.resolve_policy"),
    *("Cache.drop_here", "Cache.glance", "Cache.spawn"),
    *("OutputCache.evict_pages", "OutputCache.note_kept", "OutputCache.now", "OutputCache.plan"),
}
"""Without an underscore because other modules of the package call them."""


def resolved(path: str) -> Callable[..., Any]:
    """Return the function or class of a dotted path, a method bound as its users call it."""
    first, _, method = path.partition(".")
    owner = getattr(asynccache, first)
    if not method:
        return owner  # type: ignore[no-any-return]  # getattr is untyped
    found = inspect.getattr_static(owner, method)
    bound = found.__func__ if isinstance(found, classmethod | staticmethod) else found
    return bound.__get__(object())  # type: ignore[no-any-return]  # so is getattr_static


def parameters(function: Callable[..., Any]) -> str:
    """Return the names of a function's parameters as one would write them, ``*`` included."""
    signature = inspect.signature(function)
    bare = [
        parameter.replace(default=inspect.Parameter.empty, annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(signature.replace(parameters=bare, return_annotation=signature.empty))[1:-1]


def test_the_public_names_are_these() -> None:
    """Nothing is exported by accident, and nothing that was public is lost."""
    visible = {
        name
        for name, value in vars(asynccache).items()
        if not name.startswith("_") and not isinstance(value, ModuleType) and name != "annotations"
    }

    assert set(asynccache.__all__) == visible == NAMES
    assert len(asynccache.__all__) == len(NAMES)


@pytest.mark.parametrize("path", SIGNATURES)
def test_signature(path: str) -> None:
    """A public function takes these arguments, by these names."""
    assert parameters(resolved(path)) == SIGNATURES[path]


@pytest.mark.parametrize(
    "name", ["Cache", "CachedFunction", "ManualClock", "OutputCache", "OutputPolicy", "Region"]
)
def test_every_public_method_is_pinned(name: str) -> None:
    """A new method is added to the table with its signature."""
    owner = getattr(asynccache, name)
    methods = {
        f"{name}.{method}"
        for method in dir(owner)
        if not method.startswith("_") and callable(getattr(owner, method))
    }

    assert methods - INTERNAL == {path for path in SIGNATURES if path.startswith(f"{name}.")}


@pytest.mark.parametrize("path", [*sorted(NAMES - {"MISSING"}), *SIGNATURES])
def test_everything_public_is_explained(path: str) -> None:
    """Each public class and function has a docstring of its own."""
    assert resolved(path).__doc__


def test_the_reference_has_every_public_name() -> None:
    """The API page shows each name; the errors come as one module."""
    page = Path(__file__).parents[1] / "docs" / "pages" / "api.md"
    shown = set(re.findall(r"^::: asynccache\.(\w+)$", page.read_text(encoding="utf-8"), re.M))
    errors = {name for name in NAMES if getattr(asynccache.errors, name, None)}

    assert "errors" in shown
    assert NAMES - errors - shown == set()

"""How sessions are kept, validated once."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict

from starlette.datastructures import Secret

from asynccache.core.arguments import checked_callable, positive_int, seconds, wrong_type
from asynccache.core.session_changes import Serializer
from asynccache.core.session_cookie import Cookie, SameSite, default_name
from asynccache.core.session_ids import SHORTEST_SECRET, Entropy, SessionKeys
from asynccache.errors import InvalidArgument
from asynccache.sessions.events import Listener
from asynccache.sessions.serializer import JSONSerializer
from asynccache.sessions.store import Limits
from asynccache.types import Duration

logger = logging.getLogger("asynccache")

SecretKey: TypeAlias = str | bytes | Secret | Sequence[str | bytes | Secret]

BROWSER_SESSION_SECONDS = 86_400.0
"""How long the server keeps a session whose cookie lives until the browser is closed."""

TOUCHES = 10
"""In an idle timeout. A session may end by so much of it earlier than it was promised to."""


class SessionOptions(TypedDict, total=False):
    """Options of `SessionMiddleware`, beside those of Starlette's; documented there."""

    idle_timeout: Duration
    touch_interval: Duration | None
    rotation_grace: Duration
    renew_every: Duration | None
    auth_keys: Iterable[str]
    save_on: Callable[[int], bool]
    on_store_error: Literal["fail", "anonymous"]
    io_timeout: Duration
    max_bytes: int
    max_fields: int
    max_sessions: int | None
    serializer: Serializer
    conflict: Literal["last_write", "raise"]
    events: Listener | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """How sessions are kept; times in milliseconds."""

    keys: SessionKeys
    cookie: Cookie
    keeps_cookie: bool
    absolute: int
    idle: int
    touch: int
    grace: int
    renew: int
    auth_keys: frozenset[str]
    save_on: Callable[[int], bool]
    is_anonymous_without_store: bool
    io_timeout: float
    limits: Limits
    max_sessions: int | None
    serializer: Serializer
    raises_conflicts: bool
    events: Listener | None
    entropy: Entropy = field(default=secrets.token_bytes, repr=False)
    wall: Callable[[], float] = field(default=time.time, repr=False)


def below_500(status: int) -> bool:
    """Tell whether a status is no failure of the server."""
    return status < 500


def make_settings(
    secret_key: SecretKey,
    *,
    session_cookie: str | None,
    max_age: Duration | None,
    path: str,
    same_site: SameSite,
    https_only: bool,
    domain: str | None,
    partitioned: bool,
    idle_timeout: Duration = 1_800,
    touch_interval: Duration | None = None,
    rotation_grace: Duration = 10,
    renew_every: Duration | None = None,
    auth_keys: Iterable[str] = ("user", "user_id"),
    save_on: Callable[[int], bool] = below_500,
    on_store_error: Literal["fail", "anonymous"] = "fail",
    io_timeout: Duration = 2.0,
    max_bytes: int = 65_536,
    max_fields: int = 256,
    max_sessions: int | None = None,
    serializer: Serializer | None = None,
    conflict: Literal["last_write", "raise"] = "last_write",
    events: Listener | None = None,
) -> SessionSettings:
    """Return settings; the arguments are those of `SessionMiddleware`."""
    if not isinstance(https_only, bool):
        raise wrong_type("https_only", https_only, "True or False")
    name = session_cookie
    if name is None:
        name = default_name(secure=https_only, domain=domain, path=path)
    cookie = Cookie(name, path, domain, https_only, same_site, partitioned)
    absolute = BROWSER_SESSION_SECONDS if max_age is None else seconds(max_age, "max_age")
    idle = seconds(idle_timeout, "idle_timeout")
    if idle > absolute:
        raise InvalidArgument("idle_timeout", "must not be longer than max_age")
    touch = idle / TOUCHES if touch_interval is None else seconds(touch_interval, "touch_interval")
    if touch >= idle / 2:
        raise InvalidArgument("touch_interval", "must be less than half of idle_timeout")
    _check_choices(on_store_error, conflict)
    _check_functions(save_on, events)
    if isinstance(auth_keys, str):
        raise wrong_type("auth_keys", auth_keys, "several str, in a tuple or another iterable")
    if max_sessions is not None:
        positive_int(max_sessions, "max_sessions")
    if not https_only:
        logger.warning("sessions: https_only is off; a cookie may be read on its way")
    return SessionSettings(
        keys=SessionKeys(_secrets(secret_key)),
        cookie=cookie,
        keeps_cookie=max_age is not None,
        absolute=int(absolute * 1000),
        idle=max(1, int(idle * 1000)),
        touch=max(1, int(touch * 1000)),
        grace=int(seconds(rotation_grace, "rotation_grace") * 1000),
        renew=0 if renew_every is None else int(seconds(renew_every, "renew_every") * 1000),
        auth_keys=frozenset(auth_keys),
        save_on=save_on,
        is_anonymous_without_store=on_store_error == "anonymous",
        io_timeout=seconds(io_timeout, "io_timeout"),
        limits=Limits(positive_int(max_bytes, "max_bytes"), positive_int(max_fields, "max_fields")),
        max_sessions=max_sessions,
        serializer=JSONSerializer() if serializer is None else serializer,
        raises_conflicts=conflict == "raise",
        events=events,
    )


def _check_choices(on_store_error: str, conflict: str) -> None:
    for argument, given, known in (
        ("on_store_error", on_store_error, ("fail", "anonymous")),
        ("conflict", conflict, ("last_write", "raise")),
    ):
        if given not in known:
            raise InvalidArgument(argument, f"must be {known[0]!r} or {known[1]!r}")


def _check_functions(save_on: object, events: object) -> None:
    checked_callable(save_on, "save_on", "a function of a status")
    if events is not None:
        checked_callable(events, "events", "a function of a SessionEvent, or None")


def _secrets(given: SecretKey) -> list[bytes]:
    several = [given] if isinstance(given, str | bytes | Secret) else list(given)
    if not several:
        raise InvalidArgument("secret_key", "must be a key, or several: the newest first")
    return [_secret(each) for each in several]


def _secret(given: object) -> bytes:
    if not isinstance(given, str | bytes | Secret):
        raise wrong_type("secret_key", given, "str, bytes or a Secret, or a list of these")
    raw = given if isinstance(given, bytes) else str(given).encode("utf-8", "surrogatepass")
    if len(raw) < SHORTEST_SECRET:
        raise InvalidArgument(
            "secret_key", f"must have at least {SHORTEST_SECRET} bytes: secrets.token_urlsafe(32)"
        )
    return raw

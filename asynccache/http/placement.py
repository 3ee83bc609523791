"""Where an output cache stands among other middleware, and what is wrong with that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.middleware import Middleware

OUTSIDE: Final = {
    "CORSMiddleware": (
        "its fields depend on the request's Origin: the first origin's would be stored for all"
    ),
    "TrustedHostMiddleware": "a host that nobody has checked would get entries of its own",
    "SessionMiddleware": "a stored response would be sent to other sessions than its own",
    "AuthenticationMiddleware": "a stored response would be sent without asking who wants it",
    "HTTPSRedirectMiddleware": "redirects and pages of both schemes would be stored",
}
"""Middleware that has to stand outside, by name: ours and other frameworks' are called alike."""


def misplaced(stack: Sequence[Middleware], ours: type) -> list[str]:
    """Return what to warn about.

    Args:
        stack: An application's middleware, the outermost first.
        ours: The output cache's class.
    """
    names = [_name(each.cls) for each in stack]
    classes: list[object] = [each.cls for each in stack]
    if ours not in classes:
        return []
    inside = names[classes.index(ours) + 1 :]
    return [
        f"{name} stands inside the output cache: {reason}; add the output cache before it"
        for name, reason in OUTSIDE.items()
        if name in inside
    ]


def stack_of(app: Any) -> Sequence[Middleware]:
    """Return the middleware of an application, the outermost first; none, if it does not tell."""
    stack = getattr(app, "user_middleware", ())
    return [each for each in stack if isinstance(each, Middleware)]


def _name(class_: Any) -> str:
    return str(getattr(class_, "__name__", class_))

"""Ask for a fresh log-in before something serious: a stolen token is not enough."""

from __future__ import annotations

from typing import Final

from asgi_auth.errors import StepUpRequiredError
from asgi_auth.principal import Principal
from asgi_auth.routes.context import RouteContext

__all__ = ["FRESH", "require_fresh"]

FRESH: Final = 300
"""Seconds after a log-in in which it is fresh."""


def require_fresh(
    context: RouteContext, caller: Principal, *, acr: str | None = None
) -> None:
    """Pass a caller who has just logged in.

    Args:
        context: The settings.
        caller: Who calls.
        acr: How strong the log-in must have been, if it matters.

    Raises:
        StepUpRequiredError: It was too long ago, or too weak (RFC 9470).
    """
    is_fresh = context.clock() - (caller.auth_time or 0.0) <= FRESH
    if is_fresh and (acr is None or caller.acr == acr):
        return

    msg = "the log-in is too old or too weak for this"
    raise StepUpRequiredError(msg, acr=() if acr is None else (acr,), max_age=FRESH)

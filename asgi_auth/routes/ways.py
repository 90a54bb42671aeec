"""Serve the ways to log in beside a password, and say which paths they are at.

It decides nothing: it hands on what the application has made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from asgi_auth.identities import Identities
from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.identities import IdentityRoutes
from asgi_auth.routes.operations import Handlers, Operation
from asgi_auth.routes.passkey_logins import passkey_routes
from asgi_auth.routes.providers import ProviderRoutes

__all__ = ["public_paths_of", "routes_beside"]

_PROVIDER: Final = "{provider}"


def routes_beside(
    context: RouteContext, completion: LogInCompletion, public_url: str | None
) -> list[Handlers]:
    """Return what serves passkeys and log-ins at providers, where there are any.

    Args:
        context: The settings.
        completion: Opens the sessions.
        public_url: The application's own origin.

    Raises:
        ConfigurationError: The settings do not fit together.
    """
    routes: list[Handlers] = [*passkey_routes(context, completion)]
    identities = context.methods.identities
    if identities is not None:
        routes.append(ProviderRoutes(context, completion, identities, public_url))
        routes.append(IdentityRoutes(context, identities))

    return routes


def public_paths_of(
    prefix: str, operations: Iterable[Operation], identities: Identities | None
) -> list[str]:
    """Return the paths that no caller need be known for, each of them in full.

    Args:
        prefix: Where the routes are mounted.
        operations: What there is.
        identities: Knows the names of the providers, if there are any.
    """
    names = [] if identities is None else [p.name for p in identities.providers]
    paths = [op.path for op in operations if not op.guarded]
    each = [
        prefix.rstrip("/") + path.replace(_PROVIDER, name)
        for path in paths
        for name in (names if _PROVIDER in path else [""])
    ]
    return list(dict.fromkeys(each))

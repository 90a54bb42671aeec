"""Put together what users may log in with beside a password, and what asks for more.

It decides nothing: it hands on what the application has made, and where it is served.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from asgi_auth.accounts import AccountService
from asgi_auth.factors import Factors
from asgi_auth.identities import Identities
from asgi_auth.passkeys import Passkeys
from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.identities import IdentityRoutes
from asgi_auth.routes.operations import Handlers, Operation
from asgi_auth.routes.passkey_logins import passkey_routes
from asgi_auth.routes.providers import ProviderRoutes

__all__ = ["beside_passwords", "public_paths_of", "routes_beside"]

_PROVIDER: Final = "{provider}"


def beside_passwords(
    accounts: AccountService,
    factors: Factors | None,
    passkeys: Passkeys | None,
    identities: Identities | None,
) -> dict[str, Any]:
    """Return what a ``RouteContext`` says about them.

    What they keep of a user goes with the account.

    Args:
        accounts: Whose they are.
        factors: Second factors, or ``None``.
        passkeys: Passkeys, or ``None``.
        identities: Log-ins at other providers, or ``None``; they go by themselves.
    """
    kinds = [each for each in (factors, passkeys) if each is not None]
    for kind in kinds:
        accounts.also_end(kind.forget, deleted_only=True)

    if passkeys is not None:
        accounts.end_when_claimed(passkeys.forget)

    return {
        "factors": factors,
        "passkeys": passkeys,
        "identities": identities,
        "second_factors": kinds,
        "ways_in": [way for way in (passkeys, identities) if way is not None],
    }


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
    identities = context.identities
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

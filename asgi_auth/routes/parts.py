"""Choose which of the log-in routes there are.

What cannot work is never there: not without mail, not without keys to publish.
"""

from __future__ import annotations

from typing import Final

from asgi_auth.errors import ConfigurationError
from asgi_auth.routes.account import AccountRoutes
from asgi_auth.routes.browser import BrowserRoutes
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.enrolment import FactorRoutes
from asgi_auth.routes.factor_login import FactorLogInRoutes
from asgi_auth.routes.identities import IdentityRoutes
from asgi_auth.routes.login import LogInRoutes
from asgi_auth.routes.openapi import DocumentRoutes
from asgi_auth.routes.operations import Operation
from asgi_auth.routes.passkey_logins import PasskeyLogInRoutes
from asgi_auth.routes.passkeys import PasskeyRoutes
from asgi_auth.routes.providers import ProviderRoutes
from asgi_auth.routes.session import SessionRoutes
from asgi_auth.routes.tickets import TicketRoutes
from asgi_auth.routes.tokens import TokenRoutes

__all__ = ["OPERATIONS", "choose"]

OPERATIONS: Final[tuple[Operation, ...]] = (
    *LogInRoutes.operations,
    *FactorLogInRoutes.operations,
    *FactorRoutes.operations,
    *SessionRoutes.operations,
    *TicketRoutes.operations,
    *AccountRoutes.operations,
    *TokenRoutes.operations,
    *DocumentRoutes.operations,
    *BrowserRoutes.operations,
    *PasskeyLogInRoutes.operations,
    *PasskeyRoutes.operations,
    *ProviderRoutes.operations,
    *IdentityRoutes.operations,
)
"""All of them, in the order of the document."""


_ABILITIES: Final = {
    "register": "register",
    "password_change": "password",
    "delete": "delete",
    "passkeys": "passkeys",
    "providers": "providers",
}
_LACKING: Final = {
    "mail": "an AccountService, or a manager with save_user(), and send_message=...",
    "register": "an AccountService, or a manager with add_user()",
    "password": "an AccountService, or a manager with save_user()",
    "delete": "a store with page() and remove(), or a manager with delete_user()",
    "passkeys": "passkeys=Passkeys(...)",
    "providers": "identities=Identities(...)",
}


def choose(context: RouteContext) -> tuple[Operation, ...]:
    """Return the operations that there are.

    Args:
        context: The settings.

    Raises:
        ConfigurationError: A part is unknown, or cannot work; it says why.
    """
    impossible = _impossible(context)
    include = context.shape.include
    parts: set[str] = {operation.part for operation in OPERATIONS}
    if include is None:
        choice = parts - impossible.keys()
    else:
        choice = {include} if isinstance(include, str) else set(include)
        if unknown := sorted(choice - parts):
            names = ", ".join(sorted(parts))
            msg = f"There is no part {unknown[0]!r}: choose of {names}."
            raise ConfigurationError(msg)

        if lacking := sorted(choice & impossible.keys()):
            msg = f"The part {lacking[0]!r} needs {impossible[lacking[0]]}."
            raise ConfigurationError(msg)

    return context.shape.apply([op for op in OPERATIONS if op.part in choice])


def _impossible(context: RouteContext) -> dict[str, str]:
    """Say which parts cannot work, and what they lack."""
    impossible: dict[str, str] = {}
    can = context.users.can
    if "mail" not in can:
        parts = {operation.part for operation in OPERATIONS if operation.mail}
        impossible.update(dict.fromkeys(parts, _LACKING["mail"]))

    beside = {
        "passkeys": context.methods.passkeys,
        "providers": context.methods.identities,
    }
    can |= {name for name, kind in beside.items() if kind is not None}
    for part, ability in _ABILITIES.items():
        if ability not in can:
            impossible[part] = _LACKING[ability]

    if context.methods.factors is None:
        impossible["factors"] = "factors=Factors(...)"
        if context.methods.second_factor is None and not context.methods.second_factors:
            impossible["login_factor"] = "factors=Factors(...), or a second_factor"

    if context.methods.factors is None or not context.methods.factors.sends_mail:
        impossible["factor_email"] = "factors=Factors(send_message=...)"

    if context.shape.introspection_backend is None:
        impossible["introspect"] = "an introspection_backend that knows the clients"

    if context.tokens.keys.is_symmetric:
        impossible["jwks"] = "key pairs: a secret is never published"

    return impossible

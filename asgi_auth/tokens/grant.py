"""What a user is granted: scopes, roles and the application's own claims.

It says nothing about who the user is, nor for how long.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from asgi_auth._encoding import compact_json
from asgi_auth._frozen import freeze
from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import AUTHENTICATED

__all__ = ["Grant"]

# RFC 6749, section 3.3: no space, no quote, no backslash.
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")

# Claims that say who, when and of which kind; and those by which a token of
# another kind is recognised, which would make ours be refused.
_RESERVED = frozenset(
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "sid",
        "seq",
        "client_id",
        "auth_time",
        "acr",
        "amr",
        "scope",
        "roles",
        "type",
        "typ",
        "token_use",
        "token_type",
        "nonce",
        "at_hash",
        "c_hash",
        "events",
        "cnf",
        "act",
    ]
)


@dataclass(frozen=True, slots=True)
class Grant:
    """What goes into an access token.

    Args:
        scopes: What it allows (RFC 6749, section 3.3).
        roles: The user's roles.
        claims: Further claims, as JSON values.

    Raises:
        ConfigurationError: A scope has a forbidden character or is
            ``authenticated``, a role is no text, or a claim has a reserved name or
            no JSON form.
    """

    scopes: Iterable[str] = ()
    roles: Iterable[str] = ()
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no verifier would take."""
        object.__setattr__(self, "scopes", _in_order(self.scopes, "scopes"))
        object.__setattr__(self, "roles", _in_order(self.roles, "roles"))
        object.__setattr__(self, "claims", _frozen_json(self.claims))
        for scope in self.scopes:
            if _SCOPE.fullmatch(scope) is None or scope == AUTHENTICATED:
                msg = f"{scope!r} cannot be a scope (RFC 6749, section 3.3)."
                raise ConfigurationError(msg)

        reserved = sorted(_RESERVED & self.claims.keys())
        if reserved:
            msg = f"Claims may not set {', '.join(reserved)}: the service does."
            raise ConfigurationError(msg)

    def to_claims(self) -> dict[str, Any]:
        """Return the claims of an access token that this makes."""
        claims: dict[str, Any] = dict(self.claims)
        if self.scopes:
            claims["scope"] = " ".join(self.scopes)

        if self.roles:
            claims["roles"] = list(self.roles)

        return claims


def _in_order(names: Iterable[str], what: str) -> tuple[str, ...]:
    if isinstance(names, str):
        msg = f"{what} is a list of texts, not one text."
        raise ConfigurationError(msg)

    ordered = tuple(dict.fromkeys(names))
    if not all(type(name) is str for name in ordered):
        msg = f"{what} must all be texts."
        raise ConfigurationError(msg)

    return ordered


def _frozen_json(claims: Mapping[str, Any]) -> Any:
    copy = dict(claims)
    try:
        compact_json(copy)
    except (TypeError, ValueError, RecursionError):
        msg = (
            "Claims must be JSON: texts, finite numbers, booleans, None, lists, dicts."
        )
        raise ConfigurationError(msg) from None

    return freeze(copy)

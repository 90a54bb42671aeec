"""Bind a session to the key of its client, for good (RFC 9449, section 5).

The session remembers the key's thumbprint among the claims of its access tokens, and
its refresh tokens name it too: a thief is refused before any store is asked. Proofs are
looked at elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_auth.errors import InvalidTokenError
from asgi_auth.tokens.grant import Grant

__all__ = ["bound_to", "check_binding"]


def bound_to(thumbprint: str | None, grant: Grant) -> dict[str, Any]:
    """Return the claims of access tokens for a key (RFC 9449, section 6.1).

    Args:
        thumbprint: Of the key, or ``None`` for tokens that are not bound.
        grant: What the tokens allow.
    """
    confirmation = {} if thumbprint is None else {"cnf": {"jkt": thumbprint}}
    return {**grant.to_claims(), **confirmation}


def check_binding(claims: Mapping[str, Any], thumbprint: str | None) -> None:
    """Check that the client of a refresh token has the key that it is bound to.

    A token that is not bound stays so, whatever key its client has: whoever came first
    with a key would otherwise have the session for itself.

    Args:
        claims: Of the refresh token.
        thumbprint: Of the key that the client has shown, if it has.

    Raises:
        InvalidTokenError: It has shown another, or none.
    """
    confirmation = claims.get("cnf")
    if confirmation is not None and confirmation != {"jkt": thumbprint}:
        msg = "the refresh token is bound to a key that its sender has not shown"
        raise InvalidTokenError(msg)

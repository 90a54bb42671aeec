"""Devices that are spared their second factor, because their users wanted it.

A log-in from one is no log-in with two factors: what asks for ``acr="mfa"`` still does.
The token is over when the user changes a factor, or logs out everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from asgi_auth.accounts import Account
from asgi_auth.errors import AuthError

__all__ = ["TrustedDevices"]


class _Tokens(Protocol):
    def mint(
        self,
        subject: str,
        *,
        kind: Literal["trust"],
        ttl: float,
        claims: Mapping[str, Any],
    ) -> str: ...

    async def verify(
        self, token: str, expected_type: Literal["trust"]
    ) -> Mapping[str, Any]: ...


class TrustedDevices:
    """Makes and reads the tokens of devices.

    Args:
        tokens: Signs and verifies.
    """

    __slots__ = ("_tokens",)

    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    def write(
        self, account: Account, methods: Mapping[str, float], *, ttl: float
    ) -> str:
        """Make the token of a device that has just shown a second factor.

        Args:
            account: Whose.
            methods: The user's factors, and since when.
            ttl: Seconds that it lives.
        """
        claims = {"since": _state_of(methods)}
        return self._tokens.mint(account.id, kind="trust", ttl=ttl, claims=claims)

    async def admits(
        self, token: str, account: Account, methods: Mapping[str, float]
    ) -> bool:
        """Report whether a device has shown a second factor of this user before."""
        try:
            claims = await self._tokens.verify(token, expected_type="trust")
        except AuthError:
            # Also where it cannot be known: then the user shows the factor again.
            return False

        is_theirs: bool = claims["sub"] == account.id
        return is_theirs and dict(claims["since"]) == _state_of(methods)


def _state_of(methods: Mapping[str, float]) -> dict[str, float]:
    """Return what changes with the factors; recovery codes are used up, and renewed."""
    return {name: since for name, since in methods.items() if name != "recovery"}

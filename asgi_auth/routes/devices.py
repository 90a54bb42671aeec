"""Recognise a device that has logged in before, so that no attacker locks it out.

A device token proves nothing about who is there: it only lets a device have a counter
of failures of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final, Literal, Protocol

from asgi_auth._encoding import b64url_encode
from asgi_auth.accounts import InvalidEmailError, normalise_email
from asgi_auth.errors import AuthError

__all__ = ["KnownDevices", "account_digest", "account_key"]

_LIFETIME: Final = 180 * 86400
_LONGEST: Final = 320


class _Tokens(Protocol):
    def mint(
        self,
        subject: str,
        *,
        kind: Literal["device"],
        ttl: float,
        claims: Mapping[str, Any],
    ) -> str: ...

    async def verify(
        self, token: str, expected_type: Literal["device"]
    ) -> Mapping[str, Any]: ...


class KnownDevices:
    """Makes and reads device tokens.

    Args:
        tokens: Signs and verifies.
    """

    __slots__ = ("_tokens",)

    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    def remember(self, digest: str, device: str | None) -> str:
        """Make the token of a device that has logged in.

        Args:
            digest: The :func:`account_digest` of the address of the account.
            device: The device's id, if it has one.
        """
        return self._tokens.mint(
            device or token_urlsafe(16),
            kind="device",
            ttl=_LIFETIME,
            claims={"account": digest},
        )

    async def recognise(self, token: str | None, email: str) -> str | None:
        """Return the id of a device that has logged in with this address before."""
        if token is None:
            return None

        try:
            claims = await self._tokens.verify(token, expected_type="device")
        except AuthError:
            # Also where it cannot be known: then it is a device like any other.
            return None

        is_known = claims.get("account") == account_digest(email)
        return claims["sub"] if is_known else None


def account_key(email: str) -> str:
    """Return the text by which tries for one account are counted, known or not."""
    try:
        return normalise_email(email, unicode_local=True)
    except InvalidEmailError:
        return email[:_LONGEST].strip().casefold()


def account_digest(email: str) -> str:
    """Return a name for an account in events that does not show its address.

    Whoever can guess an address can find it again: it is no secret.
    """
    # A cookie lies around on a machine: it need not say whose.
    digest = sha256(
        b"asgi-auth device" + account_key(email).encode("utf-8", "replace")
    ).digest()
    return b64url_encode(digest[:16]).decode()

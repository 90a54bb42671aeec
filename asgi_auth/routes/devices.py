"""Recognise a device that has logged in before, so that no attacker locks it out.

A device token proves nothing about who is there: it only lets a device have a counter
of failures of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final, Literal, Protocol

from asgi_auth._encoding import b64url_encode
from asgi_auth.accounts import InvalidEmailError
from asgi_auth.accounts.address import normalise_email
from asgi_auth.errors import AuthError

__all__ = ["KnownDevice", "KnownDevices", "account_digest", "account_key"]

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


@dataclass(frozen=True, slots=True)
class KnownDevice:
    """A device that has logged in before.

    Attributes:
        id: Its name in counters.
        has_shown: It has shown a second factor: whoever had nothing but the password,
            before there was a factor, has no counter of their own to guess codes with.
    """

    id: str
    has_shown: bool = False


class KnownDevices:
    """Makes and reads device tokens.

    Args:
        tokens: Signs and verifies.
    """

    __slots__ = ("_tokens",)

    def __init__(self, tokens: _Tokens) -> None:
        self._tokens = tokens

    def remember(
        self, digest: str, device: KnownDevice | None, *, has_shown: bool = False
    ) -> str:
        """Make the token of a device that has logged in.

        Args:
            digest: The :func:`account_digest` of the address of the account.
            device: The one that it is, if it is known.
            has_shown: It has just shown a second factor.
        """
        known = KnownDevice(token_urlsafe(16)) if device is None else device
        return self._tokens.mint(
            known.id,
            kind="device",
            ttl=_LIFETIME,
            claims={"account": digest, "shown": has_shown or known.has_shown},
        )

    async def recognise(self, token: str | None, digest: str) -> KnownDevice | None:
        """Return the device, if it has logged in to this account before.

        Args:
            token: Of the device, if it has one.
            digest: The :func:`account_digest` of the address of the account.
        """
        if token is None:
            return None

        try:
            claims = await self._tokens.verify(token, expected_type="device")
        except AuthError:
            # Also where it cannot be known: then it is a device like any other.
            return None

        if claims.get("account") != digest:
            return None

        return KnownDevice(claims["sub"], has_shown=claims.get("shown") is True)


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

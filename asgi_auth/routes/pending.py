"""What is known of a log-in that still needs a second factor, as a token.

It opens nothing: whoever holds it has shown one factor, and must show another one. It
is bound to the account as it was, and lives ten minutes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final, Literal, Protocol, cast

from asgi_auth._encoding import b64url_encode, compact_json, constant_time_equal
from asgi_auth.accounts import Account
from asgi_auth.errors import InvalidTokenError
from asgi_auth.routes.delivery import Medium
from asgi_auth.routes.devices import KnownDevice, account_digest
from asgi_auth.routes.users import Users

__all__ = ["PENDING_TTL", "PendingLogIns", "Proof"]

PENDING_TTL: Final = 600
"""Seconds that a log-in may wait for its second factor."""


class _Tokens(Protocol):
    def mint(
        self,
        subject: str,
        *,
        kind: Literal["pending"],
        ttl: float,
        claims: Mapping[str, Any],
    ) -> str: ...

    async def verify(
        self, token: str, expected_type: Literal["pending"]
    ) -> Mapping[str, Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a user has shown so far, and how the tokens are to go out.

    Attributes:
        account: Who logs in; a fresh copy of the store's.
        amr: What was shown (RFC 8176): ``("pwd",)``.
        acr: ``mfa`` where that was enough for two factors, as with a passkey that
            verifies its user; then no other is asked for.
        medium: Where the tokens are to go.
        remember: Whether cookies outlive the session of the browser.
        label: What the client calls its device.
        key: Thumbprint of the key that the tokens are to be bound to (RFC 9449).
        login: The :func:`account_digest` of what was typed to log in; by default that
            of the account's address.
        device: The one that logs in, if it has done so before.
        attempt: Names this log-in; codes by e-mail are good for no other.
        auth_time: When the user was last asked to log in, if that was elsewhere and
            before; by default it is now.
    """

    account: Account
    amr: tuple[str, ...]
    acr: str | None = None
    medium: Medium = "body"
    remember: bool | None = None
    label: str | None = None
    key: str | None = None
    login: str = ""
    device: KnownDevice | None = None
    attempt: str = field(default_factory=lambda: token_urlsafe(16))
    auth_time: float | None = None

    def __post_init__(self) -> None:
        """Name the account by its address, where nothing was typed."""
        if not self.login:
            account = self.account
            name = account.email or account.username or account.id
            object.__setattr__(self, "login", account_digest(name))


class PendingLogIns:
    """Makes the tokens of log-ins that are not done, and reads them.

    Args:
        tokens: Signs and verifies.
        users: Knows whether an account is still what it was.
    """

    __slots__ = ("_tokens", "_users")

    def __init__(self, tokens: _Tokens, users: Users) -> None:
        self._tokens = tokens
        self._users = users

    def write(self, proof: Proof) -> str:
        """Return the token of a log-in that still needs a second factor."""
        device = proof.device
        claims = {
            "account": proof.account.id,
            "bound_to": _state_of(proof.account),
            "shown": list(proof.amr),
            "medium": proof.medium,
            "remember": proof.remember,
            "label": proof.label,
            "key": proof.key,
            "login": proof.login,
            "device": None if device is None else [device.id, device.has_shown],
            "at": proof.auth_time,
        }
        return self._tokens.mint(
            # Not the account's: a log-in is younger than what was ended before it,
            # and its time is said in whole seconds.
            proof.attempt,
            kind="pending",
            ttl=PENDING_TTL,
            claims={name: value for name, value in claims.items() if value is not None},
        )

    async def read(self, token: str) -> Proof:
        """Return what a token says, with the account as it is now.

        Raises:
            ExpiredTokenError: It is over: the log-in begins anew.
            InvalidTokenError: It is anything else, or the account has changed.
            UnavailableError: No verdict is possible at the moment.
        """
        claims = await self._tokens.verify(token, expected_type="pending")
        account = await self._users.find(claims["account"])
        state = str(claims["bound_to"]).encode()
        if account is None or not constant_time_equal(
            state, _state_of(account).encode()
        ):
            msg = "the account has changed since the log-in began"
            raise InvalidTokenError(msg)

        return Proof(
            account=account,
            amr=tuple(claims["shown"]),
            medium=cast("Medium", claims["medium"]),
            remember=claims.get("remember"),
            label=claims.get("label"),
            key=claims.get("key"),
            login=claims["login"],
            device=KnownDevice(*claims["device"]) if "device" in claims else None,
            attempt=claims["sub"],
            auth_time=claims.get("at"),
        )


def _state_of(account: Account) -> str:
    """Return a digest that changes with the password."""
    state = compact_json([account.id, account.password_hash])
    return b64url_encode(sha256(b"asgi-auth pending" + state).digest()).decode()

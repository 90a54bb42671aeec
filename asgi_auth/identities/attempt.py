"""One log-in that has begun here, and goes on at a provider.

It lives in the browser that began it, as a signed token in a cookie; the store only
learns that it has ended. Nothing is sent or judged here.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Final

from asgi_auth.errors import InvalidTokenError
from asgi_auth.identities.errors import InvalidTargetError
from asgi_auth.responses import safe_path

__all__ = ["ATTEMPT_TTL", "Attempt", "check_target"]

ATTEMPT_TTL: Final = 600
"""Seconds in which a user must have logged in at the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What has to be known again when the user comes back.

    Attributes:
        provider: The name of the provider, which no other one may answer for.
        state: Binds the answer to this browser (RFC 6749, section 10.12).
        nonce: Binds the ID token to it (OpenID Connect Core, section 3.1.2.1).
        verifier: Binds the code to it (RFC 7636).
        redirect_uri: Where the provider was asked to send the user.
        next: Where the user wants to go.
        begun_at: When, in Unix seconds.
        fresh: The user is to prove to be there, also if logged in at the provider.
        account_id: Whom to link the identity to, or ``None`` for a log-in.
        session_id: Of the session in which that was asked for.
    """

    provider: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    redirect_uri: str
    next: str
    begun_at: float
    fresh: bool = False
    account_id: str | None = None
    session_id: str | None = None

    @classmethod
    def begin(cls, **facts: Any) -> Attempt:
        """Make an attempt with secrets of its own, of 256 bits each.

        Args:
            facts: What else it has.
        """
        return cls(
            state=token_urlsafe(32),
            nonce=token_urlsafe(32),
            verifier=token_urlsafe(32),
            **facts,
        )

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> Attempt:
        """Return what :meth:`to_claims` was made of.

        Raises:
            InvalidTokenError: The token is of another version of this package.
        """
        facts = claims.get("attempt")
        try:
            return cls(**facts, state=claims["sub"])  # type: ignore[arg-type]
        except (TypeError, KeyError):
            msg = "the token says something else than an attempt to log in"
            raise InvalidTokenError(msg) from None

    def to_claims(self) -> dict[str, Any]:
        """Return what the signed token says beside its subject, the state."""
        facts = asdict(self)
        del facts["state"]
        return {"attempt": {k: v for k, v in facts.items() if v is not None}}

    @property
    def challenge(self) -> str:
        """The verifier as the provider gets it first: S256 (RFC 7636, section 4.2)."""
        digest = sha256(self.verifier.encode()).digest()
        return urlsafe_b64encode(digest).rstrip(b"=").decode()


def check_target(path: str) -> str:
    """Return a path of this site, with or without a query, and nothing else.

    Raises:
        InvalidTargetError: A browser could be led to another site by it.
    """
    if safe_path(path) is None:
        raise InvalidTargetError

    return path

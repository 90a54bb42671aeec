"""What a log-in and a refresh give to the client (RFC 6749, section 5.1)."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["TokenPair"]


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token and the refresh token that replaces it.

    Attributes:
        access_token: For requests.
        refresh_token: For the next pair, once.
        expires_in: Seconds that the access token lives.
        refresh_expires_in: Seconds that the refresh token lives.
        scope: What the access token allows, with spaces in between.
        token_type: ``Bearer``, or ``DPoP`` where they are bound to a key.
        session_id: The session of both (their ``sid``).
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    refresh_expires_in: int
    scope: str = ""
    token_type: str = "Bearer"  # noqa: S105
    session_id: str = ""

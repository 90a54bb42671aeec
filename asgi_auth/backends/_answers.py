"""What an issuer has said of a token, for as long as that is valid.

It sends no requests.
"""

from __future__ import annotations

from asgi_auth.tokens.cache import Entry
from asgi_auth.tokens.verified import VerifiedToken

__all__ = ["Answer"]


class Answer(Entry):
    """What was said of a token, and for how long that is valid."""

    __slots__ = ("_asked_at", "_until", "token")

    def __init__(self, token: VerifiedToken, asked_at: float, until: float) -> None:
        self.token = token
        self._asked_at = asked_at
        self._until = min(until, token.expires_at)

    def holds(self, now: float) -> bool:
        """Say whether it is still valid."""
        return self._asked_at <= now < self._until

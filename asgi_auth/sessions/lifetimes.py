"""How long things live, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError
from asgi_auth.tokens.claims import DAY

__all__ = ["Lifetimes"]

_MAX_GRACE = 60


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Seconds that tokens and sessions live.

    Attributes:
        access: An access token.
        idle: A session that nobody refreshes.
        session: A session in any case.
        grace: A refresh token after its successor was made.

    Raises:
        ConfigurationError: One is out of bounds.
    """

    access: float
    idle: float
    session: float
    grace: float

    def __post_init__(self) -> None:
        """Refuse what would make revocation or rotation useless."""
        if not 0 < self.access <= DAY:
            msg = "access_ttl must be more than 0 seconds and at most a day."
            raise ConfigurationError(msg)

        for ttl in (self.idle, self.session):
            if not self.access <= ttl <= 366 * DAY:
                msg = "refresh_ttl and session_ttl must be access_ttl to 366 days."
                raise ConfigurationError(msg)

        if not 0 <= self.grace <= _MAX_GRACE:
            msg = "grace must be 0 to 60 seconds."
            raise ConfigurationError(msg)

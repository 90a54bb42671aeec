"""How long things live, and how many there are of them, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError
from asgi_auth.tokens.claims import DAY

__all__ = ["LONGEST_LINK", "MAX_SESSIONS", "Lifetimes", "check_page"]

LONGEST_LINK = 7 * DAY
"""Seconds that a token in a message lives at most, and its revocation."""

MAX_SESSIONS = 100
"""Sessions that a subject may have if nobody says otherwise.

More than one person has devices, browsers and lost cookies in the life of a session;
few enough to be shown on a page, and revoked in one step."""

_LONGEST_PAGE = 1000

_LONGEST = {"verify": LONGEST_LINK, "reset": LONGEST_LINK, "device": 366 * DAY}

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

    def check_minted(self, kind: str, ttl: float) -> None:
        """Pass a token without a session only if revocations last as long as it.

        Raises:
            ConfigurationError: It would live longer.
        """
        longest = _LONGEST.get(kind, self.access)
        if ttl > longest:
            msg = f"A token of this kind lives {longest:.0f} seconds at most."
            raise ConfigurationError(msg)


def check_page(limit: int) -> None:
    """Refuse a page that is empty or endless.

    Raises:
        ConfigurationError: *limit* is not 1 to 1000.
    """
    if not 1 <= limit <= _LONGEST_PAGE:
        msg = f"A page has 1 to {_LONGEST_PAGE} sessions."
        raise ConfigurationError(msg)

"""How long things live, and how many there are of them, checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from asgi_auth.errors import ConfigurationError
from asgi_auth.keys import KeySet
from asgi_auth.tokens.claims import DAY

__all__ = [
    "LONGEST_LINK",
    "MAX_SESSIONS",
    "RetryFrom",
    "SessionPolicy",
    "check_minted",
    "check_page",
]

LONGEST_LINK = 7 * DAY
"""Seconds that a token in a message lives at most, and its revocation."""

MAX_SESSIONS = 100
"""Sessions that a subject may have by default.

More than one person has devices, browsers and lost cookies in the life of a session;
few enough to be shown on a page, and revoked in one step."""

RetryFrom = Literal["user_agent", "network", "anywhere"]
"""From where the last refresh token may come back within the grace.

``user_agent``: as the one that replaced it; that of a phone does not change with its
network. ``network``: from the same address too, of IPv6 the /64. ``anywhere``: from
whomever."""

_LONGEST_PAGE = 1000

_LONGEST = {
    "verify": LONGEST_LINK,
    "reset": LONGEST_LINK,
    "device": 366 * DAY,
    "pending": DAY / 24,
    "ceremony": DAY / 24,
    "trust": 366 * DAY,
    "state": 3600,
}

_MAX_GRACE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolicy:
    """How long sessions live, how many there are, and how soon their end is known.

    Attributes:
        access_ttl: Seconds that an access token lives.
        refresh_ttl: Seconds that a session lives without a refresh.
        session_ttl: Seconds that a session lives in any case.
        grace: Seconds, at most 60, in which a repeated refresh gives its successor.
        retry_from: From whom; see :data:`RetryFrom`.
        max_sessions: Sessions a subject may have; the longest unused is revoked.
        max_staleness: Seconds that the copy of what is revoked may be old in a process;
            then it is caught up, within 1 second, before the next verdict.
        insecure_accept_stale: Give verdicts from an old copy while the store is down,
            instead of answering 503.
        refresh_keys: Sign and verify all tokens but the access tokens; never publish
            these. By default those of the access tokens.
        insecure_keep_rights: Let a session keep the rights of its log-in to its end. By
            default they are those of the account at each refresh, unless there is a
            ``claims_loader`` of your own, and a disabled account has no refresh.

    Raises:
        ConfigurationError: One is out of bounds.
    """

    access_ttl: float = 900
    refresh_ttl: float = 7 * DAY
    session_ttl: float = 30 * DAY
    grace: float = 30
    retry_from: RetryFrom = "user_agent"
    max_sessions: int | None = MAX_SESSIONS
    max_staleness: float = 5.0
    refresh_keys: KeySet | None = field(default=None, repr=False)
    insecure_accept_stale: bool = False
    insecure_keep_rights: bool = False

    def __post_init__(self) -> None:
        """Refuse what would make revocation or rotation useless."""
        if not 0 <= self.grace <= _MAX_GRACE:
            msg = "grace must be 0 to 60 seconds."
            raise ConfigurationError(msg)

        if self.retry_from not in get_args(RetryFrom):
            msg = f"retry_from must be one of {', '.join(get_args(RetryFrom))}."
            raise ConfigurationError(msg)

        if self.max_sessions is not None and self.max_sessions < 1:
            msg = "max_sessions must be at least 1, or None."
            raise ConfigurationError(msg)

        if not 0 < self.access_ttl <= DAY:
            msg = "access_ttl must be more than 0 seconds and at most a day."
            raise ConfigurationError(msg)

        refresh_keys: object = self.refresh_keys
        if not isinstance(refresh_keys, KeySet | None):
            msg = "refresh_keys is a KeySet: KeySet([key]) for a single key."
            raise ConfigurationError(msg)

        for ttl in (self.refresh_ttl, self.session_ttl):
            if not self.access_ttl <= ttl <= 366 * DAY:
                msg = "refresh_ttl and session_ttl must be access_ttl to 366 days."
                raise ConfigurationError(msg)


def check_minted(kind: str, ttl: float, access_ttl: float) -> None:
    """Check that revocations last as long as a token without a session.

    Raises:
        ConfigurationError: It would live longer.
    """
    longest = _LONGEST.get(kind, access_ttl)
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

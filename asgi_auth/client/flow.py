"""What to do about tokens in the course of one request: decisions, and nothing else.

There is no I/O here, no lock and no clock. Shells for HTTP clients ask this module what
comes next, do it, and say how it went.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from asgi_auth.client.challenges import says_invalid_token
from asgi_auth.client.expiry import stated_times
from asgi_auth.client.tokens import Tokens

__all__ = ["BearerFlow", "Step"]

_UNAUTHORIZED = 401
_REST = 5.0


class Step(Enum):
    """What comes next."""

    SEND = "send"
    """Send the request, with the access token of the flow's ``tokens``."""

    REFRESH = "refresh"
    """Get other tokens than these, and tell how that went."""

    GIVE = "give"
    """The answer is the caller's."""

    DROP = "drop"
    """It is, and the access token is not good for another request."""


class BearerFlow:
    """One request's way with its tokens.

    It refreshes once at most: before the request, because the access token ends, or
    after it, because the server calls the token invalid. Then the request is sent once
    more, and whatever comes is the caller's.

    Args:
        tokens: What there is.
        skew: Seconds before its end from which on an access token is refreshed; never
            more than half of its life.
        failed_at: When a refresh of these tokens failed last, if one did.
        renews_anything: Other tokens can be had without a refresh token.

    Attributes:
        tokens: What to send the request with.
    """

    __slots__ = ("_can_renew", "_failed_at", "_renewed", "_skew", "tokens")

    def __init__(
        self,
        tokens: Tokens,
        *,
        skew: float = 30.0,
        failed_at: float | None = None,
        renews_anything: bool = False,
    ) -> None:
        self.tokens: Tokens = tokens
        self._skew = skew
        self._failed_at = failed_at
        self._renewed = False
        self._can_renew = renews_anything or tokens.refresh_token is not None

    def begin(self, now: float) -> Step:
        """Decide whether the access token is good enough to be sent."""
        if not self._can_renew:
            return Step.SEND  # The server will say what it thinks of it.

        seconds = self._seconds_left(now)
        if seconds is None or seconds > self._margin():
            return Step.SEND

        return Step.SEND if seconds > 0 and self._rests(now) else Step.REFRESH

    def renewed(self, tokens: Tokens) -> Step:
        """Go on with other tokens."""
        self.tokens = tokens
        self._renewed = True
        return Step.SEND

    def failed(self, now: float) -> Step | None:
        """Go on after a refresh that failed.

        Returns:
            ``SEND`` if the present token is alive, else ``None``: that is an error.
        """
        seconds = self._seconds_left(now)
        return None if seconds is None or seconds <= 0 else Step.SEND

    def answered(
        self,
        status: int,
        challenges: Iterable[str],
        now: float,
        *,
        repeatable: bool,
        schemes: Iterable[str] = (),
    ) -> Step:
        """Decide what to do with the answer to a request that had the token.

        Args:
            status: Its status code.
            challenges: The lines of ``WWW-Authenticate``.
            now: The present time.
            repeatable: The request can be sent again as it was.
            schemes: Whose challenges count beside those of Bearer, in lower case.
        """
        if self._renewed or not self._can_renew:
            return Step.GIVE

        is_refused = status == _UNAUTHORIZED
        if not is_refused or not says_invalid_token(challenges, *schemes):
            return Step.GIVE

        # A server that refuses what a refresh has just brought will refuse the next
        # one as well: a wrong audience must not become a storm of refreshes.
        renewed_at = self.tokens.renewed_at
        if renewed_at is not None and 0 <= now - renewed_at < _REST:
            return Step.GIVE

        return Step.REFRESH if repeatable else Step.DROP

    def _seconds_left(self, now: float) -> float | None:
        """Return how long the access token lives; ``None``: not known."""
        if self.tokens.access_token is None:
            return 0.0

        ends = self.tokens.expires_at
        # By the claim alone, tokens of a server whose clock is behind look dead when
        # they come: a refresh that does not know their end must not lead to another.
        if ends is None and self.tokens.renewed_at is None:
            _, ends = stated_times(self.tokens.access_token)

        return None if ends is None else ends - now

    def _margin(self) -> float:
        lifetime = self.tokens.lifetime
        if lifetime is None and self.tokens.access_token is not None:
            issued, ends = stated_times(self.tokens.access_token)
            lifetime = None if issued is None or ends is None else ends - issued

        return self._skew if lifetime is None else min(self._skew, lifetime / 2)

    def _rests(self, now: float) -> bool:
        """Say whether a refresh has just failed, and another one may wait."""
        return self._failed_at is not None and 0 <= now - self._failed_at < _REST

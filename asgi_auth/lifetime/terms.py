"""By what the life of a socket is measured, and how it is found out that it goes on.

It keeps no clock running and closes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from asgi_auth._asgi import Scope
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import UnavailableError
from asgi_auth.principal import Principal
from asgi_auth.responses.state import Guard
from asgi_auth.revocation import Renew, Validity

__all__ = ["Identify", "Renewal", "Terms", "change_caller", "user_after"]

# Seconds.
_RETRY = 2.0
_LONGEST_OUTAGE = 60.0

Identify = Callable[[Credential, Scope], Awaitable[tuple[Principal, Any]]]


@dataclass(frozen=True, slots=True)
class Terms:
    """By what the life of a socket is measured.

    Attributes:
        validity: What may end its caller.
        identify: Verifies another token.
        by_session: A socket goes on for as long as its session.
    """

    validity: Validity
    identify: Identify
    by_session: bool = False

    @property
    def renew(self) -> Renew | None:
        """What is asked when it is time to, or ``None``: then the socket ends."""
        asks = self.by_session or self.validity.interval is not None
        return self.validity.renew if asks else None

    def first_deadline(self, principal: Principal, now: float) -> float | None:
        """Return when to look first, in Unix seconds, or ``None``: never."""
        ends = principal.expires_at
        if self.validity.interval is None or self.renew is None:
            return ends

        asks = now + self.validity.interval
        return asks if ends is None else min(ends, asks)


@dataclass(frozen=True, slots=True)
class Renewal:
    """What came of asking whether a session or a key goes on.

    Attributes:
        principal: Whose socket it is by now.
        deadline: When to ask again, in Unix seconds.
        outage_since: Since when there was no answer, or ``None``: there was one.
    """

    principal: Principal
    deadline: float
    outage_since: float | None = None

    @classmethod
    async def ask(
        cls, renew: Renew, principal: Principal, now: float, since: float | None
    ) -> Renewal:
        """Ask *renew* about *principal*; an outage is borne for a minute.

        Raises:
            AuthError: The socket ends.
        """
        try:
            renewed, until = await renew(principal)
        except UnavailableError:
            since = now if since is None else since
            if now - since > _LONGEST_OUTAGE:
                raise

            return cls(principal, now + _RETRY, since)

        # The store's clock may be behind: look again, but not at once.
        return cls(renewed, max(until, now + 1))


async def change_caller(
    scope: Scope, guards: Iterable[Guard], principal: Principal, user: Any
) -> None:
    """Make *principal* the caller of *scope*, if the guards of it let that one in.

    Raises:
        AuthError: One does not, and nothing is changed.
    """
    changed = {**scope, "auth": principal, "user": user}
    for guard in guards:
        await guard.verify(changed)

    scope["auth"], scope["user"] = principal, user


def user_after(scope: Scope, before: Principal, principal: Principal) -> Any:
    """Return the user of *scope* for *principal*; a loaded one stays as it is."""
    user = scope["user"]
    return principal if user is before else user

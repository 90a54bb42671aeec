"""How long one WebSocket may live: until its token or its session ends.

No timer of its own, and no task. It reads the verifier's clock each time, so that a
clock that jumps or a machine that slept changes nothing. It needs asyncio.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth._clock import Clock
from asgi_auth.credentials.reader import MAX_TOKEN, Credential
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    RevokedTokenError,
    UnavailableError,
)
from asgi_auth.lifetime.closable import ClosableSocket
from asgi_auth.lifetime.deadlines import Deadlines
from asgi_auth.principal import Principal, get_principal
from asgi_auth.responses.deny import close_code
from asgi_auth.revocation import RevocationList
from asgi_auth.stores.records import Session

__all__ = ["KEY", "Identify", "Lifetime", "Sessions", "Terms", "extend", "lifetime_of"]

KEY = "asgi_auth.lifetime"
"""The scope's key under which the lifetime of a WebSocket stands."""

# Seconds.
_RETRY = 2.0
_LONGEST_OUTAGE = 60.0

Identify = Callable[[Credential, Scope], Awaitable[tuple[Principal, Any]]]
Refuse = Callable[[AuthError], Awaitable[None]]


class Sessions(Protocol):
    """What a token service knows of sessions."""

    async def sessions(self, subject: str) -> Sequence[Session]:
        """List the live sessions of *subject*."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """By what the life of a socket is measured.

    Attributes:
        clock: That of the verifier of its token.
        identify: Verifies another token.
        revocations: What is revoked, or ``None``: nothing can be.
        sessions: Asked when the token has ended, where the session counts.
        whole_subjects: A revoked subject takes its sessions along.
    """

    clock: Clock
    identify: Identify
    revocations: RevocationList | None = None
    sessions: Sessions | None = None
    whole_subjects: bool = False

    def check(self, principal: Principal) -> None:
        """Pass, or raise.

        Raises:
            RevokedTokenError: What *principal* hangs on was revoked.
        """
        revocations = self.revocations
        if revocations is None:
            return

        revocations.check(
            principal.issuer,
            session_id=principal.session_id,
            token_id=principal.token_id,
            subject=principal.subject,
            issued_at=principal.claims.get("iat", 0),
            whole_subject=self.whole_subjects,
        )


class Lifetime:
    """Closes one WebSocket when its time has come.

    Attributes:
        principal: Whose socket it is, by the last token that was shown.
        socket: Where the messages pass through.

    Args:
        principal: Who was identified when the socket was opened.
        terms: By what its life is measured.
        deadlines: Reports it when to look.
        receive: The server's.
        send: The way of the app's messages.
        refuse: Closes the socket, or refuses it where it is not accepted yet.
    """

    # No slots: what most sockets never change stays with the class.
    _lookup: asyncio.Task[None] | None = None
    _outage_since: float | None = None

    def __init__(  # noqa: PLR0917  (keywords take longer)
        self,
        principal: Principal,
        terms: Terms,
        deadlines: Deadlines,
        receive: Receive,
        send: Send,
        refuse: Refuse,
    ) -> None:
        self.principal = principal
        self.socket = ClosableSocket(receive, send)
        self._terms = terms
        self._deadlines = deadlines
        self._refuse = refuse

    def start(self) -> None:
        """Look at the clock and the revocations, now and whenever it is time to."""
        ends, terms = self.principal.expires_at, self._terms
        deadline = self._deadline = math.inf if ends is None else ends
        now = terms.clock()
        if now < deadline:
            self._deadlines.enter(self, deadline, now)
        else:
            self.wait()

        # Afterwards, so that nothing is missed in between.
        if terms.revocations is not None and terms.revocations.version:
            self.look()  # Else nothing was ever revoked.

    def stop(self) -> None:
        """Leave nothing behind."""
        self._deadlines.leave(self, self._deadline)
        if self._lookup is not None:
            self._lookup.cancel()
            self._lookup = None

    def end(self, error: AuthError) -> None:
        """Close the socket because of *error*; the first time counts."""
        self.socket.end(close_code(error), error.code, lambda: self._refuse(error))

    def look(self) -> None:
        """End the socket if what it hangs on was revoked meanwhile."""
        try:
            self._terms.check(self.principal)
        except RevokedTokenError as error:
            self.end(error)

    async def extend(self, scope: Scope, token: str) -> Principal:
        """Let the socket live as long as *token*; see :func:`extend`."""
        credential = Credential(_raw(token), "message", scheme="bearer")
        principal, user = await self._terms.identify(credential, scope)
        if _party(principal) != _party(self.principal):
            msg = "the token is of another issuer, subject or backend"
            raise InvalidTokenError(msg)

        if self.socket.closed is not None:
            raise ExpiredTokenError

        self.stop()
        self.principal = scope["auth"] = principal
        scope["user"] = user
        self.start()
        return principal

    def wait(self) -> None:
        """Wait until the deadline, or end the socket if that has come."""
        if self.socket.closed is not None:
            return

        terms, now = self._terms, self._terms.clock()
        if now < self._deadline:
            self._deadlines.enter(self, self._deadline, now)
        elif terms.sessions is None or self.principal.session_id is None:
            self.end(ExpiredTokenError())
        else:
            # Until there is an answer, nobody need tell it anything.
            self._deadlines.leave(self, self._deadline)
            loop = asyncio.get_running_loop()
            self._lookup = loop.create_task(self._ask_session(terms.sessions))

    async def _ask_session(self, sessions: Sessions) -> None:
        """Find out whether the session goes on where its token has ended."""
        now = self._terms.clock()
        try:
            alive = await sessions.sessions(self.principal.subject)
        except UnavailableError as error:
            self._outage_since = self._outage_since or now
            if now - self._outage_since > _LONGEST_OUTAGE:
                self.end(error)

            self._deadline = now + _RETRY
        else:
            self._outage_since = None
            sid = self.principal.session_id
            ends = [min(s.idle_expires_at, s.expires_at) for s in alive if s.sid == sid]
            if not ends:
                self.end(ExpiredTokenError("the session has ended"))
            else:
                # The store's clock may be behind: look again, but not at once.
                self._deadline = max(ends[0], now + 1)

        self.wait()
        self.look()


def lifetime_of(scope: Mapping[str, Any]) -> Lifetime | None:
    """Return what ends the socket of *scope*, or ``None``: nothing does."""
    lifetime = scope.get(KEY)
    return lifetime if isinstance(lifetime, Lifetime) else None


async def extend(scope: Scope, token: str) -> Principal:
    """Let a WebSocket live on with another token, in any framework.

    The token takes the place of the one that the socket was opened with, for its
    expiry, for revocations, and as ``scope["auth"]``.

    Args:
        scope: Of the socket, as the app got it.
        token: A new access token of the same issuer and subject.

    Raises:
        InvalidTokenError: It is bad, or somebody else's; the socket lives on as it
            did before.
        ExpiredTokenError: It, or the socket itself, has ended.
        UnavailableError: It cannot be known whether it is revoked.
        ConfigurationError: No middleware guards the socket.
    """
    if not get_principal(scope).is_authenticated:
        msg = "a socket of nobody cannot become somebody's"
        raise InvalidTokenError(msg)

    lifetime = lifetime_of(scope)
    if lifetime is None:
        msg = (
            "Nothing ends this connection: extend() is for WebSockets under "
            "AuthenticationMiddleware, on asyncio."
        )
        raise ConfigurationError(msg)

    return await lifetime.extend(scope, token)


def _party(principal: Principal) -> tuple[str | None, ...]:
    # Subjects of two backends may be equal, and are not each other's.
    return principal.issuer, principal.subject, principal.backend


def _raw(token: str) -> bytes:
    # Its size is looked at before its letters: whoever is connected may send this.
    if len(token) > MAX_TOKEN or not token.isascii():
        msg = "not a token"
        raise InvalidTokenError(msg)

    return token.encode("ascii")

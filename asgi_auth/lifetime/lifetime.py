"""How long one WebSocket may live: until its token or its session ends.

No timer of its own, and no task. It reads the verifier's clock each time, so that a
clock that jumps or a machine that slept changes nothing. It needs asyncio.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from asgi_auth._asgi import Scope
from asgi_auth.credentials.credential import LARGEST_TOKEN
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    ExpiredTokenError,
    InvalidTokenError,
    RevokedTokenError,
)
from asgi_auth.lifetime.closable import ClosableSocket
from asgi_auth.lifetime.deadlines import Deadlines
from asgi_auth.lifetime.terms import OfThisProcess, Renewal, Terms, ask_guards
from asgi_auth.principal import LIFETIME, Principal, get_principal, party_of
from asgi_auth.responses.deny import close_code
from asgi_auth.responses.state import Guard, state_of
from asgi_auth.revocation.validity import Renew

__all__ = [
    "Lifetime",
    "Refuse",
    "SocketState",
    "extend",
    "lifetime_of",
    "raw_token",
]

Refuse = Callable[[AuthError], Awaitable[None]]


class SocketState(Protocol):
    """What the middleware keeps of a socket."""

    guards: tuple[Guard, ...]
    issuers: frozenset[str | None]

    def refuse(self, error: AuthError) -> Awaitable[None]:
        """Close the socket, or refuse it where it is not accepted yet."""
        ...


class Lifetime(OfThisProcess):
    """Closes one WebSocket when its time has come.

    Attributes:
        principal: Whose socket it is, by the last token that was shown.
        changed: Principal and user since the last change, or ``None``: as at first.
        listeners: Awaited when the principal has changed.
        scope: Of the socket, as the app has it, while that runs.
        socket: Where the messages pass through.

    Args:
        principal: Who was identified when the socket was opened.
        terms: By what its life is measured.
        deadlines: Reports it when to look.
        socket: Where the messages pass through.
        state: Of the socket; it closes the socket, or refuses it where it is not
            accepted yet, and knows the guards that let it in.
    """

    # No slots: what most sockets never change stays with the class.
    changed: tuple[Principal, Any] | None = None
    scope: Scope | None = None
    _lookup: asyncio.Task[None] | None = None
    _outage_since: float | None = None

    def __init__(
        self,
        principal: Principal,
        terms: Terms,
        deadlines: Deadlines,
        socket: ClosableSocket,
        state: SocketState,
    ) -> None:
        self.principal: Principal = principal
        self.socket: ClosableSocket = socket
        self._terms = terms
        self._deadlines = deadlines
        # A list: who comes while the others are told is told as well.
        self.listeners: list[Callable[[Principal], Awaitable[None]]] = []
        self._state = state

    def start(self) -> None:
        """Look at the clock and the revocations, now and whenever it is time to."""
        validity = self._terms.validity
        now = validity.clock()
        first = self._terms.first_deadline(self.principal, now)
        self._deadline = deadline = math.inf if first is None else first
        if now < deadline:
            self._deadlines.enter(self, deadline, now)
        else:
            self.wait()

        # Afterwards, so that nothing is missed in between.
        if validity.revocations is not None and validity.revocations.version:
            self.look()  # Otherwise nothing was ever revoked.

    def stop(self) -> None:
        """Leave nothing behind."""
        self._deadlines.leave(self, self._deadline)
        if self._lookup is not None:
            self._lookup.cancel()
            self._lookup = None

    def end(self, error: AuthError) -> None:
        """Close the socket because of *error*; the first time counts."""
        refuse = self._state.refuse
        self.socket.end(close_code(error), error.code, lambda: refuse(error))

    def is_over(self) -> bool:
        """Say whether it has ended already, by itself or from outside."""
        return self.socket.closed is not None or self.socket.gone

    def look(self) -> None:
        """End the socket if what it hangs on was revoked meanwhile."""
        try:
            self._terms.validity.check(self.principal)
        except RevokedTokenError as error:
            self.end(error)

    async def extend(self, scope: Scope, token: str) -> Principal:
        """Let the socket live as long as *token*; see :func:`extend`."""
        credential = Credential(raw_token(token), "message", scheme="bearer")
        principal, user = await self._terms.identify(credential, scope)
        if party_of(principal) != party_of(self.principal):
            msg = "the token is of another issuer, subject or backend"
            raise InvalidTokenError(msg)

        if self.is_over():
            raise ExpiredTokenError

        await self._change(scope, principal, user)
        self.stop()
        if self.is_over():  # Guards and listeners took their time.
            raise ExpiredTokenError

        self.start()
        return principal

    async def _change(self, scope: Scope, principal: Principal, user: Any) -> None:
        """Make it the socket of *principal*, if its guards let that one in too.

        Raises:
            AuthError: One does not; the socket is closed.
        """
        before = self.principal
        try:
            await ask_guards(scope, self._state.guards, principal, user)
            self.principal = principal
            for listener in self.listeners:
                await listener(principal)
        except Exception as error:
            # Whoever tries again asks all of them again.
            self.principal = before
            if isinstance(error, AuthError):
                self.end(error)

            raise

        scope["auth"], scope["user"] = self.changed = principal, user

    def wait(self) -> None:
        """Wait until the deadline, or end the socket if that has come."""
        if self.is_over():
            return

        renew, now = self._terms.renew, self._terms.validity.clock()
        if now < self._deadline:
            self._deadlines.enter(self, self._deadline, now)
        elif renew is None:
            self.end(ExpiredTokenError())
        else:
            # Until there is an answer, it need not be called.
            self._deadlines.leave(self, self._deadline)
            loop = asyncio.get_running_loop()
            self._lookup = loop.create_task(self._renew(renew))

    async def _renew(self, renew: Renew) -> None:
        """Find out whether its session, or its key, goes on."""
        now, before = self._terms.validity.clock(), self.principal
        try:
            since = self._outage_since
            renewal = await Renewal.ask(renew, before, now, since, self._accept)
            self._deadline = renewal.deadline
            self._outage_since = renewal.outage_since
        except AuthError as error:
            self.end(error)

        self.wait()
        self.look()

    async def _accept(self, principal: Principal) -> None:
        """Let in who it is by now, and the user as it is by now."""
        load_user, scope = self._terms.load_user, self.scope
        if scope is None or (load_user is None and principal is self.principal):
            return

        user = principal if load_user is None else await load_user(principal)
        await self._change(scope, principal, user)


def lifetime_of(scope: Mapping[str, Any]) -> Lifetime | None:
    """Return what ends the socket or stream of *scope*, or ``None``: nothing does."""
    lifetime: object = scope.get(LIFETIME) or state_of(scope).lifetime
    if getattr(lifetime, "of_nobody", False):
        lifetime = getattr(lifetime, "lifetime", None)

    return lifetime if isinstance(lifetime, Lifetime) else None


async def extend(scope: Scope, token: str) -> Principal:
    """Let a WebSocket or a stream live on with another token, in any framework.

    The token takes the place of the one that it was opened with, for its
    expiry, for revocations, and as ``scope["auth"]``.

    Args:
        scope: Of the socket or the streaming request, as the app got it.
        token: A new access token of the same issuer and subject.

    Raises:
        InvalidTokenError: It is bad, or another user's; the socket lives on as it
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
            "Nothing ends this connection: extend() is for WebSockets, and for streams "
            "that have begun, under AuthenticationMiddleware, on asyncio."
        )
        raise ConfigurationError(msg)

    return await lifetime.extend(scope, token)


def raw_token(token: str) -> bytes:
    """Return a token that came in a message as bytes.

    Raises:
        InvalidTokenError: It can be none.
    """
    # Its size is looked at before its letters: whoever is connected may send this. How
    # long those of an issuer may be is for its verifier to say.
    if len(token) > LARGEST_TOKEN or not token.isascii():
        msg = "not a token"
        raise InvalidTokenError(msg)

    return token.encode("ascii")

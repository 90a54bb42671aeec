"""An open WebSocket without a caller, until one of its messages names the caller.

GraphQL and Socket.IO send the token in their first message. From then on the socket is
as one whose handshake had brought it. It needs asyncio.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asgi_auth._asgi import Scope
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    ExpiredTokenError,
)
from asgi_auth.lifetime.closable import ClosableSocket
from asgi_auth.lifetime.lifetime import Lifetime, SocketState, extend, raw_token
from asgi_auth.lifetime.policies import Policies
from asgi_auth.lifetime.terms import OfThisProcess, ask_guards
from asgi_auth.principal import LIFETIME, Principal, get_principal
from asgi_auth.responses.deny import close_code

__all__ = ["Stranger", "identify", "stranger_of"]

# Whoever is connected may send tokens; each costs a look at a signature.
_MOST_TRIES = 5


class Stranger(OfThisProcess):
    """Gives an anonymous socket its caller.

    Attributes:
        lifetime: What ends the socket, once it has a caller.
        listeners: Awaited when it has got a caller, and later as a lifetime's.
        when_known: Called once it has a caller.
        scope: Of the socket, as the app has it, while that runs.
        socket: Where the messages pass through.

    Args:
        policies: By what sockets end.
        socket: Where the messages pass through.
        state: Of the socket; it closes the socket.
    """

    lifetime: Lifetime | None = None
    when_known: Callable[[], object] | None = None
    of_nobody: bool = True
    _tries = 0

    def __init__(
        self, policies: Policies, socket: ClosableSocket, state: SocketState
    ) -> None:
        self.socket: ClosableSocket = socket
        self.scope: Scope | None = None
        self.listeners: list[Callable[[Principal], Awaitable[None]]] = []
        self._policies = policies
        self._state = state

    @property
    def changed(self) -> tuple[Principal, Any] | None:
        """Principal and user since the socket has a caller, or ``None``."""
        return None if self.lifetime is None else self.lifetime.changed

    async def identify(self, scope: Scope, token: str) -> Principal:
        """Make it the socket of whoever *token* names; see :func:`identify`."""
        self._tries += 1
        try:
            credential = Credential(raw_token(token), "message", scheme="bearer")
            principal, user = await self._policies.identify(credential, scope)
            await ask_guards(scope, self._state.guards, principal, user)
        except AuthError as error:
            if self._tries >= _MOST_TRIES:
                self.end(error)

            raise

        if self.lifetime is not None:
            # Two messages at once: the other one was first.
            return await self.lifetime.extend(scope, token)

        if self.socket.closed is not None or self.socket.gone:
            raise ExpiredTokenError

        self._begin(scope, principal, user)
        await self._tell(principal)
        return principal

    def end(self, error: AuthError) -> None:
        """Close the socket because of *error*; the first time counts."""
        refuse = self._state.refuse
        self.socket.end(close_code(error), error.code, lambda: refuse(error))

    def start(self) -> None:
        """Measure nothing yet."""

    def stop(self) -> None:
        """Leave nothing behind."""
        self.scope = None  # A circle would have to wait for the collector.
        if self.lifetime is not None:
            self.lifetime.scope = None
            self.lifetime.stop()

    def _begin(self, scope: Scope, principal: Principal, user: Any) -> None:
        terms, deadlines = self._policies.find(principal, get_running_loop())
        lifetime = Lifetime(principal, terms, deadlines, self.socket, self._state)
        lifetime.scope, lifetime.listeners = self.scope, self.listeners
        lifetime.changed = principal, user
        self.lifetime = lifetime
        scope["auth"], scope["user"] = principal, user
        if self.when_known is not None:
            self.when_known()

        lifetime.start()

    async def _tell(self, principal: Principal) -> None:
        """Tell those who have known it as nobody's.

        Raises:
            AuthError: One of them does not let the caller in; the socket is closed.
        """
        try:
            for listener in self.listeners:
                await listener(principal)
        except AuthError as error:
            self.end(error)
            raise


def stranger_of(scope: Mapping[str, Any]) -> Stranger | None:
    """Return what can give the socket of *scope* a caller, if it has none."""
    stranger = scope.get(LIFETIME)
    is_known = not isinstance(stranger, Stranger) or stranger.lifetime is not None
    return None if is_known else stranger


async def identify(scope: Scope, token: str) -> Principal:
    """Say whose an open WebSocket is, in any framework.

    For protocols that send the token in their first message, as GraphQL and Socket.IO
    do. Guards that are asked later know the caller, and the socket ends with the token.
    A second time it does what :func:`~asgi_auth.lifetime.extend` does.

    Args:
        scope: Of the socket, as the app got it.
        token: An access token.

    Raises:
        InvalidTokenError: It is bad, or of another user than the one before. After the
            fifth bad one the socket is closed.
        ExpiredTokenError: It, or the socket itself, has ended.
        UnavailableError: It cannot be known whether it is revoked.
        ConfigurationError: No middleware guards the socket.
    """
    stranger = stranger_of(scope)
    if stranger is not None:
        return await stranger.identify(scope, token)

    if scope["type"] == "websocket" and get_principal(scope).is_authenticated:
        return await extend(scope, token)

    msg = (
        "identify() is for WebSockets under AuthenticationMiddleware, on asyncio: a "
        "request brings its token along."
    )
    raise ConfigurationError(msg)

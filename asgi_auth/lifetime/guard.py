"""Put every WebSocket of a known caller under a lifetime.

The middleware calls this in place of the app. An anonymous socket may get
a caller later.
"""

from __future__ import annotations

from asyncio import get_running_loop
from typing import Any

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError
from asgi_auth.lifetime.closable import ClosableSocket, SocketClosedError
from asgi_auth.lifetime.connection_policy import ConnectionPolicy
from asgi_auth.lifetime.lifetime import Lifetime, SocketState
from asgi_auth.lifetime.policies import Policies
from asgi_auth.lifetime.polled import PolledLifetime
from asgi_auth.lifetime.stranger import Stranger
from asgi_auth.lifetime.terms import Identify, LoadUser
from asgi_auth.principal import LIFETIME, Principal
from asgi_auth.responses.state import KEY as STATE
from asgi_auth.revocation.validity import validity_of

__all__ = ["SocketGuard"]

_logger = package_logger(__name__)


class SocketGuard:
    """Ends the sockets of an app with the tokens or the sessions of their callers.

    Args:
        app: Called with each socket.
        identify: Verifies a token that is to extend a socket.
        load_user: Gives the application's own user, where it has any.
        policy: What a socket ends with.
    """

    __slots__ = ("_app", "_by_session", "_policies")

    def __init__(
        self,
        app: ASGIApp,
        identify: Identify,
        load_user: LoadUser | None = None,
        policy: ConnectionPolicy = ConnectionPolicy(),
    ) -> None:
        self._app = app
        self._by_session = policy.websockets == "session"
        self._policies = Policies(
            identify,
            load_user,
            by_session=self._by_session,
            option="websockets",
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one socket, for as long as its caller may have it.

        Returns:
            What the app returns, of which servers may complain.
        """
        principal: Principal = scope["auth"]
        state: SocketState = scope[STATE]
        try:
            loop = get_running_loop()
        except RuntimeError:
            if principal.is_authenticated:
                return await self._poll(scope, receive, send, state)

            scope.pop(LIFETIME, None)  # Of an outer caller, who is not this one.
            return await self._app(scope, receive, send)

        socket = ClosableSocket(receive, send)
        lifetime: Lifetime | Stranger
        if principal.is_authenticated:
            terms, deadlines = self._policies.find(principal, loop)
            lifetime = Lifetime(principal, terms, deadlines, socket, state)
        else:
            lifetime = Stranger(self._policies, socket, state)

        lifetime.scope = scope
        scope[LIFETIME] = lifetime
        lifetime.start()
        result = None
        try:
            result = await self._app(scope, socket.receive, socket.send)
        except (SocketClosedError, BaseExceptionGroup) as error:
            if not _is_closed_socket(error):
                raise
        finally:
            # Whoever still reads a token for it must not bring it back to life.
            socket.gone = True
            lifetime.scope = None  # A circle would have to wait for the collector.
            if state.guards:
                state.guards = ()
            lifetime.stop()

        if socket.closed is not None:
            await socket.finish()

        return result

    async def _poll(
        self, scope: Scope, receive: Receive, send: Send, state: SocketState
    ) -> Any:
        terms = self._policies.terms(validity_of(scope["auth"]))
        if self._by_session:
            msg = 'ConnectionPolicy(websockets="session") needs asyncio.'
            raise ConfigurationError(msg)

        socket = PolledLifetime(scope, terms, receive=receive, send=send, state=state)
        scope[LIFETIME] = socket
        try:
            return await self._app(scope, socket.receive, socket.send)
        except (SocketClosedError, BaseExceptionGroup) as error:
            if not _is_closed_socket(error):
                raise

            return None


def _is_closed_socket(error: BaseException) -> bool:
    if not isinstance(error, BaseExceptionGroup):
        return isinstance(error, SocketClosedError)

    return all(map(_is_closed_socket, error.exceptions))

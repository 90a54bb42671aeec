"""Put every WebSocket of a known caller under a lifetime.

The middleware calls this in place of the app. Sockets of nobody pass as they are.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable
from typing import Any, Literal
from weakref import WeakKeyDictionary, ref

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError
from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.deadlines import Deadlines
from asgi_auth.lifetime.lifetime import Lifetime, SocketState
from asgi_auth.lifetime.polled import PolledLifetime
from asgi_auth.lifetime.terms import Identify, LoadUser, Terms
from asgi_auth.principal import LIFETIME, Principal
from asgi_auth.responses.state import KEY as STATE
from asgi_auth.revocation import Validity, validity_of

__all__ = ["SocketGuard"]

_logger = package_logger(__name__)

_Recall = Callable[[], AbstractEventLoop | None]
_Policies = dict[Validity, tuple[Terms, Deadlines]]
"""What sockets share whose callers end by the same."""


class SocketGuard:
    """Ends the sockets of an app with the tokens or the sessions of their callers.

    Args:
        app: Called with each socket.
        identify: Verifies a token that is to extend a socket.
        lifetime: What a socket ends with.
        load_user: Gives the application's own user, where it has any.
        issuers: Whose tokens the backend takes, as far as it says.
    """

    __slots__ = (
        "_app",
        "_by_session",
        "_has_warned",
        "_identify",
        "_issuers",
        "_latest",
        "_load_user",
        "_policies",
    )

    def __init__(
        self,
        app: ASGIApp,
        identify: Identify,
        lifetime: Literal["token", "session"] = "token",
        load_user: LoadUser | None = None,
        issuers: frozenset[str | None] = frozenset(),
    ) -> None:
        self._app = app
        self._identify = identify
        self._by_session = lifetime == "session"
        self._load_user = load_user
        self._issuers = issuers
        self._has_warned = False
        self._policies = WeakKeyDictionary[AbstractEventLoop, _Policies]()
        # Nearly always there is one loop, and a look into weak keys is slow.
        self._latest: tuple[_Recall, _Policies] = _no_loop, {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one socket, for as long as its caller may have it.

        Returns:
            What the app returns, of which servers may complain.
        """
        principal: Principal = scope["auth"]
        if not principal.is_authenticated:
            scope.pop(LIFETIME, None)  # Of an outer caller, who is not this one.
            return await self._app(scope, receive, send)

        state: SocketState = scope[STATE]
        state.issuers = self._issuers
        try:
            loop = get_running_loop()
        except RuntimeError:
            return await self._poll(scope, receive, send, state)

        terms, deadlines = self._policy_of(principal, loop)
        lifetime = Lifetime(principal, terms, deadlines, receive, send, state)
        lifetime.scope = scope
        scope[LIFETIME] = lifetime
        socket = lifetime.socket
        lifetime.start()
        returned = None
        try:
            returned = await self._app(scope, socket.receive, socket.send)
        except (SocketClosedError, BaseExceptionGroup) as error:
            if not _is_closed_socket(error):
                raise
        finally:
            lifetime.scope = None  # A circle would have to wait for the collector.
            state.guards = ()
            lifetime.stop()

        if socket.closed is not None:
            await socket.finish()

        return returned

    async def _poll(
        self, scope: Scope, receive: Receive, send: Send, state: SocketState
    ) -> Any:
        terms = self._terms(validity_of(scope["auth"]))
        if self._by_session:
            msg = 'websocket_lifetime="session" needs asyncio.'
            raise ConfigurationError(msg)

        socket = PolledLifetime(scope, terms, receive=receive, send=send, state=state)
        scope[LIFETIME] = socket
        try:
            return await self._app(scope, socket.receive, socket.send)
        except (SocketClosedError, BaseExceptionGroup) as error:
            if not _is_closed_socket(error):
                raise

            return None

    def _policy_of(
        self, principal: Principal, loop: AbstractEventLoop
    ) -> tuple[Terms, Deadlines]:
        """Return what sockets of the same kind of caller share in *loop*."""
        latest, policies = self._latest
        if latest() is not loop:
            policies = self._policies.setdefault(loop, {})
            self._latest = ref(loop), policies

        validity = validity_of(principal)
        policy = policies.get(validity)
        if policy is None:
            terms = self._terms(validity)
            deadlines = Deadlines(validity.clock, validity.revocations)
            policy = policies[validity] = terms, deadlines

        return policy

    def _terms(self, validity: Validity) -> Terms:
        if self._by_session and validity.renew is None and not self._has_warned:
            self._has_warned = True
            _logger.warning(
                'websocket_lifetime="session" is for own tokens, as of '
                "JWTBackend(TokenService(...)): the sockets of other callers end with "
                "their tokens"
            )

        return Terms(validity, self._identify, self._load_user, self._by_session)


def _no_loop() -> None:
    return None


def _is_closed_socket(error: BaseException) -> bool:
    if not isinstance(error, BaseExceptionGroup):
        return isinstance(error, SocketClosedError)

    return all(map(_is_closed_socket, error.exceptions))

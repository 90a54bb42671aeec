"""Put every WebSocket of a known caller under a lifetime.

The middleware calls this in place of the app. Sockets of nobody pass as they are.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, get_running_loop
from collections.abc import Callable
from typing import Any, Literal
from weakref import WeakKeyDictionary, ref

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth._clock import system_clock
from asgi_auth.errors import ConfigurationError
from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.deadlines import Deadlines
from asgi_auth.lifetime.lifetime import KEY, Identify, Lifetime, Refuse, Terms
from asgi_auth.lifetime.polled import PolledLifetime
from asgi_auth.principal import Principal
from asgi_auth.responses.state import KEY as EXCHANGE
from asgi_auth.typing import Backend

__all__ = ["SocketGuard"]

_Recall = Callable[[], AbstractEventLoop | None]
_Places = dict[tuple[str | None, str | None], tuple[Terms, Deadlines]]
"""By backend and issuer of the caller."""


class SocketGuard:
    """Ends the sockets of an app with the tokens or the sessions of their callers.

    Args:
        app: Called with each socket.
        backend: Whose verifiers' clocks and revocations count.
        identify: Verifies a token that is to extend a socket.
        lifetime: What a socket ends with.

    Raises:
        ConfigurationError: Sessions are to count, and no backend knows any.
    """

    __slots__ = (
        "_app",
        "_backends",
        "_by_session",
        "_identify",
        "_latest",
        "_places",
    )

    def __init__(
        self,
        app: ASGIApp,
        backend: Backend,
        identify: Identify,
        lifetime: Literal["token", "session"] = "token",
    ) -> None:
        backends = _members(backend)
        self._app = app
        self._identify = identify
        self._backends = {backend.name: backend for backend in backends}
        self._by_session = lifetime == "session"
        self._places = WeakKeyDictionary[AbstractEventLoop, _Places]()
        # Nearly always there is one loop, and a look into weak keys is slow.
        self._latest: tuple[_Recall, _Places] = _no_loop, {}
        if self._by_session and not any(map(_sessions_of, backends)):
            msg = (
                'websocket_lifetime="session" needs a backend for own tokens: '
                "JWTBackend(TokenService(...))."
            )
            raise ConfigurationError(msg)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one socket, for as long as its caller may have it."""
        principal: Principal = scope["auth"]
        if not principal.is_authenticated:
            await self._app(scope, receive, send)
            return

        refuse: Refuse = scope[EXCHANGE].refuse
        try:
            loop = get_running_loop()
        except RuntimeError:
            await self._poll(principal, scope, receive, send, refuse)
            return

        terms, deadlines = self._place_of(principal, loop)
        lifetime = Lifetime(principal, terms, deadlines, receive, send, refuse)
        scope[KEY] = lifetime
        socket = lifetime.socket
        lifetime.start()
        try:
            await self._app(scope, socket.receive, socket.send)
        except (SocketClosedError, BaseExceptionGroup) as error:
            if not _is_closed_socket(error):
                raise
        finally:
            lifetime.stop()

        if socket.closed is not None:
            await socket.finish()

    async def _poll(
        self,
        principal: Principal,
        scope: Scope,
        receive: Receive,
        send: Send,
        refuse: Refuse,
    ) -> None:
        terms = self._terms(principal)
        if terms.sessions is not None:
            msg = 'websocket_lifetime="session" needs asyncio.'
            raise ConfigurationError(msg)

        socket = PolledLifetime(
            principal, terms, receive=receive, send=send, refuse=refuse
        )
        try:
            await self._app(scope, socket.receive, socket.send)
        except (SocketClosedError, BaseExceptionGroup) as error:
            if not _is_closed_socket(error):
                raise

    def _place_of(
        self, principal: Principal, loop: AbstractEventLoop
    ) -> tuple[Terms, Deadlines]:
        """Return what sockets of the same kind of caller share in *loop*."""
        latest, places = self._latest
        if latest() is not loop:
            places = self._places.setdefault(loop, {})
            self._latest = ref(loop), places

        party = principal.backend, principal.issuer
        place = places.get(party)
        if place is None:
            terms = self._terms(principal)
            deadlines = Deadlines(terms.clock, terms.revocations)
            place = places[party] = terms, deadlines

        return place

    def _terms(self, principal: Principal) -> Terms:
        backend = self._backends.get(principal.backend or "")
        verifier = _verifier_of(backend, principal)
        sessions = _sessions_of(backend) if self._by_session else None
        if verifier is None:
            return Terms(system_clock, self._identify, sessions=sessions)

        return Terms(
            verifier.clock,
            self._identify,
            verifier.revocations,
            sessions,
            whole_subjects=verifier.whole_subjects,
        )


def _members(backend: Any) -> list[Any]:
    """List the backends of a chain, of chains in it too."""
    inner = getattr(backend, "backends", None)
    return [backend] if inner is None else [m for b in inner for m in _members(b)]


def _verifier_of(backend: Any, principal: Principal) -> Any:
    """Return what verified the token: where there are several issuers, its own's."""
    find = getattr(backend, "verifier_for", None)
    return (
        getattr(backend, "verifier", None) if find is None else find(principal.issuer)
    )


def _sessions_of(backend: Any) -> Any:
    """Return the token service of *backend*, or ``None``."""
    service = getattr(backend, "tokens", None)
    return service if hasattr(service, "sessions") else None


def _no_loop() -> None:
    return None


def _is_closed_socket(error: BaseException) -> bool:
    if not isinstance(error, BaseExceptionGroup):
        return isinstance(error, SocketClosedError)

    return all(map(_is_closed_socket, error.exceptions))

"""Put every WebSocket of a known caller under a lifetime.

The middleware calls this in place of the app. Sockets of nobody pass as they are.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal
from weakref import WeakKeyDictionary

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth._clock import system_clock
from asgi_auth.errors import ConfigurationError
from asgi_auth.exchange import KEY as EXCHANGE
from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.lifetime import KEY, Identify, Lifetime, Refuse, Terms
from asgi_auth.lifetime.polled import PolledLifetime
from asgi_auth.lifetime.watch import Watch
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.typing import Backend

__all__ = ["SocketGuard"]

_Loop = asyncio.AbstractEventLoop


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

    __slots__ = ("_app", "_backends", "_by_session", "_identify", "_watches")

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
        self._watches = WeakKeyDictionary[_Loop, dict[RevocationList, Watch]]()
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
        loop = _running_loop()
        terms = self._terms(principal, loop)
        if loop is None:
            polled = PolledLifetime(
                principal, terms, receive=receive, send=send, refuse=refuse
            )
            await _run(self._app, scope, polled.receive, polled.send)
            return

        lifetime = Lifetime(principal, terms, receive=receive, send=send, refuse=refuse)
        scope[KEY] = lifetime
        lifetime.start()
        try:
            channels = lifetime.socket
            await _run(self._app, scope, channels.receive, channels.send)
            await channels.finish()
        finally:
            lifetime.stop()

    def _terms(self, principal: Principal, loop: _Loop | None) -> Terms:
        backend = self._backends.get(principal.backend or "")
        verifier = _verifier_of(backend, principal)
        sessions = _sessions_of(backend) if self._by_session else None
        if sessions is not None and loop is None:
            msg = 'websocket_lifetime="session" needs asyncio.'
            raise ConfigurationError(msg)

        if verifier is None:
            return Terms(system_clock, self._identify, sessions=sessions)

        revocations: RevocationList | None = verifier.revocations
        watch = None
        if revocations is not None and loop is not None:
            watches = self._watches.setdefault(loop, {})
            watch = watches.get(revocations)
            if watch is None:
                watch = watches[revocations] = Watch(revocations, loop)

        return Terms(
            verifier.clock,
            self._identify,
            revocations,
            watch,
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


def _running_loop() -> _Loop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def _run(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Call *app*; that it stumbled over its closed socket is no news."""
    try:
        await app(scope, receive, send)
    except (SocketClosedError, BaseExceptionGroup) as error:
        if not _is_closed_socket(error):
            raise


def _is_closed_socket(error: BaseException) -> bool:
    if not isinstance(error, BaseExceptionGroup):
        return isinstance(error, SocketClosedError)

    return all(map(_is_closed_socket, error.exceptions))

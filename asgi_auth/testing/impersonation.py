"""Call an application as a user, without a token and without a key.

The middleware of the application does all that it does in production; only the verdict
on the credential is the test's. Nothing of this is reachable from the wire: what the
middleware looks for is an object in the scope, which no server puts there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from asgi_auth._asgi import Message, Receive, Scope, Send
from asgi_auth._contract import asks_always, know_nobody
from asgi_auth._logs import package_logger
from asgi_auth._stand_in import STAND_IN, StandIn
from asgi_auth._users import Users, issuer_aware
from asgi_auth.credentials.reader import Credential
from asgi_auth.errors import ConfigurationError
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import Principal
from asgi_auth.testing._wire import send as send_stand_in
from asgi_auth.testing.caller import Caller

__all__ = ["ImpersonatedApp", "as_user"]

_CONNECTIONS = frozenset({"http", "websocket"})
_SERVER_ERROR = 500
_logger = package_logger(__name__)


def as_user(
    app: Any,
    user: Any,
    *,
    scopes: Iterable[str] = (),
    roles: Iterable[str] = (),
    claims: Mapping[str, Any] | None = None,
    subject: str | None = None,
    issuer: str | None = None,
    backend: str | None = None,
) -> ImpersonatedApp:
    """Return *app* as *user* would find it; give it to any test client.

    Loaders, guards, public paths, cross-origin checks and the lifetimes of sockets
    work as for a real caller, who would have sent a good credential in place of any
    that the client sends. Of several around each other, the innermost counts.

    Args:
        app: The application, with its ``AuthenticationMiddleware`` anywhere in it.
        user: A subject; a :class:`~asgi_auth.principal.Principal`, where the time of
            the log-in, its ``acr`` or its end matter; or the application's own user,
            which then stands for what ``load_user`` returns.
        scopes: What the caller may do.
        roles: The roles of the caller.
        claims: Further claims of its token.
        subject: Of an own user that has no ``subject``, ``id`` or ``pk``.
        issuer: Who vouches for the caller; needed where several are trusted.
        backend: The name of the backend that knows the caller; by default the first.

    Raises:
        ConfigurationError: It is not clear who calls; or, when a request has been
            made, that the application has no such middleware or backend.
    """
    if not callable(app):
        msg = "as_user() takes the ASGI application first, and not a client of it."
        raise ConfigurationError(msg)

    caller = Caller.of(
        user,
        subject=subject,
        scopes=scopes,
        roles=roles,
        claims=claims,
        issuer=issuer,
        backend=backend,
    )
    return ImpersonatedApp(app, caller)


class ImpersonatedApp:
    """An application all of whose callers are one.

    It lends the attributes of the application to test clients that look at them.

    Args:
        app: The application.
        caller: Who calls it.
    """

    def __init__(self, app: Any, caller: Caller) -> None:
        self._app = app
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            ConfigurationError: What asked who is calling has no middleware above it,
                or that cannot know such a caller; whatever answer is made of it.
        """
        if scope["type"] not in _CONNECTIONS:
            await self._app(scope, receive, send)
            return

        outer = scope.get(STAND_IN)
        if isinstance(outer, _Pass):
            outer.used = True

        mine = _Pass(self._caller)
        answer = _Answer(scope, send)
        try:
            await self._app({**scope, STAND_IN: mine}, receive, answer.send)
        finally:
            mine.is_over = True
            mine.report(scope)

        mine.check(answer)

    def __getattr__(self, name: str) -> Any:
        """Lend what the application has."""
        if name.startswith("_"):
            raise AttributeError(name)

        return getattr(self._app, name)

    def test_client(self, **options: Any) -> Any:
        """Return Quart's own test client, for an application of Quart."""
        return self._app.test_client_class(self, **options)


class _Answer:
    """Notes whether a connection may have ended with a failure of the application.

    Attributes:
        failed: It may. Of sockets one cannot tell: Quart closes them as ever.
    """

    __slots__ = ("_send", "failed")

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self.failed: bool = scope["type"] == "websocket"

    async def send(self, message: Message) -> None:
        """Hand *message* on to the client."""
        if message["type"] == "http.response.start":
            self.failed = message["status"] >= _SERVER_ERROR

        await self._send(message)


class _Pass(StandIn):
    """What one connection carries in its scope, and is good for nothing afterwards."""

    __slots__ = ("caller", "fault", "is_over", "unmet_error", "used")

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.used = False
        self.is_over = False
        self.fault: ConfigurationError | None = None
        self.unmet_error: ConfigurationError | None = None

    def unmet(self, scope: Mapping[str, Any]) -> ConfigurationError:
        """Return the error for who asks who is calling above any middleware."""
        msg = (
            "as_user() found no AuthenticationMiddleware above what asks who is "
            f"calling ({_line_of(scope)}): give it what the server runs, with the "
            "middleware in it or around it."
        )
        self.unmet_error = ConfigurationError(msg)
        return self.unmet_error

    def check(self, answer: _Answer) -> None:
        """Raise what is wrong, whatever answer a framework has made of it."""
        if self.fault is not None:
            raise self.fault

        # An application may do without a caller; that is no failure then.
        if self.unmet_error is not None and answer.failed and not self.used:
            raise self.unmet_error

    def report(self, scope: Scope) -> None:
        """Log that nothing has met the stand-in; test runners show it of what fails."""
        if not self.used and self.unmet_error is None:
            _logger.warning(
                "as_user() found no AuthenticationMiddleware on the way of %s: it was "
                "answered without regard to who is calling",
                _line_of(scope),
            )

    async def serve(
        self,
        middleware: AuthenticationMiddleware,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> Any:
        """Have a copy of *middleware* serve it, to which its stand-in is the caller."""
        if self.is_over:
            child = {name: scope[name] for name in scope if name != STAND_IN}
            return await middleware(child, receive, send)

        self.used = True
        try:
            stand_in = _copy_for(middleware, self.caller, scope)
        except ConfigurationError as error:
            self.fault = error
            raise

        return await stand_in(scope, receive, send)


class _Judge:
    """A backend that answers with a given caller."""

    __slots__ = ("_needs_credential", "_principal")

    def __init__(self, principal: Principal, *, needs_credential: bool) -> None:
        self._principal = principal
        self._needs_credential = needs_credential

    async def authenticate(
        self, credential: Credential | None, scope: Scope
    ) -> Principal | None:
        """Answer for the stand-in, or for a backend that asks for no credential."""
        return (
            None if credential is None and self._needs_credential else self._principal
        )


def _copy_for(
    middleware: AuthenticationMiddleware, caller: Caller, scope: Scope
) -> AuthenticationMiddleware:
    """Return a copy of *middleware* to which the stand-in in *scope* is *caller*."""
    member = caller.member(middleware._backend)  # noqa: SLF001
    source = send_stand_in(scope, member.sources)
    principal = caller.principal(member, source)
    stand_in = copy(middleware)
    stand_in._backend = _Judge(principal, needs_credential=not asks_always(member))  # type: ignore[assignment]  # noqa: SLF001
    stand_in._recognise = know_nobody  # noqa: SLF001
    stand_in._stands_in = True  # noqa: SLF001
    if caller.user is not None:
        if middleware._users is None:  # noqa: SLF001
            msg = (
                "The application has no load_user, so that its user is the principal: "
                "give as_user() the subject instead of a user of your own."
            )
            raise ConfigurationError(msg)

        user = Users(issuer_aware(lambda _: caller.user), frozenset())
        stand_in._users = user  # noqa: SLF001

    return stand_in


def _line_of(scope: Mapping[str, Any]) -> str:
    return f"{scope.get('method', 'WEBSOCKET')} {scope['path']}"

"""Identify the caller of every HTTP request and every WebSocket.

The middleware asks its backend who is calling and writes the answer into the scope.
It guards nothing unless ``required=True``; no framework or event loop is imported here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asgi_auth._contract import (
    Recognise,
    asks_always,
    claimant_of,
    is_known,
    issuers_of,
    know_nobody,
    lane_of,
)
from asgi_auth._misplaced import MisplacedCredentials
from asgi_auth._scopeless import scopeless
from asgi_auth._stand_in import STAND_IN, StandIn
from asgi_auth._stripping import stripping
from asgi_auth._unclaimed import StrangeIssuers, is_unclaimed
from asgi_auth._users import Users
from asgi_auth.credentials.public_paths import PublicPaths
from asgi_auth.credentials.reader import Credential, CredentialReader, unfold
from asgi_auth.credentials.site import Site
from asgi_auth.errors import (
    AuthenticationError,
    AuthError,
    ConfigurationError,
    CrossOriginError,
    UnavailableError,
)
from asgi_auth.events import Events, Listener
from asgi_auth.lifetime.connection_policy import ConnectionPolicy
from asgi_auth.lifetime.guard import SocketGuard
from asgi_auth.lifetime.streams import StreamGuard
from asgi_auth.principal import ANONYMOUS, Principal, without_caller
from asgi_auth.responses.body import RequestBody, may_have_body
from asgi_auth.responses.preflight import (
    EmptyBody,
    RefusedPreflights,
    SilentReply,
    is_cors_preflight,
)
from asgi_auth.responses.refusal_policy import RefusalPolicy
from asgi_auth.responses.sender import Reply, replies_for
from asgi_auth.responses.state import KEY, Seen
from asgi_auth.responses.watch import Watch
from asgi_auth.scope_policy import ScopePolicy
from asgi_auth.tracking import tracking
from asgi_auth.typing import ASGIApp, Backend, Receive, Scope, Send, UserLoader

__all__ = ["AuthenticationMiddleware"]


class AuthenticationMiddleware:
    """Record the caller as ``scope["auth"]`` and the user as ``scope["user"]``.

    Args:
        app: The application to wrap.
        backend: Decides who is calling.
        load_user: Gives the application's own user for a principal; ``None`` from it
            means that there is no such user. Sync or async. Where there are several
            issuers, it looks at ``principal.issuer`` as well, and
            :class:`~asgi_auth.issuer_aware` says so.
        required: Refuse anonymous callers everywhere but on *public_paths*.
        public_paths: ``/exact`` or ``/prefix/*``: never refused here.
        site: The own origin, and those whose pages may send cookies along.
        connection_policy: What open WebSockets and streams end with.
        refusal_policy: What to do about bad credentials and CORS preflights, and where
            people are sent who are refused.
        scope_policy: What the app sees of a request, and what stands around it.
        on_event: Gets an :class:`~asgi_auth.events.Event` for each refusal.

    Raises:
        ConfigurationError: The parts do not fit together.
    """

    __slots__ = (
        "_app",
        "_asks_always",
        "_backend",
        "_check_origin",
        "_http",
        "_invalid",
        "_pass_preflight",
        "_preflights",
        "_public",
        "_recognise",
        "_required",
        "_share",
        "_stands_in",
        "_strangers",
        "_users",
        "_websocket",
    )

    def __init__(
        self,
        app: ASGIApp,
        backend: Backend,
        *,
        load_user: UserLoader | None = None,
        required: bool = False,
        public_paths: Iterable[str] = (),
        site: Site = Site(),
        connection_policy: ConnectionPolicy = ConnectionPolicy(),
        refusal_policy: RefusalPolicy = RefusalPolicy(),
        scope_policy: ScopePolicy = ScopePolicy(),
        on_event: Listener | Events | None = None,
    ) -> None:
        issuers = issuers_of(backend)
        self._users: Users | None = None
        if load_user is not None:
            self._users = Users(load_user, issuers)

        app = stripping(app, backend) if scope_policy.strip_credentials else app
        self._app = tracking(app) if scope_policy.track_current else app
        scopeless.serve(tracks=scope_policy.track_current)
        load = None if self._users is None else self._users.load
        terms = self._identify, load, connection_policy
        guard, streams = SocketGuard(self._app, *terms), StreamGuard(*terms)
        words = refusal_policy.wording
        misplaced = MisplacedCredentials(backend)
        events, unread = Events.of(on_event), misplaced.note_unread
        watch = Watch(events, claimant_of(backend), words, unread)
        replies = replies_for(backend.sources, backend.challenges, watch, issuers)
        plain_reply, socket_reply = replies
        reply = streams.bind(plain_reply)
        ordinary: Seen | None = set() if reply.types else None
        self._backend = backend
        self._asks_always = required or asks_always(backend)
        looker = CredentialReader(backend.sources).looker
        # A request's way, and a socket's.
        self._http = self._app, reply, looker("http"), ordinary
        self._websocket = guard, socket_reply, looker("websocket"), None
        self._recognise: Recognise = lane_of(backend) or know_nobody
        self._required = required
        self._public = PublicPaths(public_paths)
        self._invalid = refusal_policy.invalid
        self._pass_preflight = refusal_policy.preflight == "pass"
        self._preflights = RefusedPreflights()
        self._check_origin = site.cross_origin_check().check
        self._share = bool(scope_policy.share)
        self._stands_in = False
        warns = self._invalid == "refuse"
        self._strangers = StrangeIssuers(issuers, misplaced, warns=warns)

    async def __call__(  # noqa: C901, PLR0912, PLR0915  (one request's way, in one place)
        self, scope: Scope, receive: Receive, send: Send
    ) -> Any:
        """Identify the caller, then call the app, and return what that does."""
        if STAND_IN in scope and not self._stands_in:
            stand_in = scope[STAND_IN]
            if isinstance(stand_in, StandIn):
                return await stand_in.serve(self, scope, receive, send)

        credential = None
        principal = user = ANONYMOUS
        is_plain, is_preflight = True, False
        body: RequestBody | None = None
        app: ASGIApp
        reply_kind: type[Reply]
        kind = scope["type"]
        if kind == "http":
            app, reply_kind, look, ordinary = self._http
            token = look(scope)
            # A GET over HTTP/1.1 is looked at no further: most requests are spared it.
            try:
                if scope["method"] != "GET" or scope["http_version"] != "1.1":
                    is_plain = False
            except KeyError:
                is_plain = False

            if not is_plain:
                if self._pass_preflight and is_cors_preflight(scope):
                    # Its token was read as well: one in the query must not reach a log.
                    is_preflight = True
                    receive, send = EmptyBody(receive).receive, SilentReply(send).send
                if may_have_body(scope):
                    body = RequestBody(receive)
                    receive = body.receive

        elif kind == "websocket":
            app, reply_kind, look, ordinary = self._websocket
            token = look(scope)
        else:
            if self._required and kind != "lifespan":
                msg = f"no caller of a {kind!r} scope can be identified, as required"
                raise ConfigurationError(msg)

            return await self._app(without_caller(scope), receive, send)

        # A copy, as the ASGI specification asks: what we add must not leak outwards.
        child: Scope = {**scope}
        # As make_state does: a call, and one for each request, is what this spares.
        nothing: Any = None
        reply = reply_kind()
        reply.scope = scope
        reply._send = send  # noqa: SLF001
        reply.started = False
        reply.credential = reply.noted = reply.ordinary = nothing
        reply.passed = reply.refusal = reply.stream = nothing
        if self._share:
            # The reply keeps the copy: a circle would have to wait for the collector.
            reply.scope = child
            child = scope
        if body is not None:
            reply.body = body

        if is_preflight:
            if self._required and not self._is_public(scope):
                self._preflights.warn()
                await reply.refuse(AuthenticationError())
                return None
        elif token is not None or self._asks_always:
            try:
                if isinstance(token, bytes):
                    # An attribute that is no method is called sooner by way of a name.
                    recognise = self._recognise
                    known = recognise(token, "header")
                else:
                    credential = token
                    known = None if token is None else self._known(token, scope)

                if known and self._users is None:
                    principal = user = known
                else:
                    credential = unfold(token)
                    principal, user = await self._identify(credential, scope, known)
            except AuthError as error:
                reply.credential = credential = unfold(token)
                if self._refuses(error, credential, scope):
                    await reply.refuse(error)
                    reply.noted = None  # A circle, by way of the traceback.
                    return None

                principal = user = reply.ignore(error, scope)

        child["auth"] = principal
        child["user"] = user
        child[KEY] = reply
        if credential is not None:
            reply.credential = credential
            if credential.offer is not None:
                child["subprotocols"] = credential.offer.names

        if ordinary is not None and principal.is_authenticated:
            reply.ordinary, reply.served, reply.receiver = ordinary, principal, receive
            receive = reply.receive

        token = None  # Error trackers send the variables of all that is under way.
        try:
            returned = await app(child, receive, reply.send)
        except BaseException as error:
            if not await reply.excuses(error):
                raise
        else:
            # Some frameworks swallow what they cannot answer, as Sanic on a socket.
            if reply.refusal is not None:
                await reply.settle(reply.refusal)
            if reply.stream is not None:
                await reply.stream.leave()
            if reply.noted is not None:
                reply.forget()
            reply.passed = None  # A circle.
            return returned  # Servers complain of what is not None.

    def _known(self, credential: Credential, scope: Scope) -> Principal | None:
        """Return who sent a bearer token, where nobody has to be waited for."""
        # To take it apart takes less time than to look three members up.
        token, source, is_explicit, scheme, error, _, _ = credential
        if error is not None or scheme != "bearer":
            return None

        known = self._recognise(token, source)
        if known and not is_explicit:
            self._check_origin(scope)

        return known

    async def _identify(
        self,
        credential: Credential | None,
        scope: Scope,
        principal: Principal | None = None,
    ) -> tuple[Principal, Any]:
        """Return the principal and the user, or raise what is wrong."""
        if credential is not None and credential.error is not None:
            raise credential.error

        if principal is None:
            principal = await self._backend.authenticate(credential, scope)
            if principal is None or not is_known(principal, self._backend):
                return self._nobody(credential, scope)

            if credential is not None and not credential.explicit:
                self._check_origin(scope)

        if self._users is None:
            return principal, principal

        return principal, await self._users.load(principal)

    def _nobody(
        self, credential: Credential | None, scope: Scope
    ) -> tuple[Principal, Any]:
        if credential is not None:
            raise self._strangers.refuse(credential)

        if self._required and not self._is_public(scope):
            raise AuthenticationError

        return ANONYMOUS, ANONYMOUS

    def _is_public(self, scope: Scope) -> bool:
        return scope in self._public

    def _refuses(
        self, error: AuthError, credential: Credential | None, scope: Scope
    ) -> bool:
        """Tell whether *error* is answered here, or left to a guard below."""
        if self._is_public(scope):
            return False

        if self._required or isinstance(error, (UnavailableError, CrossOriginError)):
            return True

        # A stale cookie must not lock a browser out of a public page.
        ambient = credential is not None and not credential.explicit
        if ambient or self._invalid == "anonymous":
            return False

        strict = self._invalid == "refuse"
        return strict or not is_unclaimed(error, credential, self._backend)

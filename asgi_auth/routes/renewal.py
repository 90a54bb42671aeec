"""Renew an access cookie that has ended, before the application sees the request.

It stands around the application, with the authentication within: what a form brings is
not lost to a log-in page. It identifies nobody, and lets nobody in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth._asgi import ASGIApp, Headers, Receive, Scope, Send
from asgi_auth.credentials.public_paths import PublicPaths
from asgi_auth.credentials.sources import Cookie, unquote
from asgi_auth.errors import (
    AuthenticationError,
    AuthError,
    ConfigurationError,
)
from asgi_auth.events import Events
from asgi_auth.responses.body import RequestBody, may_have_body
from asgi_auth.responses.deny import answer
from asgi_auth.responses.people import OnRefusal
from asgi_auth.responses.refusal_policy import RefusalPolicy
from asgi_auth.responses.state import RequestState, make_state
from asgi_auth.responses.watch import Watch
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.renewed import RenewedReply
from asgi_auth.routes.session import SessionRoutes
from asgi_auth.routes.shared import Shared
from asgi_auth.tokens.codec import peek
from asgi_auth.tokens.pair import TokenPair

__all__ = ["RenewalMiddleware"]

_MOST_KNOWN: Final = 4096
# Browsers keep no longer ones (RFC 6265bis, section 5.6): only strangers send them.
_LONGEST_KEPT: Final = 4096
_ACCEPT_HEADERS: Final = (2, 1)
_DENIAL: Final = "websocket.http.response"


class RenewalMiddleware:
    """Give a request whose access cookie has ended a new one, and its browser too.

    Args:
        app: The application, with the authentication within.
        context: The settings of the routes.
        public_paths: Where nobody is refused, also when there is an outage.
        on_refusal: Words an outage for people.

    Raises:
        ConfigurationError: The refresh cookie does not go with all requests.
    """

    __slots__ = (
        "_access",
        "_app",
        "_clock",
        "_context",
        "_cookies",
        "_ends",
        "_mark",
        "_names",
        "_public",
        "_sessions",
        "_shared",
        "_state_kind",
    )

    def __init__(
        self,
        app: ASGIApp,
        context: RouteContext,
        *,
        public_paths: Iterable[str] = (),
        on_refusal: OnRefusal | None = None,
    ) -> None:
        cookies = context.cookies
        if cookies is None or cookies.path != "/":
            msg = "To renew, the refresh cookie must go everywhere: Cookies(path='/')."
            raise ConfigurationError(msg)

        self._app = app
        self._context = context
        self._cookies = cookies
        self._clock = context.clock
        self._public = PublicPaths(public_paths)
        self._sessions = SessionRoutes(context)
        self._shared: Shared[TokenPair] = Shared()
        self._mark = cookies.refresh.encode() + b"="
        self._access = Cookie(cookies.access).pattern()
        self._names = (cookies.access.encode(), cookies.refresh.encode())
        # When tokens end, as they say themselves: of those that were seen.
        self._ends: dict[bytes, float] = {}
        wording = RefusalPolicy(on_refusal=on_refusal).wording
        watch = Watch(Events.of(None), lambda _: None, wording)
        self._state_kind = RequestState.seen_by(watch)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Renew the cookies of a request that needs it; call the app."""
        if scope["type"] not in {"http", "websocket"}:
            return await self._app(scope, receive, send)

        cookies = self._ended(scope)
        if cookies is None or not self._can_answer(scope):
            return await self._app(scope, receive, send)

        try:
            pair = await self._renew(scope)
            fresh = None if pair is None else self._set(pair, scope)
        except AuthError as error:
            # The page to log in must open, whatever came before or from next door.
            if scope in self._public:
                return await self._app(scope, receive, send)

            await self._refuse(error, scope, receive, send)
            return None

        if pair is None or fresh is None:
            return await self._app(scope, receive, send)

        reply = RenewedReply(scope, send, fresh)
        child = {**scope, "headers": self._headers_with(pair, cookies, scope)}
        try:
            return await self._app(child, receive, reply.send)
        except Exception:
            # What a server answers now would not have the cookies, and the browser
            # would come back with a refresh token that is spent.
            await reply.crash()
            raise

    def _ended(self, scope: Scope) -> bytes | None:
        """Return the cookies of a request whose access cookie has ended."""
        values = []
        for name, value in scope["headers"]:
            lowered = name.lower()
            if lowered == b"authorization":
                return None  # What a client sends on purpose counts.

            if lowered == b"cookie":
                values.append(value)

        cookies = b"; ".join(values)
        if self._mark not in cookies:
            return None

        tokens = self._access.findall(cookies)
        if len(tokens) > 1:
            return None

        is_fresh = bool(tokens) and self._end_of(unquote(tokens[0])) > self._clock()
        return None if is_fresh else cookies

    def _end_of(self, token: bytes) -> float:
        """Return when a token ends, as it says itself: nobody is let in by it."""
        end = self._ends.get(token)
        if end is None:
            parts = peek(token)
            claims: Any = {} if parts is None else parts[1]
            exp = claims.get("exp")
            end = float(exp) if type(exp) is int and abs(exp) < 2**53 else 0.0
            if len(token) > _LONGEST_KEPT:
                return end

            if len(self._ends) >= _MOST_KNOWN:
                self._ends.clear()

            self._ends[token] = end

        return end

    def _can_answer(self, scope: Scope) -> bool:
        """Report whether cookies can be set, whatever the application answers."""
        if scope["type"] == "http":
            return True

        version = str(scope.get("asgi", {}).get("spec_version", "2.0")).split(".")
        numbers = tuple(int(part) for part in version if part.isdecimal())
        return numbers >= _ACCEPT_HEADERS and _DENIAL in (scope.get("extensions") or ())

    async def _renew(self, scope: Scope) -> TokenPair | None:
        """Return new tokens; ``None`` where there is nothing to renew.

        Raises:
            UnavailableError: The store is down.
            RateLimitedError: Too many tokens come from there.
        """
        request = Request({**scope, "type": "http", "method": "GET"})
        try:
            self._context.check_origin(scope)
        except AuthError:
            return None  # Whoever refuses foreign pages within does so.

        tokens = self._cookies.read_refresh(scope)
        # Who has stolen a token must not share the answer to its owner.
        key = tokens, self._context.device(request)

        async def make() -> TokenPair:
            await self._context.count_token(request)
            return await self._sessions.renew(request, tokens, None)

        try:
            return await self._shared.once(key, make)
        except AuthenticationError:
            return None  # As without cookies; they are left alone, as by /refresh.

    def _set(self, pair: TokenPair, scope: Scope) -> Headers:
        response = Response()
        self._cookies.hand_out(response, pair, scope, "")
        return [(n, v) for n, v in response.raw_headers if n == b"set-cookie"]

    def _headers_with(self, pair: TokenPair, cookies: bytes, scope: Scope) -> Headers:
        """Return the headers that the browser's next request will have."""
        others = [
            part.strip(b" \t")
            for part in cookies.split(b";")
            if part.partition(b"=")[0].strip(b" \t") not in self._names
        ]
        tokens = (pair.access_token.encode(), pair.refresh_token.encode())
        fresh = [b"%s=%s" % each for each in zip(self._names, tokens, strict=True)]
        line = b"; ".join([*others, *fresh])
        rest = [(n, v) for n, v in scope["headers"] if n.lower() != b"cookie"]
        return [*rest, (b"cookie", line)]

    async def _refuse(
        self, error: AuthError, scope: Scope, receive: Receive, send: Send
    ) -> None:
        state = make_state(self._state_kind)
        if scope["type"] == "http" and may_have_body(scope):
            state.body = RequestBody(receive)

        await answer(error, scope, send, state)

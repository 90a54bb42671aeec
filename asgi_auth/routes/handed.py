"""Log users in and out from handlers of the application's own.

A handler that has found out who somebody is gets the headers that make it so, for the
response of any framework.
"""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth._asgi import ASGIApp, Headers, Scope
from asgi_auth.accounts import Account
from asgi_auth.errors import ConfigurationError
from asgi_auth.identities import Identities
from asgi_auth.responses.people import OnRefusal
from asgi_auth.responses.state import MOUNT, MountPoint
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.errors import CookieTooLargeError
from asgi_auth.routes.models import LogoutRequest
from asgi_auth.routes.opening import open_session
from asgi_auth.routes.renewal import RenewalMiddleware
from asgi_auth.routes.session import SessionRoutes

__all__ = ["FromHandlers"]


class FromHandlers:
    """What handlers ask of the routes that are mounted beside them."""

    _context: RouteContext
    _prefix: str

    @property
    def identities(self) -> Identities | None:
        """Log-ins at other providers, if there are any."""
        return self._context.methods.identities

    async def log_in(
        self,
        scope: Scope,
        account: Account,
        *,
        remember: bool = True,
        amr: tuple[str, ...] = ("pwd",),
        acr: str | None = None,
    ) -> Headers:
        """Open a session, and return the ``Set-Cookie`` headers that make it known.

        Find out who the user is before: no password and no second factor is asked for.
        A session of before is not ended.

        Args:
            scope: Of the request.
            account: Who the user is.
            remember: Whether the cookies outlive the session of the browser.
            amr: How the user has shown who it is (RFC 8176).
            acr: The authentication context class of that.

        Returns:
            Headers to add to the response, as ASGI has them.

        Raises:
            CrossOriginError: The request comes from a foreign page.
            UnknownSubjectError: The account is gone or disabled.
            UnavailableError: The store is down.
            ConfigurationError: The routes set no cookies, or do not know where.
        """
        request = self._request(scope)
        context = self._context
        device = context.device(request)
        pair = await open_session(context, account, device=device, amr=amr, acr=acr)
        try:
            response = context.deliver(
                request, pair, medium="cookie", remember=remember
            )
        except CookieTooLargeError:
            await context.tokens.revoke_session(pair.session_id)
            raise

        detail = {"ip": device.ip, "user_agent": device.user_agent}
        detail["device"] = device.name
        context.tell("login.succeeded", account.id, pair.session_id, detail)
        return _cookies_of(response)

    async def log_out(self, scope: Scope) -> Headers:
        """End the session of a request, and return headers that clear its cookies.

        Do so for a POST: a foreign page can send anybody along a link.

        Args:
            scope: Of the request.

        Returns:
            Headers to add to the response, as ASGI has them.

        Raises:
            CrossOriginError: The request comes from a foreign page.
            UnavailableError: The store is down; nobody was logged out.
            ConfigurationError: The routes set no cookies, or do not know where.
        """
        request = self._request(scope)
        await SessionRoutes(self._context).end(request, LogoutRequest())
        return _cookies_of(self._context.clear_cookies(request, Response()))

    def renewing(
        self,
        app: ASGIApp,
        *,
        public_paths: Iterable[str] = (),
        on_refusal: OnRefusal | None = None,
    ) -> ASGIApp:
        """Put around an app what renews access cookies that have ended.

        A request then gets to its handler as if its access cookie had not ended, with
        all that it brings; the browser gets new cookies with the answer. Put it around
        the ``AuthenticationMiddleware``; ``install(..., renew=True)`` does so.

        Args:
            app: The application, with the authentication within.
            public_paths: Where nobody is refused, also when there is an outage.
            on_refusal: Words an outage for people.

        Raises:
            ConfigurationError: The refresh cookie does not go with all requests: it
                needs ``Cookies(path="/")``.
        """
        return RenewalMiddleware(
            app, self._context, public_paths=public_paths, on_refusal=on_refusal
        )

    def _request(self, scope: Scope) -> Request:
        """Return the request as the routes would get it, from an own page."""
        cookies = self._context.cookies
        if cookies is None:
            msg = "AuthRoutes sets no cookies: give it delivery='cookie'."
            raise ConfigurationError(msg)

        point = scope.get(MOUNT)
        if isinstance(point, MountPoint):
            mount = point.path
        elif self._prefix or cookies.path is not None:
            mount = str(scope.get("root_path") or "").rstrip("/") + self._prefix
        else:
            msg = "Say where the refresh cookie goes: Cookies(path='/')."
            raise ConfigurationError(msg)

        self._context.check_origin(scope)
        return Request({**scope, "root_path": mount})


def _cookies_of(response: Response) -> Headers:
    return [(n, v) for n, v in response.raw_headers if n == b"set-cookie"]

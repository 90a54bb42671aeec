"""The log-in routes, as one ASGI app that any framework can mount.

It routes and refuses; what the routes do is in the modules beside it. It identifies
callers itself, whatever middleware stands above it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth._logs import package_logger
from asgi_auth.accounts import Account, AccountService
from asgi_auth.config import AuthConfig
from asgi_auth.credentials.site import Site
from asgi_auth.credentials.sources import Source
from asgi_auth.dpop import DPoP
from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.ratelimit.limiter import RateLimiter
from asgi_auth.responses.body import RequestBody, may_have_body
from asgi_auth.responses.deny import deny
from asgi_auth.routes.account import AccountRoutes
from asgi_auth.routes.browser import BrowserRoutes, client_script
from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.cookies import Cookies
from asgi_auth.routes.delivery import Delivery, cookies_of
from asgi_auth.routes.enrolment import FactorRoutes
from asgi_auth.routes.errors import routing_error
from asgi_auth.routes.factor_login import FactorLogInRoutes
from asgi_auth.routes.handed import FromHandlers
from asgi_auth.routes.login import LogInRoutes
from asgi_auth.routes.methods import LogInMethods
from asgi_auth.routes.oauth import in_oauth_form
from asgi_auth.routes.openapi import DocumentRoutes, describe
from asgi_auth.routes.operations import Handlers, Operation
from asgi_auth.routes.own_accounts import renew_rights, shape_of
from asgi_auth.routes.parts import choose
from asgi_auth.routes.place import placed
from asgi_auth.routes.session import SessionRoutes
from asgi_auth.routes.shape import RouteShape
from asgi_auth.routes.tickets import TicketRoutes
from asgi_auth.routes.tokens import TokenRoutes
from asgi_auth.routes.ways import public_paths_of, routes_beside
from asgi_auth.sessions import TokenService
from asgi_auth.typing import Confirmation

__all__ = ["AuthRoutes"]

_logger = package_logger(__name__)

_Bound = tuple[Operation, Handlers]


class AuthRoutes(FromHandlers):
    """Accounts and sessions over HTTP: mount it, for instance at ``/auth``.

    Args:
        tokens: Issues, verifies and revokes.
        accounts: Knows who may log in. :class:`ManagedAccounts` are those of your own.
        delivery: Where tokens travel: in JSON bodies, in cookies that scripts cannot
            read, or in ``both``; :class:`Cookies` have names and attributes of your
            own.
        prefix: Where the routes are, for frameworks that do not say so with
            ``root_path``: plain ASGI, for one.
        limiter: Counts tries; by default in the memory of this process.
        methods: How users may log in beside a password, and what is asked for after it.
        claims: Gives further claims of access tokens; the same as for
            :func:`~asgi_auth.accounts.grants.grants_of`.
        shape: Which of the routes there are, and what bodies look like.
        dpop: Binds tokens to the key of whoever asks for them with a proof (RFC 9449).
        site: The own origin, other origins whose pages may use the cookies, and the
            proxies that say for whom they ask.

    Raises:
        MissingExtraError: Starlette, Pydantic or limits is not installed.
        ConfigurationError: The settings do not fit together; the text says why.
    """

    def __init__(
        self,
        tokens: TokenService,
        accounts: AccountService,
        *,
        delivery: Delivery | Cookies = "body",
        prefix: str = "",
        limiter: RateLimiter | None = None,
        methods: LogInMethods = LogInMethods(),
        claims: Callable[[Account], Mapping[str, Any]] | None = None,
        shape: RouteShape = RouteShape(),
        dpop: DPoP | None = None,
        site: Site = Site(),
    ) -> None:
        cookies = cookies_of(delivery)
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            msg = "prefix must look like /auth."
            raise ConfigurationError(msg)

        keep_rights = tokens.session_policy.insecure_keep_rights
        _warn(
            keep_rights
            and "insecure_keep_rights: who loses a right keeps it to the next log-in",
            cookies is not None
            and cookies.insecure_for_localhost
            and "insecure_for_localhost: cookies without Secure, for this machine only",
        )
        context = RouteContext(
            tokens=tokens,
            users=accounts,
            cookies=cookies,
            site=site,
            limiter=_counting(limiter or RateLimiter()),
            methods=methods,
            claims=claims,
            shape=shape_of(accounts, shape),
            dpop=dpop,
        )
        methods.end_with(accounts)
        if not keep_rights:
            renew_rights(tokens, accounts, claims)

        self._operations = choose(context)
        self._context = context
        self._prefix = prefix
        self._document = cache(self._describe)
        self._router = self._route(accounts)

    @classmethod
    def from_config(
        cls,
        config: AuthConfig,
        tokens: TokenService,
        accounts: AccountService,
        **options: Any,
    ) -> AuthRoutes:
        """Make routes that set cookies as the settings say.

        Args:
            config: The cookies' settings.
            tokens: Issues, verifies and revokes.
            accounts: Knows who may log in.
            options: What the settings do not say.

        Raises:
            ConfigurationError: Scripts would be able to read the refresh token.
        """
        if not config.cookie_httponly:
            msg = "cookie_httponly=False shows tokens to scripts: use delivery='body'."
            raise ConfigurationError(msg)

        delivery = options.pop("delivery", "cookie")
        if isinstance(delivery, str) and delivery != "body":
            delivery = Cookies(
                samesite=config.cookie_samesite,
                refresh_name=config.cookie_name,
                insecure_for_localhost=not config.cookie_secure,
                in_body=delivery == "both",
            )

        return cls(tokens, accounts, delivery=delivery, **options)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where callers put their tokens; your ``JWTBackend`` needs it as well."""
        return tuple(self._context.sources)

    @property
    def confirmations(self) -> tuple[Confirmation, ...]:
        """What your ``JWTBackend`` needs too, where tokens are bound to keys."""
        return () if self._context.dpop is None else (self._context.dpop,)

    @property
    def site(self) -> Site:
        """The own origin, whom to trust, and the proxies in front."""
        return self._context.site

    @property
    def parts(self) -> frozenset[str]:
        """The parts that there are; see :class:`RouteShape`."""
        return frozenset(operation.part for operation in self._operations)

    @property
    def prefix(self) -> str:
        """Where the routes are, for frameworks that do not say so."""
        return self._prefix

    @property
    def client_integrity(self) -> str:
        """The hash of ``/client.js``, for the ``integrity`` of a ``<script>``."""
        return client_script().integrity

    def public_paths(self, prefix: str) -> list[str]:
        """Return what the middleware must let through: callers are anonymous there.

        Args:
            prefix: Where the routes are mounted, for instance ``/auth``.
        """
        return public_paths_of(
            prefix, self._operations, self._context.methods.identities
        )

    def refusals(self, at: str) -> None:
        """Return ``None``: routes are for programs, which get the problem document."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document of the routes, with paths below the mount."""
        copied: dict[str, Any] = json.loads(json.dumps(self._document()))
        return copied

    async def aclose(self) -> None:
        """Close the connections of the limiter in the running loop."""
        if self._context.limiter is not None:
            await self._context.limiter.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return

        body = RequestBody(receive)
        try:
            child = placed(scope, self, self._prefix)
            await self._router(child, body.receive, send)
        except AuthError as error:
            await _refuse(error, body, scope, send)
        except HTTPException as error:
            await _refuse(routing_error(error), body, scope, send)
        except ClientDisconnect:
            return  # No one is left to answer.

    def _describe(self) -> dict[str, Any]:
        context = self._context
        return describe(
            self._operations,
            access_cookie=None if context.cookies is None else context.cookies.access,
            camel_case=context.shape.camel_case,
            limited=context.limiter is not None,
        )

    def _route(self, accounts: AccountService) -> Router:
        context = self._context
        completion = LogInCompletion(context)
        log_in = LogInRoutes(context, completion)
        owners: list[Handlers] = [
            log_in,
            FactorLogInRoutes(context, completion),
            FactorRoutes(context, completion),
            SessionRoutes(context),
            TicketRoutes(context),
            TokenRoutes(context),
            DocumentRoutes(self._document),
            BrowserRoutes(),
            AccountRoutes(context, accounts, log_in),
            *routes_beside(context, completion, context.site.public_url),
        ]
        chosen = {(op.method, op.path) for op in self._operations}
        paths: dict[str, dict[str, _Bound]] = {}
        for owner in owners:
            for operation in owner.operations:
                if (operation.method, operation.path) in chosen:
                    methods = paths.setdefault(operation.path, {})
                    methods[operation.method] = operation, owner

        routes = [_route_of(path, bound, context) for path, bound in paths.items()]
        return Router(routes, redirect_slashes=False)


def _counting(limiter: RateLimiter) -> RateLimiter | None:
    return limiter if limiter.counts else None


def _route_of(path: str, by_method: dict[str, _Bound], context: RouteContext) -> Route:
    async def endpoint(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation, owner = by_method[method]
        if operation.cookies:
            context.check_origin(request.scope)

        answer = operation.handler(owner, request)
        return await in_oauth_form(answer, operation.form, request)

    return Route(path, endpoint, methods=list(by_method))


def _warn(*dangers: str | bool) -> None:
    """Write what is allowed and dangerous."""
    for danger in filter(None, dangers):
        _logger.warning("%s", danger)


async def _refuse(
    error: AuthError, body: RequestBody, scope: Scope, send: Send
) -> None:
    if may_have_body(scope):
        await body.drain(scope)

    await deny(error, scope, body.receive, send)

"""What all the log-in routes need: to read, to know who calls, to count, to answer.

It decides nothing about accounts and sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from asgi_auth._asgi import Scope
from asgi_auth._clock import Clock
from asgi_auth.accounts import Account
from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.credentials.csrf import CrossOriginCheck
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.credentials.site import Site
from asgi_auth.credentials.sources import BearerHeader, Cookie, Source
from asgi_auth.dpop import DPoP
from asgi_auth.errors import (
    ActorRefusedError,
    AuthenticationError,
    RateLimitedError,
    UnavailableError,
)
from asgi_auth.events import Event
from asgi_auth.principal import Principal
from asgi_auth.ratelimit.client_address import ClientAddresses, network_of
from asgi_auth.ratelimit.limiter import RateLimiter, Rule
from asgi_auth.routes.body import BodyReader, Form
from asgi_auth.routes.cookies import Cookies
from asgi_auth.routes.delivery import Medium
from asgi_auth.routes.methods import LogInMethods
from asgi_auth.routes.models import TokenResponse
from asgi_auth.routes.shape import RouteShape
from asgi_auth.routes.users import Users
from asgi_auth.sessions import TokenService
from asgi_auth.stores.records import Device
from asgi_auth.tokens.pair import TokenPair

__all__ = ["RouteContext"]

M = TypeVar("M", bound=BaseModel)

_LOGGING_IN: Final = {"log_in", "log_in_address", "failures", "codes", "guesses"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteContext:
    """The settings of :class:`~asgi_auth.routes.app.AuthRoutes`, and what they do.

    Attributes:
        tokens: Issues and verifies.
        users: Knows who may log in.
        cookies: The cookies, or ``None`` where tokens travel in bodies only.
        site: The own origin, whom to trust, and the proxies in front.
        limiter: Counts tries, or ``None``.
        methods: How users may log in beside a password.
        claims: Gives further claims for an account, or ``None``.
        shape: Which routes there are, and what bodies look like.
        dpop: Binds tokens to the key of whoever proves to have one, or ``None``.
        sources: Where callers put their tokens.
        origins: Distinguishes own pages from foreign ones.
        addresses: Finds out where requests come from.
    """

    tokens: TokenService
    users: Users
    cookies: Cookies | None
    site: Site
    limiter: RateLimiter | None
    methods: LogInMethods
    claims: Callable[[Account], Mapping[str, Any]] | None
    shape: RouteShape
    dpop: DPoP | None
    sources: Sequence[Source] = field(init=False)
    origins: CrossOriginCheck = field(init=False)
    addresses: ClientAddresses = field(init=False)
    _bodies: BodyReader = field(init=False, repr=False)
    _reader: CredentialReader = field(init=False, repr=False)
    _backend: JWTBackend = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Derive where credentials come from, and what reads requests."""
        object.__setattr__(self, "origins", self.site.cross_origin_check())
        addresses = ClientAddresses(self.site.trusted_proxies)
        object.__setattr__(self, "addresses", addresses)
        object.__setattr__(self, "_bodies", BodyReader(self.shape.max_body))
        sources: list[Source] = [BearerHeader()]
        if self.cookies is not None:
            sources.append(Cookie(self.cookies.access))

        object.__setattr__(self, "sources", tuple(sources))
        confirmations = () if self.dpop is None else (self.dpop,)
        backend = JWTBackend(self.tokens, sources=sources, confirmations=confirmations)
        object.__setattr__(self, "_reader", CredentialReader(backend.sources))
        object.__setattr__(self, "_backend", backend)

    @property
    def clock(self) -> Clock:
        """Returns Unix seconds, as for the tokens."""
        return self.tokens.clock

    # ------------------------------------------------------------------- reading

    def check_origin(self, scope: Scope) -> None:
        """Refuse foreign pages wherever cookies are read or set, log-ins included.

        Raises:
            CrossOriginError: The request comes from a foreign page.
            NotLocalhostError: Cookies are insecure, and this is not localhost.
        """
        if self.cookies is not None:
            self.origins.check(scope)
            self.cookies.check_host(scope)

    async def read(
        self,
        request: Request,
        model: type[M],
        *,
        form: Form | None = None,
        optional: bool = False,
    ) -> M:
        """Read the body; see :meth:`BodyReader.read`."""
        return await self._bodies.read(request, model, form=form, optional=optional)

    async def owner(self, request: Request) -> Principal:
        """Return who calls, for what no actor may do in the user's name.

        Raises:
            ActorRefusedError: An actor acts for the user.
            AuthenticationError: The caller is anonymous.
            UnavailableError: It cannot be known whether the token is revoked.
        """
        caller = await self.caller(request)
        if caller.actor is not None:
            raise ActorRefusedError

        return caller

    async def caller(self, request: Request) -> Principal:
        """Return who calls.

        Raises:
            AuthenticationError: The caller is anonymous.
            UnavailableError: It cannot be known whether the token is revoked.
        """
        credential = self._reader.read(request.scope)
        if credential is None:
            raise AuthenticationError

        if credential.error is not None:
            raise credential.error

        principal = await self._backend.authenticate(credential, request.scope)
        if principal is None:
            raise AuthenticationError

        return principal

    def access_token(self, request: Request) -> tuple[str, bool] | None:
        """Return the access token, unverified, and whether it was sent on purpose."""
        credential = self._reader.read(request.scope)
        if credential is None:
            return None

        if credential.error is not None:
            return "", credential.explicit

        return credential.token.decode("latin-1"), credential.explicit

    def address(self, request: Request) -> str:
        """Return where the request comes from, as text."""
        return self.addresses.of(request.scope)

    def network(self, request: Request) -> str:
        """Return what one client is counted by: of IPv6 the /64."""
        return network_of(self.address(request))

    def device(self, request: Request, label: str | None = None) -> Device:
        """Describe the device for the user's list of sessions."""
        agent = request.headers.get("user-agent", "")
        text = "".join(letter for letter in agent[:512] if letter.isprintable())
        return Device(label=label, ip=self.address(request), user_agent=text or None)

    # ------------------------------------------------------------------ counting

    async def count(self, rule: Rule, *key: str) -> None:
        """Count a try.

        Raises:
            RateLimitedError: That is too much.
            UnavailableError: It cannot be counted.
        """
        if self.limiter is None:
            return

        try:
            await self.limiter.consume(rule, *key)
        except RateLimitedError:
            if rule in _LOGGING_IN:
                self.tell("login.locked", detail={"rule": rule})

            raise

    async def count_token(self, request: Request) -> None:
        """Count a request about a token that is there already.

        Where counting fails it passes: users must be able to stay in, and to leave.

        Raises:
            RateLimitedError: That is too much.
        """
        with suppress(UnavailableError):
            await self.count("tokens", self.network(request))

    async def uncount(self, rule: Rule, *key: str) -> None:
        """Take a try back that was none."""
        if self.limiter is not None:
            await self.limiter.give_back(rule, *key)

    def tell(
        self,
        name: str,
        subject: str | None = None,
        sid: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Report to the application what happened."""
        event = Event(
            name=name,
            at=self.clock(),
            issuer=self.tokens.issuer,
            subject=subject,
            session_id=sid,
            detail=detail or {},
        )
        self.tokens.events.emit(event)

    # ----------------------------------------------------------------- answering

    def answer(self, model: BaseModel, status: int = 200) -> Response:
        """Write a model; what is not there is left out, unless the model says so."""
        text = model.model_dump_json(by_alias=self.shape.camel_case, exclude_none=True)
        response = Response(text, status, media_type="application/json")
        response.headers["cache-control"] = "no-store"
        return response

    def done(self) -> Response:
        """Answer that there is nothing to say."""
        return Response(status_code=204, headers={"cache-control": "no-store"})

    def user(self, account: Account, status: int = 200) -> Response:
        """Show an account to its owner."""
        is_verified = self.users.is_verified(account)
        return self.answer(self.shape.show(account, is_verified=is_verified), status)

    def medium(self, choice: Medium) -> Medium:
        """Return how tokens go out: as *choice*, where both ways are there.

        Never in both at once: a script could then read what a cookie hides from it.
        """
        if self.cookies is None:
            return "body"

        return choice if self.cookies.in_body else "cookie"

    def deliver(
        self,
        request: Request,
        pair: TokenPair,
        device_token: str | None = None,
        *,
        medium: Medium,
        trust_token: str | None = None,
        remember: bool | None = None,
    ) -> Response:
        """Hand out tokens, in the body or in cookies; see :meth:`medium`.

        Raises:
            CookieTooLargeError: They do not fit into cookies.
        """
        in_body = self.medium(medium) == "body"
        content = TokenResponse(
            access_token=pair.access_token if in_body else None,
            refresh_token=pair.refresh_token if in_body else None,
            token_type=pair.token_type,
            expires_in=pair.expires_in,
            refresh_expires_in=pair.refresh_expires_in,
            scope=pair.scope or None,
            device_token=device_token if in_body else None,
            trust_token=trust_token if in_body else None,
        )
        response = self.answer(content)
        if self.dpop is not None:
            response.headers.update(self.dpop.response_headers())

        if self.cookies is not None and not in_body:
            mount = request.scope["root_path"]
            self.cookies.hand_out(
                response, pair, request.scope, mount, remember=remember
            )
            self.cookies.clear_pending(response, request.scope, mount)
            if device_token is not None:
                self.cookies.set_device(response, device_token, mount)

            if trust_token is not None:
                factors = self.methods.factors
                seconds = 0 if factors is None else factors.trust_for
                self.cookies.set_trust(response, trust_token, mount, seconds=seconds)

        return response

    def clear_cookies(self, request: Request, response: Response) -> Response:
        """Take the tokens out of the browser."""
        if self.cookies is not None:
            mount = request.scope["root_path"]
            self.cookies.clear(response, request.scope, mount)

        return response

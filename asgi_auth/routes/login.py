"""Log in, and prove again to be there: where passwords become sessions.

An unknown account, a wrong password and a wrong code get one answer. Every try is
counted before the password is looked at.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import Account
from asgi_auth.errors import (
    AuthError,
    ConfigurationError,
    InvalidCredentialsError,
    RevokedTokenError,
)
from asgi_auth.principal import is_user
from asgi_auth.ratelimit.limiter import Rule
from asgi_auth.routes.binding import key_of
from asgi_auth.routes.body import Form
from asgi_auth.routes.context import Medium, RouteContext
from asgi_auth.routes.devices import KnownDevices, account_digest, account_key
from asgi_auth.routes.errors import CookieTooLargeError
from asgi_auth.routes.factors import Factor
from asgi_auth.routes.models import LoginRequest, ReauthenticateRequest, TokenResponse
from asgi_auth.routes.opening import open_session
from asgi_auth.routes.operations import Operations
from asgi_auth.stores.records import Device
from asgi_auth.tokens.pair import TokenPair

__all__ = ["LOGIN_FORM", "LogInRoutes"]

LOGIN_FORM = Form(grant_type="password")
"""The password form of OAuth (RFC 6749, section 4.3.2), as many tools send it."""


class LogInRoutes:
    """The handlers that ask for a password.

    Args:
        context: The settings.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_context", "_devices")

    def __init__(self, context: RouteContext) -> None:
        self._context = context
        self._devices = KnownDevices(context.tokens)

    @operations.add(
        part="login",
        method="POST",
        path="/login",
        summary="Log in",
        body=LoginRequest,
        form=LOGIN_FORM,
        answers={200: TokenResponse},
        refusals=(401, 403, 429, 500),
    )
    async def log_in(self, request: Request) -> Response:
        """Open a session for a user with the right password."""
        context = self._context
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, LoginRequest, form=LOGIN_FORM)
        key = await key_of(context, request, body.delivery)
        device_id = await self._known_device(request, body)
        async with self._try(request, account_key(body.login), device_id):
            account = await context.users.authenticate(body.login, body.password)
            factor = await self._second_factor(account, body.code)

        device = context.device(request, body.device_label)
        pair = await self._open(account, factor, device, key)
        token = None
        if context.limiter is not None:
            token = self._devices.remember(body.login, device_id)

        response = await self._deliver(
            request, pair, token, medium=body.delivery, remember=body.remember
        )
        where = {"ip": device.ip, "user_agent": device.user_agent}
        context.tell(
            "login.succeeded",
            account.id,
            pair.session_id,
            {**where, "device": device.name},
        )
        return response

    @operations.add(
        part="reauthenticate",
        method="POST",
        path="/reauthenticate",
        summary="Prove again to be there: a fresh session for the old one",
        body=ReauthenticateRequest,
        answers={200: TokenResponse},
        refusals=(403, 429, 500),
        guarded=True,
    )
    async def reauthenticate(self, request: Request) -> Response:
        """Replace the caller's session by a fresh one, after the right password."""
        context = self._context
        caller = await context.owner(request)
        body = await context.read(request, ReauthenticateRequest)
        async with self.confirming(request, caller.subject):
            account = await context.users.confirm_password(
                caller.subject, body.password
            )
            factor = await self._second_factor(account, body.code)

        sid = caller.session_id or ""
        present = await context.tokens.session(sid, caller.subject)
        if present is None:
            raise RevokedTokenError

        # First: the new one must not count as one too many, and end another device's.
        await context.tokens.revoke_session(present.sid)
        key = caller.claims.get("cnf", {}).get("jkt")
        pair = await self._open(account, factor, present.device, key)
        medium: Medium = "cookie" if caller.source == "cookie" else "body"
        response = await self._deliver(request, pair, medium=medium)
        context.tell("login.reauthenticated", account.id, pair.session_id)
        return response

    @asynccontextmanager
    async def confirming(self, request: Request, subject: str) -> AsyncGenerator[None]:
        """Count a try to give the password of a user who is logged in already."""
        await self._context.count("log_in_address", self._context.network(request))
        async with self._try(request, f"subject:{subject}", None):
            yield

    @asynccontextmanager
    async def _try(
        self, request: Request, account: str, device: str | None
    ) -> AsyncGenerator[None]:
        """Count a try before it is made, and take it back where it did not fail."""
        context = self._context
        await context.count("log_in", account, context.network(request))
        rule: Rule = "failures"
        key = ("account", account) if device is None else ("device", account, device)
        await context.count(rule, *key)
        try:
            yield
        except AuthError as error:
            # "Disabled", "not verified" and outages say nothing against the password.
            if not isinstance(error, InvalidCredentialsError):
                await context.uncount(rule, *key)

            # The digest names the account to those who know its address.
            about = {"reason": error.code, "account": account_digest(account)}
            where = _origin_of(context.device(request))
            context.tell("login.failed", detail={**where, **about})
            raise

        await context.uncount(rule, *key)

    async def _known_device(self, request: Request, body: LoginRequest) -> str | None:
        token = body.device_token
        if token is None and self._context.cookies is not None:
            token = self._context.cookies.read("device", request.scope)

        return await self._devices.recognise(token, body.login)

    async def _second_factor(self, account: Account, code: str | None) -> Factor:
        if self._context.second_factor is None:
            return Factor()

        factor: object = await self._context.second_factor(account, code)
        if factor is None or isinstance(factor, Factor):
            return factor or Factor()

        if not is_user(factor):  # A "no".
            raise InvalidCredentialsError

        msg = "second_factor must return a Factor or None, or raise an AuthError."
        raise ConfigurationError(msg)

    async def _open(
        self, account: Account, factor: Factor, device: Device, key: str | None
    ) -> TokenPair:
        return await open_session(
            self._context,
            account,
            device=device,
            amr=("pwd", *factor.amr),
            acr=factor.acr,
            key=key,
        )

    async def _deliver(
        self,
        request: Request,
        pair: TokenPair,
        device: str | None = None,
        *,
        medium: Medium,
        remember: bool | None = None,
    ) -> Response:
        try:
            return self._context.deliver(
                request, pair, device, medium=medium, remember=remember
            )
        except CookieTooLargeError:
            # No client gets its tokens, so no client could end it.
            await self._context.tokens.revoke_session(pair.session_id)
            raise


def _origin_of(device: Device) -> dict[str, str | None]:
    return {"ip": device.ip, "user_agent": device.user_agent}

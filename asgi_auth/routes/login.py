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

from asgi_auth.errors import AuthError, InvalidCredentialsError, RevokedTokenError
from asgi_auth.ratelimit.limiter import Rule
from asgi_auth.routes.binding import key_of
from asgi_auth.routes.body import Form
from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.devices import (
    KnownDevice,
    KnownDevices,
    account_digest,
    account_key,
)
from asgi_auth.routes.models import LoginRequest, ReauthenticateRequest, TokenResponse
from asgi_auth.routes.on_context import OnCompletion
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.pending import Proof
from asgi_auth.stores.records import Device

__all__ = ["LOGIN_FORM", "LogInRoutes"]

LOGIN_FORM = Form(grant_type="password")
"""The password form of OAuth (RFC 6749, section 4.3.2), as many tools send it."""


class LogInRoutes(OnCompletion):
    """The handlers that ask for a password.

    Args:
        context: The settings.
        completion: Opens the sessions.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_devices",)

    def __init__(self, context: RouteContext, completion: LogInCompletion) -> None:
        super().__init__(context, completion)
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
        device = await self._known_device(request, body)
        async with self._try(request, account_key(body.login), device):
            account = await context.users.authenticate(body.login, body.password)
            proof = Proof(
                account=account,
                amr=("pwd",),
                medium=body.delivery,
                remember=body.remember,
                label=body.device_label,
                key=key,
                login=account_digest(body.login),
                device=device,
            )
            factor = await self._completion.judge(
                request,
                proof,
                code=body.code,
                trust=body.trust_token or self._completion.trust_cookie(request),
            )

        return await self._completion.open(request, proof, factor)

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
        sid = caller.session_id or ""
        body = await context.read(request, ReauthenticateRequest)
        async with self.confirming(request, caller.subject):
            account = await context.users.confirm_password(
                caller.subject, body.password
            )
            proof = Proof(
                account=account,
                amr=("pwd",),
                medium="cookie" if caller.source == "cookie" else "body",
                key=caller.claims.get("cnf", {}).get("jkt"),
                attempt=sid,
            )
            factor = await self._completion.judge(request, proof, code=body.code)

        present = await context.tokens.session(sid, caller.subject)
        if present is None:
            raise RevokedTokenError

        # First: the new one must not count as one too many, and end another device's.
        await context.tokens.revoke_session(present.sid)
        pair = await self._completion.session(proof, factor, present.device)
        response = await self._completion.deliver(request, proof, pair)
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
        self, request: Request, account: str, device: KnownDevice | None
    ) -> AsyncGenerator[None]:
        """Count a try before it is made, and take it back where it did not fail."""
        context = self._context
        await context.count("log_in", account, context.network(request))
        rule: Rule = "failures"
        key = ("account", account) if device is None else ("device", account, device.id)
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

    async def _known_device(
        self, request: Request, body: LoginRequest
    ) -> KnownDevice | None:
        token = body.device_token
        if token is None and self._context.cookies is not None:
            token = self._context.cookies.read("device", request.scope)

        return await self._devices.recognise(token, account_digest(body.login))


def _origin_of(device: Device) -> dict[str, str | None]:
    return {"ip": device.ip, "user_agent": device.user_agent}

"""Log in with a passkey: without a name, as second factor, or once more.

It opens no session by itself: all log-ins end in one place. A log-in that fails does
not say why, and counts against the network that it comes from, not against the user.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from secrets import token_urlsafe
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import Account
from asgi_auth.errors import AuthError, RevokedTokenError
from asgi_auth.passkeys import Passkey
from asgi_auth.passkeys.ceremonies import Ceremonies, amr_of
from asgi_auth.passkeys.errors import PasskeyRefusedError
from asgi_auth.routes.binding import key_of
from asgi_auth.routes.completion import MFA, LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.delivery import Medium
from asgi_auth.routes.factor_models import PendingRequest
from asgi_auth.routes.factors import Factor
from asgi_auth.routes.models import TokenResponse
from asgi_auth.routes.operations import Handlers, Operations
from asgi_auth.routes.passkey_models import (
    CeremonyRequest,
    CeremonyResponse,
    PasskeyLoginRequest,
    SecondPasskeyRequest,
)
from asgi_auth.routes.passkeys import PasskeyRoutes, ceremony_response
from asgi_auth.routes.pending import Proof

__all__ = ["PasskeyLogInRoutes", "passkey_routes"]


class PasskeyLogInRoutes:
    """The handlers that log in with passkeys.

    Args:
        context: The settings.
        ceremonies: Asks for passkeys, and judges the answers.
        completion: Opens the sessions.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_ceremonies", "_completion", "_context")

    def __init__(
        self, context: RouteContext, ceremonies: Ceremonies, completion: LogInCompletion
    ) -> None:
        self._context = context
        self._ceremonies = ceremonies
        self._completion = completion

    @operations.add(
        part="passkeys",
        method="POST",
        path="/passkeys/login/options",
        summary="Ask for a passkey, to log in without a name",
        body=CeremonyRequest,
        optional=True,
        answers={200: CeremonyResponse},
        refusals=(429,),
    )
    async def begin_passkey_log_in(self, request: Request) -> Response:
        """Return what ``navigator.credentials.get()`` needs."""
        context = self._context
        await context.count_token(request)
        body = await context.read(request, CeremonyRequest, optional=True)
        if context.cookies is None or context.medium(body.delivery) == "body":
            return context.answer(ceremony_response(self._ceremonies.begin_log_in()))

        # One name for all tabs, each of which may have asked.
        name = self._browser(request, body.delivery) or token_urlsafe(16)
        ceremony = self._ceremonies.begin_log_in(name)
        response = context.answer(ceremony_response(ceremony))
        mount, seconds = request.scope["root_path"], ceremony.expires_in
        context.cookies.set_browser(response, name, mount, seconds=seconds)
        return response

    @operations.add(
        part="passkeys",
        method="POST",
        path="/passkeys/login",
        summary="Log in with a passkey",
        body=PasskeyLoginRequest,
        answers={200: TokenResponse},
        refusals=(401, 403, 429, 500),
    )
    async def log_in_with_passkey(self, request: Request) -> Response:
        """Open a session for the user of a passkey."""
        context = self._context
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, PasskeyLoginRequest)
        key = await key_of(context, request, body.delivery)
        async with self._trying(request):
            passkey = await self._shown(request, body)
            account = await self._account(passkey)

        proof = Proof(
            account=account,
            amr=amr_of(passkey),
            acr=MFA,
            medium=body.delivery,
            label=body.device_label,
            key=key,
        )
        return await self._completion.complete(request, proof)

    @operations.add(
        part="passkeys",
        method="POST",
        path="/passkeys/reauthenticate",
        summary="Prove with a passkey to be there: a fresh session for the old one",
        body=PasskeyLoginRequest,
        answers={200: TokenResponse},
        refusals=(403, 429, 500),
        guarded=True,
    )
    async def reauthenticate_with_passkey(self, request: Request) -> Response:
        """Replace the caller's session by a fresh one, after a log-in."""
        context = self._context
        caller = await context.owner(request)
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, PasskeyLoginRequest)
        async with self._trying(request):
            passkey = await self._shown(request, body)
            if passkey.subject != caller.subject:
                msg = "it is another user's"
                raise PasskeyRefusedError(msg)

            account = await self._account(passkey)

        proof = Proof(
            account=account,
            amr=amr_of(passkey),
            medium="cookie" if caller.source == "cookie" else "body",
            key=caller.claims.get("cnf", {}).get("jkt"),
        )
        present = await context.tokens.session(caller.session_id or "", caller.subject)
        if present is None:
            raise RevokedTokenError

        # First: the new one must not count as one too many, and end another device's.
        await context.tokens.revoke_session(present.sid)
        factor = Factor(acr=MFA)
        pair = await self._completion.session(proof, factor, present.device)
        response = await self._completion.deliver(request, proof, pair)
        context.tell("login.reauthenticated", account.id, pair.session_id)
        return response

    @operations.add(
        part="passkeys",
        method="POST",
        path="/login/factor/passkey/options",
        summary="Ask for a passkey, after the password",
        body=PendingRequest,
        optional=True,
        answers={200: CeremonyResponse},
        refusals=(401, 429),
    )
    async def begin_second_passkey(self, request: Request) -> Response:
        """Return what ``navigator.credentials.get()`` needs."""
        await self._context.count_token(request)
        body = await self._context.read(request, PendingRequest, optional=True)
        proof = await self._completion.pending(request, body.pending_token)
        ceremony = await self._ceremonies.begin_second_factor(
            proof.account.id, proof.attempt
        )
        return self._context.answer(ceremony_response(ceremony))

    @operations.add(
        part="passkeys",
        method="POST",
        path="/login/factor/passkey",
        summary="End a log-in with a passkey",
        body=SecondPasskeyRequest,
        answers={200: TokenResponse},
        refusals=(401, 403, 429, 500),
    )
    async def show_second_passkey(self, request: Request) -> Response:
        """Open a session for a user who has shown another factor before."""
        context = self._context
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, SecondPasskeyRequest)
        proof = await self._completion.pending(request, body.pending_token)
        async with self._trying(request):
            passkey = await self._ceremonies.show(
                body.credential.model_dump(exclude_none=True),
                body.ceremony,
                account_id=proof.account.id,
                attempt=proof.attempt,
            )

        factor = Factor(acr=MFA, amr=amr_of(passkey))
        return await self._completion.open(request, proof, factor)

    async def _shown(self, request: Request, body: PasskeyLoginRequest) -> Passkey:
        browser = self._browser(request, body.delivery)
        if browser is None and self._is_bound(body.delivery):
            # What was asked in a body has no browser, and is not for this one.
            msg = "this browser was asked nothing"
            raise PasskeyRefusedError(msg)

        return await self._ceremonies.log_in(
            body.credential.model_dump(exclude_none=True),
            body.ceremony,
            browser=browser or "",
        )

    def _is_bound(self, delivery: Medium) -> bool:
        """Report whether only the browser that asked may answer."""
        context = self._context
        return context.cookies is not None and context.medium(delivery) == "cookie"

    def _browser(self, request: Request, delivery: Medium) -> str | None:
        """Return the name of a browser that keeps its tokens in cookies, if known."""
        context = self._context
        if context.cookies is None or not self._is_bound(delivery):
            return None

        return context.cookies.read("browser", request.scope)

    async def _account(self, passkey: Passkey) -> Account:
        account = await self._context.users.find(passkey.subject)
        if account is None:
            msg = "its user is gone or disabled"
            raise PasskeyRefusedError(msg)

        return account

    @asynccontextmanager
    async def _trying(self, request: Request) -> AsyncGenerator[None]:
        """Report a log-in that fails."""
        try:
            yield
        except AuthError as error:
            device = self._context.device(request)
            where = {"ip": device.ip, "user_agent": device.user_agent}
            detail = {**where, "reason": error.code}
            self._context.tell("login.failed", detail=detail)
            raise


def passkey_routes(
    context: RouteContext, completion: LogInCompletion
) -> list[Handlers]:
    """Return the handlers about passkeys; none where there are no passkeys."""
    passkeys = context.methods.passkeys
    if passkeys is None:
        return []

    ceremonies = Ceremonies(passkeys, context.tokens, clock=context.clock)
    # In this order: "login" is no id of a passkey.
    return [
        PasskeyLogInRoutes(context, ceremonies, completion),
        PasskeyRoutes(context, passkeys, ceremonies, completion),
    ]

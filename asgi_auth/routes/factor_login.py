"""The second step of a log-in: a code, after the first factor.

It is the same for passwords, identity providers and passkeys. A code is sent by POST
and used by POST: what looks at links uses none up.
"""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.errors import InvalidCredentialsError
from asgi_auth.factors import Factors
from asgi_auth.factors.errors import InvalidCodeError
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.factor_models import (
    FactorLoginRequest,
    PendingRequest,
)
from asgi_auth.routes.models import StatusResponse, TokenResponse
from asgi_auth.routes.on_context import OnCompletion
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.pending import Proof

__all__ = ["FactorLogInRoutes", "send_code"]


class FactorLogInRoutes(OnCompletion):
    """The handlers that take second factors."""

    operations: ClassVar[Operations] = Operations()

    __slots__ = ()

    @operations.add(
        part="login_factor",
        method="POST",
        path="/login/factor",
        summary="Go on with a log-in that needs a second factor",
        body=FactorLoginRequest,
        answers={200: TokenResponse},
        refusals=(401, 403, 429, 500),
    )
    async def log_in_with_factor(self, request: Request) -> Response:
        """Open the session of a log-in that has waited for its second factor."""
        context = self._context
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, FactorLoginRequest)
        proof = await self._completion.pending(request, body.pending_token)
        try:
            factor = await self._completion.check(request, proof, body.code)
            if factor is None:
                msg = "the user has no factor that has codes"
                raise InvalidCodeError(msg)
        except InvalidCredentialsError as error:
            device = context.device(request)
            where = {"ip": device.ip, "user_agent": device.user_agent}
            about = {"reason": error.code, "account": proof.login}
            context.tell("login.failed", detail={**where, **about})
            raise

        trust = None
        if body.trust_device:
            trust = await self._completion.new_trust(proof.account)

        return await self._completion.open(request, proof, factor, trust=trust)

    @operations.add(
        part="factor_email",
        method="POST",
        path="/login/factor/email",
        summary="Get a code by e-mail, for a log-in that needs a second factor",
        body=PendingRequest,
        optional=True,
        answers={202: StatusResponse},
        refusals=(401, 429),
    )
    async def send_log_in_code(self, request: Request) -> Response:
        """Send a code to a user who has set that up; the answer is one for all."""
        context = self._context
        await context.count("log_in_address", context.network(request))
        body = await context.read(request, PendingRequest, optional=True)
        proof = await self._completion.pending(request, body.pending_token)
        if "email" in await self._completion.methods(proof.account):
            await send_code(context, proof, proof.attempt)

        return context.answer(StatusResponse(status="code_sent"), 202)


async def send_code(context: RouteContext, proof: Proof, attempt: str) -> None:
    """Send a code, unless there were too many.

    Raises:
        RateLimitedError: There were.
        UnavailableError: It cannot be counted, or the store is down.
    """
    factors: Factors | None = context.methods.factors
    if factors is None or not proof.account.email:
        return

    # A device that has shown a factor has a counter of its own: no stranger uses it up.
    device = proof.device
    key = (device.id,) if device is not None and device.has_shown else ()
    await context.count("recipient", "code", proof.account.id, *key)
    await factors.send_code(proof.account, attempt=attempt)

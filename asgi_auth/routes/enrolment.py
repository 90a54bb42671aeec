"""Set second factors up, replace and remove them.

Each asks for a fresh log-in, and, of whoever has a second factor, for one that showed
it: neither a stolen token nor a stolen password changes the lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, cast, get_args

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import Account
from asgi_auth.errors import ConfigurationError, UnknownSubjectError
from asgi_auth.factors import FactorRecord, Factors
from asgi_auth.factors.records import FactorKind
from asgi_auth.principal import Principal
from asgi_auth.routes.completion import MFA
from asgi_auth.routes.errors import UnknownPathError
from asgi_auth.routes.factor_login import send_code
from asgi_auth.routes.factor_models import (
    CodeRequest,
    EnrolmentResponse,
    FactorResponse,
    FactorsResponse,
    RecoveryCodesResponse,
    TOTPConfirmation,
)
from asgi_auth.routes.freshness import require_fresh
from asgi_auth.routes.models import StatusResponse
from asgi_auth.routes.on_context import OnCompletion
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.pending import Proof

__all__ = ["FactorRoutes"]


class FactorRoutes(OnCompletion):
    """The handlers about the second factors of the caller."""

    operations: ClassVar[Operations] = Operations()

    __slots__ = ()

    @operations.add(
        part="factors",
        method="GET",
        path="/factors",
        summary="List the second factors",
        answers={200: FactorsResponse},
        guarded=True,
    )
    async def list_factors(self, request: Request) -> Response:
        """List the second factors of the caller."""
        caller = await self._context.caller(request)
        records = await self._factors.list(caller.subject)
        entries = [_entry_of(record) for record in records]
        return self._context.answer(FactorsResponse(factors=entries))

    @operations.add(
        part="factors",
        method="POST",
        path="/factors/totp",
        summary="Begin to set up an authenticator app",
        answers={200: EnrolmentResponse},
        refusals=(401, 403),
        guarded=True,
    )
    async def begin_totp(self, request: Request) -> Response:
        """Make the secret of an authenticator app; it counts once it is confirmed."""
        _, account = await self._owner(request)
        enrolment = self._factors.begin_totp(account)
        answer = EnrolmentResponse(
            secret=enrolment.secret, uri=enrolment.uri, enrolment=enrolment.token
        )
        return self._context.answer(answer)

    @operations.add(
        part="factors",
        method="POST",
        path="/factors/totp/confirm",
        summary="Set up an authenticator app, with its first code",
        body=TOTPConfirmation,
        answers={200: RecoveryCodesResponse},
        refusals=(401, 403),
        guarded=True,
    )
    async def confirm_totp(self, request: Request) -> Response:
        """Set an authenticator app up; it takes the place of one before."""
        _, account = await self._owner(request)
        body = await self._context.read(request, TOTPConfirmation)
        codes = await self._factors.confirm_totp(account, body.enrolment, body.code)
        return self._show(codes)

    @operations.add(
        part="factor_email",
        method="POST",
        path="/factors/email",
        summary="Get a first code by e-mail",
        answers={202: StatusResponse},
        refusals=(401, 403, 429),
        guarded=True,
    )
    async def begin_email(self, request: Request) -> Response:
        """Send a first code to the address of the account."""
        caller, account = await self._owner(request)
        if not account.email:
            raise UnknownPathError

        proof = Proof(account=account, amr=())
        await send_code(self._context, proof, caller.session_id or "")
        return self._context.answer(StatusResponse(status="code_sent"), 202)

    @operations.add(
        part="factor_email",
        method="POST",
        path="/factors/email/confirm",
        summary="Set up codes by e-mail, with a first one",
        body=CodeRequest,
        answers={200: RecoveryCodesResponse},
        refusals=(401, 403),
        guarded=True,
    )
    async def confirm_email_factor(self, request: Request) -> Response:
        """Let the user log in with codes by e-mail."""
        caller, account = await self._owner(request)
        body = await self._context.read(request, CodeRequest)
        codes = await self._factors.confirm_email(
            account, body.code, attempt=caller.session_id or ""
        )
        return self._show(codes)

    @operations.add(
        part="factors",
        method="POST",
        path="/factors/recovery",
        summary="Get new recovery codes, in place of those before",
        answers={200: RecoveryCodesResponse},
        refusals=(401, 403),
        guarded=True,
    )
    async def renew_recovery_codes(self, request: Request) -> Response:
        """Make ten new recovery codes."""
        _, account = await self._owner(request)
        return self._show(await self._factors.renew_recovery_codes(account))

    @operations.add(
        part="factors",
        method="DELETE",
        path="/factors/{method}",
        summary="Remove a second factor",
        answers={204: None},
        refusals=(401, 403, 404),
        guarded=True,
    )
    async def remove_factor(self, request: Request) -> Response:
        """Remove a second factor of the caller."""
        _, account = await self._owner(request)
        method = request.path_params["method"]
        if method not in get_args(FactorKind):
            raise UnknownPathError

        if not await self._factors.remove(account, cast("FactorKind", method)):
            raise UnknownPathError

        return self._context.done()

    @property
    def _factors(self) -> Factors:
        if (
            self._context.methods.factors is None
        ):  # pragma: no cover  # parts.py sees to it
            msg = "These routes need LogInMethods(factors=...)."
            raise ConfigurationError(msg)

        return self._context.methods.factors

    async def _owner(self, request: Request) -> tuple[Principal, Account]:
        """Return who may change the factors of an account, and the account.

        Raises:
            StepUpRequiredError: The log-in was too long ago, or with one factor only.
        """
        caller = await self._context.owner(request)
        account = await self._context.users.find(caller.subject)
        if account is None:
            raise UnknownSubjectError

        methods = await self._completion.methods(account)
        require_fresh(self._context, caller, acr=MFA if methods else None)
        return caller, account

    def _show(self, codes: Sequence[str]) -> Response:
        return self._context.answer(RecoveryCodesResponse(recovery_codes=list(codes)))


def _entry_of(record: FactorRecord) -> FactorResponse:
    left = len(record.data["codes"]) if record.kind == "recovery" else None
    return FactorResponse(
        method=record.kind,
        since=record.since,
        last_used_at=record.used_at,
        codes_left=left,
    )

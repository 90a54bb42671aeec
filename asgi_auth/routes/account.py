"""Register, verify, forget, change and delete: the routes about the account itself.

Where an answer could reveal whether an account exists, there is one answer; the owner
learns the rest by mail. A stolen access token is not enough to delete one: the password
is asked for, or a fresh log-in. A time to think it over is the application's affair.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any, ClassVar

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import AccountService
from asgi_auth.errors import AuthError, InvalidCredentialsError, RateLimitedError
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.devices import account_key
from asgi_auth.routes.freshness import require_fresh
from asgi_auth.routes.login import LogInRoutes
from asgi_auth.routes.models import (
    ChangeEmailRequest,
    ChangePasswordRequest,
    ConfirmationRequest,
    DeleteRequest,
    EmailRequest,
    RegisterRequest,
    ResetRequest,
    StatusResponse,
    UserResponse,
)
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.shape import data_of

__all__ = ["AccountRoutes"]


class AccountRoutes:
    """The handlers about accounts.

    Args:
        context: The settings.
        accounts: Keeps them.
        log_in: Counts tries to give a password.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_accounts", "_context", "_log_in")

    def __init__(
        self, context: RouteContext, accounts: AccountService, log_in: LogInRoutes
    ) -> None:
        self._context = context
        self._accounts = accounts
        self._log_in = log_in

    @operations.add(
        part="register",
        method="POST",
        path="/register",
        summary="Make an account",
        body=RegisterRequest,
        answers={201: UserResponse, 202: StatusResponse},
        refusals=(409, 429),
    )
    async def register(self, request: Request) -> Response:
        """Make an account; roles and scopes are never the caller's to choose."""
        context = self._context
        await context.count("register", context.network(request))
        model = context.shape.register or RegisterRequest
        body: Any = await context.read(request, model)
        email, name = (getattr(body, key, None) for key in ("email", "username"))
        # Where accounts work at once, a taken address is refused, and gets no message.
        is_silent = self._accounts.require_verified
        if is_silent and not await self._may_write_to(email or name or ""):
            return self._mail_is_coming()

        account = await self._accounts.register(
            email or "", body.password, **_more_of(body, name)
        )
        if account is None:
            # Not even the listener learns whether there was one before.
            context.tell("account.registration_asked")
            return self._mail_is_coming()

        context.tell("account.registered", account.id)
        return context.user(account, 201)

    @operations.add(
        part="verify",
        method="POST",
        path="/verify",
        summary="Confirm an e-mail address with a token from a message",
        body=ConfirmationRequest,
        answers={200: UserResponse},
        refusals=(401, 409),
        mail=True,
    )
    async def verify(self, request: Request) -> Response:
        """Mark an address as verified, with a token from a message."""
        await self._context.count("log_in_address", self._context.network(request))
        body = await self._context.read(request, ConfirmationRequest)
        async with self._counted_by(body.token):
            account = await self._accounts.verify_email(body.token, body.password)

        self._context.tell("account.verified", account.id)
        return self._context.user(account)

    @operations.add(
        part="verify",
        method="POST",
        path="/verify/resend",
        summary="Send the message for an e-mail address again",
        body=EmailRequest,
        answers={202: StatusResponse},
        refusals=(429,),
        mail=True,
    )
    async def resend(self, request: Request) -> Response:
        """Send the message with the token for :meth:`verify` again."""
        context = self._context
        await context.count("reset", context.network(request))
        body = await context.read(request, EmailRequest)
        if await self._may_write_to(body.email):
            await self._accounts.resend_verification(body.email)

        return self._mail_is_coming()

    @operations.add(
        part="password_forgot",
        method="POST",
        path="/password/forgot",
        summary="Ask for a message with a token for a new password",
        body=EmailRequest,
        answers={202: StatusResponse},
        refusals=(429,),
        mail=True,
    )
    async def forgot_password(self, request: Request) -> Response:
        """Send a message with a token for :meth:`reset_password`."""
        context = self._context
        await context.count("reset", context.network(request))
        body = await context.read(request, EmailRequest)
        if await self._may_write_to(body.email):
            await self._accounts.forgot_password(body.email)

        context.tell("account.password_forgotten")
        return self._mail_is_coming()

    @operations.add(
        part="password_forgot",
        method="POST",
        path="/password/reset",
        summary="Set a new password with a token from a message",
        body=ResetRequest,
        answers={204: None},
        refusals=(401, 409, 429),
        mail=True,
    )
    async def reset_password(self, request: Request) -> Response:
        """Set a new password with a token from a message; all sessions end."""
        context = self._context
        await context.count("reset", context.network(request))
        body = await context.read(request, ResetRequest)
        account = await self._accounts.reset_password(body.token, body.password)
        context.tell("account.password_reset", account.id)
        return context.clear_cookies(request, context.done())

    @operations.add(
        part="password_change",
        method="POST",
        path="/password/change",
        summary="Set a new password",
        body=ChangePasswordRequest,
        answers={204: None},
        refusals=(403, 409, 429),
        guarded=True,
    )
    async def change_password(self, request: Request) -> Response:
        """Set a new password; all other sessions end."""
        context = self._context
        caller = await context.owner(request)
        body = await context.read(request, ChangePasswordRequest)
        async with self._log_in.confirming(request, caller.subject):
            account = await self._accounts.change_password(
                caller.subject,
                body.current_password,
                body.new_password,
                keep=caller.session_id,
            )

        context.tell("account.password_changed", account.id, caller.session_id)
        return context.done()

    @operations.add(
        part="email_change",
        method="POST",
        path="/email/change",
        summary="Ask for a message with a token to a new e-mail address",
        body=ChangeEmailRequest,
        answers={202: StatusResponse},
        refusals=(403, 429),
        guarded=True,
        mail=True,
    )
    async def change_email(self, request: Request) -> Response:
        """Send a message with a token for :meth:`confirm_email` to a new address."""
        context = self._context
        caller = await context.owner(request)
        body = await context.read(request, ChangeEmailRequest)
        may_write = await self._may_write_to(body.email)
        async with self._log_in.confirming(request, caller.subject):
            if may_write:
                await self._accounts.change_email(
                    caller.subject, body.password, body.email
                )
            else:
                await self._accounts.confirm_password(caller.subject, body.password)

        context.tell("account.email_change_asked", caller.subject, caller.session_id)
        return self._mail_is_coming()

    @operations.add(
        part="email_change",
        method="POST",
        path="/email/confirm",
        summary="Change the e-mail address with a token from a message",
        body=ConfirmationRequest,
        answers={200: UserResponse},
        refusals=(401, 409),
        mail=True,
    )
    async def confirm_email(self, request: Request) -> Response:
        """Change the address with a token from a message."""
        await self._context.count("log_in_address", self._context.network(request))
        body = await self._context.read(request, ConfirmationRequest)
        async with self._counted_by(body.token):
            account = await self._accounts.confirm_email(body.token, body.password)

        self._context.tell("account.email_changed", account.id)
        return self._context.user(account)

    @operations.add(
        part="delete",
        method="DELETE",
        path="/me",
        summary="Delete the account",
        body=DeleteRequest,
        optional=True,
        answers={204: None},
        refusals=(401, 403, 404, 429),
        guarded=True,
    )
    async def delete(self, request: Request) -> Response:
        """Delete the caller's account, with all its sessions."""
        context = self._context
        caller = await context.owner(request)
        body = await context.read(request, DeleteRequest, optional=True)
        if body.password is not None:
            async with self._log_in.confirming(request, caller.subject):
                await self._accounts.confirm_password(caller.subject, body.password)
        else:
            require_fresh(context, caller)

        await self._accounts.delete(caller.subject, by=caller.subject)
        return context.clear_cookies(request, context.done())

    @asynccontextmanager
    async def _counted_by(self, token: str) -> AsyncGenerator[None]:
        """Count the passwords that are tried with one token from a message."""
        key = "message", sha256(token.encode()).hexdigest()
        await self._context.count("failures", *key)
        try:
            yield
        except AuthError as error:
            if not isinstance(error, InvalidCredentialsError):
                await self._context.uncount("failures", *key)

            raise

        await self._context.uncount("failures", *key)

    async def _may_write_to(self, email: str) -> bool:
        """Count a message to an address; beyond the limit it is dropped in silence.

        Whoever asks from many networks must not fill a stranger's mailbox.
        """
        try:
            await self._context.count("recipient", account_key(email))
        except RateLimitedError:
            return False

        return True

    def _mail_is_coming(self) -> Response:
        return self._context.answer(StatusResponse(status="message_sent"), 202)


def _more_of(body: BaseModel, name: str | None) -> dict[str, Any]:
    """Return what the accounts get beside address and password."""
    more: dict[str, Any] = {} if name is None else {"username": name}
    data = data_of(body)
    return {**more, "data": data} if data else more

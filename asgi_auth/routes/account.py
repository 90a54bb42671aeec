"""Register, verify, forget and change: the routes about the account itself.

Where an answer could tell whether an account exists, there is one answer; the owner
learns the rest by mail.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import AccountService
from asgi_auth.routes.context import Desk
from asgi_auth.routes.login import LogInRoutes
from asgi_auth.routes.models import (
    ChangeEmailRequest,
    ChangePasswordRequest,
    EmailRequest,
    RegisterRequest,
    ResetRequest,
    StatusResponse,
    TokenRequest,
)

__all__ = ["AccountRoutes"]


class AccountRoutes:
    """The handlers about accounts.

    Args:
        desk: The settings.
        accounts: Keeps them.
        log_in: Counts tries to give a password.
    """

    __slots__ = ("_accounts", "_desk", "_log_in")

    def __init__(
        self, desk: Desk, accounts: AccountService, log_in: LogInRoutes
    ) -> None:
        self._desk = desk
        self._accounts = accounts
        self._log_in = log_in

    async def register(self, request: Request) -> Response:
        """Make an account; roles and scopes are never the caller's to choose."""
        desk = self._desk
        await desk.count("register", desk.network(request))
        asked = await desk.read(request, RegisterRequest)
        account = await self._accounts.register(asked.email, asked.password)
        if account is None:
            # Not even the listener is told whether there was one before.
            desk.tell("account.registration_asked")
            return self._mail_is_coming()

        desk.tell("account.registered", account.id)
        return desk.user(account, 201)

    async def verify(self, request: Request) -> Response:
        """Mark an address as verified, with a token from a message."""
        asked = await self._desk.read(request, TokenRequest)
        account = await self._accounts.verify_email(asked.token)
        self._desk.tell("account.verified", account.id)
        return self._desk.user(account)

    async def resend(self, request: Request) -> Response:
        """Send the message with the token for :meth:`verify` again."""
        desk = self._desk
        await desk.count("reset", desk.network(request))
        asked = await desk.read(request, EmailRequest)
        await self._accounts.resend_verification(asked.email)
        return self._mail_is_coming()

    async def forgot_password(self, request: Request) -> Response:
        """Send a message with a token for :meth:`reset_password`."""
        desk = self._desk
        await desk.count("reset", desk.network(request))
        asked = await desk.read(request, EmailRequest)
        await self._accounts.forgot_password(asked.email)
        desk.tell("account.password_forgotten")
        return self._mail_is_coming()

    async def reset_password(self, request: Request) -> Response:
        """Set a new password with a token from a message; all sessions end."""
        desk = self._desk
        await desk.count("reset", desk.network(request))
        asked = await desk.read(request, ResetRequest)
        account = await self._accounts.reset_password(asked.token, asked.password)
        desk.tell("account.password_reset", account.id)
        return desk.clear_cookies(request, desk.done())

    async def change_password(self, request: Request) -> Response:
        """Set a new password; all other sessions end."""
        desk = self._desk
        caller = await desk.caller(request)
        asked = await desk.read(request, ChangePasswordRequest)
        async with self._log_in.confirming(request, caller.subject):
            account = await self._accounts.change_password(
                caller.subject,
                asked.current_password,
                asked.new_password,
                keep=caller.session_id,
            )
        desk.tell("account.password_changed", account.id, caller.session_id)
        return desk.done()

    async def change_email(self, request: Request) -> Response:
        """Send a message with a token for :meth:`confirm_email` to a new address."""
        desk = self._desk
        caller = await desk.caller(request)
        asked = await desk.read(request, ChangeEmailRequest)
        async with self._log_in.confirming(request, caller.subject):
            await self._accounts.change_email(
                caller.subject, asked.password, asked.email
            )
        desk.tell("account.email_change_asked", caller.subject, caller.session_id)
        return self._mail_is_coming()

    async def confirm_email(self, request: Request) -> Response:
        """Change the address with a token from a message."""
        asked = await self._desk.read(request, TokenRequest)
        account = await self._accounts.confirm_email(asked.token)
        self._desk.tell("account.email_changed", account.id)
        return self._desk.user(account)

    def _mail_is_coming(self) -> Response:
        return self._desk.answer(StatusResponse(status="message_sent"), 202)

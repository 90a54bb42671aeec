"""Delete the account of the caller, for good.

A stolen access token is not enough: the password is asked for, or a fresh log-in. A
time to think it over is the application's affair, which hears ``account.deleted``.
"""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import AccountService
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.freshness import require_fresh
from asgi_auth.routes.login import LogInRoutes
from asgi_auth.routes.models import DeleteRequest
from asgi_auth.routes.operations import Operations

__all__ = ["DeletionRoutes"]


class DeletionRoutes:
    """The handler that deletes accounts.

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

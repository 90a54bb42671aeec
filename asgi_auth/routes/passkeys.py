"""Add, list, name and remove passkeys, over HTTP.

To add or to remove one asks for a fresh log-in: a stolen access token is not enough to
get in for good. Nobody logs in here.
"""

from __future__ import annotations

from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.accounts import Account
from asgi_auth.errors import UnknownSubjectError
from asgi_auth.passkeys import Passkey, Passkeys
from asgi_auth.passkeys.ceremonies import Ceremonies
from asgi_auth.passkeys.questions import Ceremony
from asgi_auth.principal import Principal
from asgi_auth.routes.completion import MFA, LogInCompletion
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.freshness import require_fresh
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.passkey_models import (
    AddPasskeyRequest,
    CeremonyResponse,
    PasskeyNameRequest,
    PasskeyResponse,
    PasskeysResponse,
)

__all__ = ["PasskeyRoutes", "ceremony_response"]

_COARSE: Final = 300.0


class PasskeyRoutes:
    """The handlers about the passkeys that a user has.

    Args:
        context: The settings.
        passkeys: Keeps them.
        ceremonies: Adds them.
        completion: Knows which second factors a user has.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_ceremonies", "_completion", "_context", "_passkeys")

    def __init__(
        self,
        context: RouteContext,
        passkeys: Passkeys,
        ceremonies: Ceremonies,
        completion: LogInCompletion,
    ) -> None:
        self._context = context
        self._passkeys = passkeys
        self._ceremonies = ceremonies
        self._completion = completion

    @operations.add(
        part="passkeys",
        method="POST",
        path="/passkeys/options",
        summary="Ask for a new passkey",
        answers={200: CeremonyResponse},
        refusals=(403, 409, 429),
        guarded=True,
    )
    async def begin_adding(self, request: Request) -> Response:
        """Return what ``navigator.credentials.create()`` needs."""
        caller, account = await self._owner(request)
        session = caller.session_id or ""
        ceremony = await self._ceremonies.begin_adding(account, session)
        return self._context.answer(ceremony_response(ceremony))

    @operations.add(
        part="passkeys",
        method="POST",
        path="/passkeys",
        summary="Add a passkey",
        body=AddPasskeyRequest,
        answers={201: PasskeyResponse},
        refusals=(403, 409, 429),
        guarded=True,
    )
    async def add_passkey(self, request: Request) -> Response:
        """Keep the passkey that an authenticator has made."""
        context = self._context
        caller, account = await self._owner(request)
        body = await context.read(request, AddPasskeyRequest)
        device = context.device(request).name
        passkey = await self._ceremonies.add(
            account,
            body.credential.model_dump(exclude_none=True),
            body.ceremony,
            session=caller.session_id or "",
            name=body.name or device or "Passkey",
        )
        detail = {"passkey": passkey.id, "synced": passkey.is_synced}
        context.tell("passkey.added", account.id, caller.session_id, detail)
        return context.answer(_shown(passkey), 201)

    @operations.add(
        part="passkeys",
        method="GET",
        path="/passkeys",
        summary="List the passkeys",
        answers={200: PasskeysResponse},
        guarded=True,
    )
    async def list_passkeys(self, request: Request) -> Response:
        """List the caller's passkeys, the oldest first."""
        caller = await self._context.caller(request)
        passkeys = await self._passkeys.list(caller.subject)
        entries = [_shown(passkey) for passkey in passkeys]
        return self._context.answer(PasskeysResponse(passkeys=entries))

    @operations.add(
        part="passkeys",
        method="POST",
        path="/passkeys/{id}",
        summary="Name a passkey",
        body=PasskeyNameRequest,
        answers={204: None},
        refusals=(403, 404),
        guarded=True,
    )
    async def name_passkey(self, request: Request) -> Response:
        """Give one of the caller's passkeys another name."""
        caller = await self._context.owner(request)
        body = await self._context.read(request, PasskeyNameRequest)
        passkey_id = request.path_params["id"]
        await self._passkeys.rename(caller.subject, passkey_id, body.name)
        return self._context.done()

    @operations.add(
        part="passkeys",
        method="DELETE",
        path="/passkeys/{id}",
        summary="Remove a passkey",
        answers={204: None},
        refusals=(403, 404, 409, 429),
        guarded=True,
    )
    async def remove_passkey(self, request: Request) -> Response:
        """Remove one of the caller's passkeys, unless it is the last way in."""
        context = self._context
        caller, account = await self._owner(request)
        others = [
            kind for kind in context.methods.ways_in if kind is not self._passkeys
        ]
        passkey_id = request.path_params["id"]
        # A manager that saves no passwords need not show one, and has one.
        await self._passkeys.remove(
            account,
            passkey_id,
            kinds=others,
            has_password="password" not in context.users.can,
        )
        detail = {"passkey": passkey_id}
        context.tell("passkey.removed", account.id, caller.session_id, detail)
        return context.done()

    async def _owner(self, request: Request) -> tuple[Principal, Account]:
        """Return who calls, if that is who logged in a moment ago.

        Raises:
            StepUpRequiredError: The log-in is too old; or it had one factor, and the
                user has a second one, which a passkey would stand for from then on.
            UnknownSubjectError: There is no such account any more.
        """
        context = self._context
        await context.count_token(request)
        caller = await context.owner(request)
        account = await context.users.find(caller.subject)
        if account is None:
            raise UnknownSubjectError

        methods = await self._completion.methods(account)
        require_fresh(context, caller, acr=MFA if methods else None)
        return caller, account


def ceremony_response(ceremony: Ceremony) -> CeremonyResponse:
    """Return a question as the browser gets it."""
    return CeremonyResponse(
        options=dict(ceremony.options),
        ceremony=ceremony.token,
        expires_in=ceremony.expires_in,
    )


def _shown(passkey: Passkey) -> PasskeyResponse:
    used = passkey.last_used_at
    return PasskeyResponse(
        id=passkey.id,
        name=passkey.name,
        created_at=passkey.created_at,
        # Coarsely: exact to the second, it would show a thief when to come.
        last_used_at=None if used is None else used // _COARSE * _COARSE,
        synced=passkey.is_synced,
        backed_up=passkey.is_backed_up,
        transports=list(passkey.transports),
        aaguid=passkey.aaguid,
    )

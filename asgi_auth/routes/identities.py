"""Show a user the log-ins elsewhere that are linked to the account, and unlink them."""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.identities import Identities, Identity
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.operations import Operations
from asgi_auth.routes.provider_models import IdentitiesResponse, IdentityResponse

__all__ = ["IdentityRoutes"]


class IdentityRoutes:
    """The handlers about linked identities.

    Args:
        context: The settings.
        identities: Keeps them.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_context", "_identities")

    def __init__(self, context: RouteContext, identities: Identities) -> None:
        self._context = context
        self._identities = identities

    @operations.add(
        part="providers",
        method="GET",
        path="/identities",
        summary="List the log-ins elsewhere that are linked to the account",
        answers={200: IdentitiesResponse},
        guarded=True,
    )
    async def list_identities(self, request: Request) -> Response:
        """List the caller's identities, the oldest first."""
        caller = await self._context.caller(request)
        identities = await self._identities.list(caller.subject)
        entries = [self._entry_of(identity) for identity in identities]
        return self._context.answer(IdentitiesResponse(identities=entries))

    @operations.add(
        part="providers",
        method="DELETE",
        path="/identities/{identity}",
        summary="Unlink a log-in elsewhere from the account",
        answers={204: None},
        refusals=(403, 404, 409),
        guarded=True,
    )
    async def unlink(self, request: Request) -> Response:
        """Unlink one of the caller's identities, after a fresh log-in."""
        caller = await self._context.owner(request)
        self._identities.require_fresh(caller)
        others = [
            way for way in self._context.methods.ways_in if way is not self._identities
        ]
        name = request.path_params["identity"]
        await self._identities.unlink(caller.subject, name, beside=others)
        return self._context.done()

    def _entry_of(self, identity: Identity) -> IdentityResponse:
        names = {each.issuer: each for each in self._identities.providers}
        provider = names.get(identity.issuer)
        return IdentityResponse(
            id=identity.id,
            provider=identity.issuer if provider is None else provider.name,
            label=identity.issuer if provider is None else provider.label,
            email=identity.email,
            linked_at=identity.linked_at,
        )

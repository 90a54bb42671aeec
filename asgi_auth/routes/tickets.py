"""Hand out tickets, for addresses that cannot carry a header beside them."""

from __future__ import annotations

from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth.errors import InvalidRequestError
from asgi_auth.routes.models import TicketRequest, TicketResponse
from asgi_auth.routes.on_context import OnContext
from asgi_auth.routes.operations import Operations
from asgi_auth.sessions.tickets import TICKET_TTL

__all__ = ["TicketRoutes"]

# What a client chooses must leave room for the claims that a ticket stands for.
_LONGEST = 1024
_LONGEST_ORIGIN = 512


class TicketRoutes(OnContext):
    """The handler about tickets."""

    operations: ClassVar[Operations] = Operations()

    __slots__ = ()

    @operations.add(
        part="ticket",
        method="POST",
        path="/ticket",
        summary="Get a ticket for one use of a path",
        body=TicketRequest,
        answers={200: TicketResponse},
        guarded=True,
    )
    async def ticket(self, request: Request) -> Response:
        """Write a ticket that stands for the caller's access token."""
        await self._context.count_token(request)
        caller = await self._context.caller(request)
        body = await self._context.read(request, TicketRequest)
        origin = request.headers.get("origin")
        if len(origin or "") > _LONGEST_ORIGIN or len(body.path.encode()) > _LONGEST:
            msg = "the ticket would be too long"
            raise InvalidRequestError(msg)

        ticket = self._context.tokens.tickets.write(caller, body.path, origin=origin)
        return self._context.answer(
            TicketResponse(ticket=ticket, expires_in=TICKET_TTL)
        )

"""Find out which key tokens are to be bound to (RFC 9449, section 5).

It issues nothing.
"""

from __future__ import annotations

from starlette.requests import Request

from asgi_auth.errors import InvalidRequestError
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.delivery import Medium

__all__ = ["key_of"]


async def key_of(context: RouteContext, request: Request, medium: Medium) -> str | None:
    """Return the thumbprint of the key that a request has a proof of, if any.

    Args:
        context: The settings.
        request: For tokens.
        medium: How they are to go out.

    Raises:
        InvalidRequestError: They go into cookies, which scripts cannot bind.
        InvalidProofError: The proof is bad, or was used before.
        UnavailableError: It cannot be known whether it was used before.
    """
    if context.dpop is None:
        return None

    thumbprint = await context.dpop.proven(request.scope)
    if thumbprint is not None and context.medium(medium) == "cookie":
        msg = "a proof came for tokens in cookies, which browsers send without one"
        raise InvalidRequestError(msg)

    return thumbprint

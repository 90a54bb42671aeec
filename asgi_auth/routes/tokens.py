"""Revoke and judge tokens, and publish the keys: for clients and other services.

Whoever holds a token may revoke it. Only clients that a backend knows may ask what one
says (RFC 7662, section 2.1).
"""

from __future__ import annotations

import json
from typing import ClassVar, Final

from starlette.requests import Request
from starlette.responses import Response

from asgi_auth._contract import is_known
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.errors import AuthenticationError, InvalidTokenError
from asgi_auth.routes.body import Form
from asgi_auth.routes.context import RouteContext
from asgi_auth.routes.models import IntrospectionResponse, TokenRequest
from asgi_auth.routes.on_context import OnContext
from asgi_auth.routes.operations import Operations

__all__ = ["TOKEN_FORM", "TokenRoutes"]

TOKEN_FORM = Form()
"""The form of RFC 7009 and RFC 7662, sections 2.1; hints are not needed."""

_JWKS_MAX_AGE: Final = 300


class TokenRoutes(OnContext):
    """The handlers about tokens as such.

    Args:
        context: The settings; its shape knows the clients that may ask about tokens.
    """

    operations: ClassVar[Operations] = Operations()

    __slots__ = ("_clients", "_reader")

    def __init__(self, context: RouteContext) -> None:
        super().__init__(context)
        self._clients = clients = context.shape.introspection_backend
        sources = () if clients is None else clients.sources
        self._reader = CredentialReader(sources)

    @operations.add(
        part="revoke",
        method="POST",
        path="/revoke",
        summary="Revoke a token (RFC 7009)",
        body=TokenRequest,
        form=TOKEN_FORM,
        answers={200: None},
        cookies=False,
    )
    async def revoke(self, request: Request) -> Response:
        """Revoke a token; 200 whether or not it was good (RFC 7009, section 2.2)."""
        await self._context.count_token(request)
        body = await self._context.read(request, TokenRequest, form=TOKEN_FORM)
        await self._context.tokens.revoke(body.token)
        return Response(headers={"cache-control": "no-store"})

    @operations.add(
        part="introspect",
        method="POST",
        path="/introspect",
        summary="Say what a token is good for (RFC 7662)",
        body=TokenRequest,
        form=TOKEN_FORM,
        answers={200: IntrospectionResponse},
        refusals=(401, 403),
        cookies=False,
    )
    async def introspect(self, request: Request) -> Response:
        """Say what an access token is good for (RFC 7662, section 2.2).

        Refresh tokens are none of a resource server's business: they are not active.
        """
        await self._check_client(request)
        body = await self._context.read(request, TokenRequest, form=TOKEN_FORM)
        try:
            # The answer names what binds it: the resource server asks for the proof.
            claims = await self._context.tokens.verify(
                body.token, "access", insecure_ignore_confirmation=True
            )
        except InvalidTokenError:
            return self._write(IntrospectionResponse(active=False))

        names = IntrospectionResponse.model_fields.keys() & claims.keys()
        members = {name: claims[name] for name in names - {"active", "token_type"}}
        if isinstance(members.get("aud"), tuple):
            members["aud"] = list(members["aud"])

        if "act" in members:
            # Which session that is does not concern a resource server.
            members["act"] = {
                k: v for k, v in members["act"].items() if k in {"sub", "iss"}
            }

        members["token_type"] = "DPoP" if "jkt" in claims.get("cnf", ()) else "Bearer"
        return self._write(IntrospectionResponse(active=True, **members))

    @operations.add(
        part="jwks",
        method="GET",
        path="/jwks.json",
        summary="The public keys (RFC 7517)",
        answers={200: None},
        cookies=False,
    )
    async def jwks(self, request: Request) -> Response:
        """Publish the public keys (RFC 7517, section 5)."""
        body = json.dumps(self._context.tokens.keys.to_jwks())
        cached = {"cache-control": f"public, max-age={_JWKS_MAX_AGE}"}
        return Response(body, media_type="application/jwk-set+json", headers=cached)

    async def _check_client(self, request: Request) -> None:
        credential = self._reader.read(request.scope)
        if credential is not None and credential.error is not None:
            raise credential.error

        backend = self._clients
        if backend is None or not (credential or not backend.sources):
            raise AuthenticationError

        # Counted like log-ins where it fails: a client may have a password.
        network = self._context.network(request)
        await self._context.count("log_in_address", network)
        client = await backend.authenticate(credential, request.scope)
        if not is_known(client, backend):
            raise AuthenticationError

        await self._context.uncount("log_in_address", network)

    def _write(self, answer: IntrospectionResponse) -> Response:
        # The names are those of the RFC, whatever the others look like.
        text = answer.model_dump_json(exclude_none=True)
        headers = {"cache-control": "no-store"}
        return Response(text, media_type="application/json", headers=headers)

"""Servers of the Model Context Protocol: what their libraries ask about the caller.

It decides nothing. The official SDK and FastMCP know callers as access tokens of their
own kind; this hands them one, and their ``get_access_token()`` and the binding of
sessions to their users work.
"""

from __future__ import annotations

from typing import Unpack

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken

from asgi_auth._users import issuer_aware
from asgi_auth.errors import ConfigurationError
from asgi_auth.integrations._common import MiddlewareOptions
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import AUTHENTICATED, Principal
from asgi_auth.typing import ASGIApp, Backend

__all__ = ["install", "load_user"]

_CLIENTS = ("client_id", "azp", "cid", "appid")
"""What issuers call the client (RFC 9068, section 2.2; Keycloak, Okta, Entra)."""


def install(
    app: ASGIApp, backend: Backend, **options: Unpack[MiddlewareOptions]
) -> ASGIApp:
    """Return *app* with the middleware around it, to be served instead.

    A session is for the client, the issuer and the subject that opened it: to others
    the server answers 404, as if there were no such session.

    Args:
        app: What ``streamable_http_app()`` or ``http_app()`` returns, or a guard
            around that.
        backend: Decides who is calling.
        options: Of :class:`~asgi_auth.middleware.AuthenticationMiddleware`, but for
            ``load_user``: what the server knows as its user is the access token.

    Raises:
        ConfigurationError: It is installed already, or the options do not fit.
    """
    if isinstance(app, AuthenticationMiddleware):
        msg = "The app has the middleware: call install(app, backend) once only."
        raise ConfigurationError(msg)

    if options.get("load_user") is not None:
        msg = "The user of an MCP server is an access token: leave load_user out."
        raise ConfigurationError(msg)

    choices: MiddlewareOptions = {**options, "load_user": issuer_aware(load_user)}
    return AuthenticationMiddleware(AuthContextMiddleware(app), backend, **choices)


def load_user(principal: Principal) -> AuthenticatedUser:
    """Return the caller as the official SDK and FastMCP know one.

    The text of the token is not in it: what a tool needs of other services, it gets
    with tokens of its own.
    """
    claims = {**principal.claims}
    # Who has no client is of one backend: subjects of two are not each other's.
    clients = (claims.get(name) for name in _CLIENTS)
    client = next(filter(None, clients), principal.backend)
    audience = claims.get("aud")
    expires_at = principal.expires_at
    token = AccessToken(
        token="",
        client_id=str(client),
        scopes=sorted(principal.scopes - {AUTHENTICATED}),
        expires_at=None if expires_at is None else int(expires_at),
        resource=audience if isinstance(audience, str) else None,
        subject=principal.subject,
        claims=claims,
    )
    return AuthenticatedUser(token)

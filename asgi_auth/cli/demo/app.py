"""The app of the demo: plain ASGI, so that nothing hides what the middleware does."""

from __future__ import annotations

import json

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.credentials.sources import BearerHeader, Cookie, QueryParam, Subprotocol
from asgi_auth.guards import requires
from asgi_auth.keys import KeySet
from asgi_auth.middleware import AuthenticationMiddleware
from asgi_auth.principal import get_principal
from asgi_auth.sessions import TokenService

__all__ = ["ISSUER", "make_app", "make_tokens"]

ISSUER = "https://demo.example"

_SOURCES = (BearerHeader(), Cookie("access"), QueryParam("token"), Subprotocol())


def make_tokens() -> TokenService:
    """Return a service with a new key pair."""
    return TokenService(KeySet.generate("ES256"), issuer=ISSUER, audience="demo")


def make_app(tokens: TokenService, routes: ASGIApp) -> ASGIApp:
    """Return the app behind the middleware.

    Args:
        tokens: Verify who calls.
        routes: Where users log in, at ``/auth``.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_log_in = scope["type"] == "http" and scope["path"].startswith("/auth/")
        await (routes if is_log_in else _app)(scope, receive, send)

    return AuthenticationMiddleware(app, JWTBackend(tokens, sources=_SOURCES))


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "websocket":
        await _echo(scope, receive, send)
    elif scope["path"] == "/payouts":
        await _payouts(scope, receive, send)
    elif scope["path"] == "/orders":
        await _orders(scope, receive, send)
    else:
        await _answer(scope, receive, send)


async def _lifespan(receive: Receive, send: Send) -> None:
    for step in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{step}.complete"})


async def _answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Say who is calling."""
    body = json.dumps({"caller": get_principal(scope).subject or "anonymous"}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"access-control-allow-origin", b"https://app.example"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_orders = requires("orders:read")(_answer)
_payouts = requires(acr="mfa")(_answer)


@requires()
async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Greet the caller, then send back what comes."""
    await receive()
    await send({"type": "websocket.accept"})
    greeting = f"hello {get_principal(scope).subject}"
    await send({"type": "websocket.send", "text": greeting})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text") or ""})

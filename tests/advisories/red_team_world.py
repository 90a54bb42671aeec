"""What the tests of the red team's findings share."""

from __future__ import annotations

from asgi_auth.backends.jwt import JWTBackend
from asgi_auth.credentials.sources import BearerHeader
from asgi_auth.keys import KeySet
from asgi_auth.sessions import TokenService

TOKENS = TokenService(
    KeySet.generate("HS256"), issuer="https://api.example", audience="api"
)


def backend(*sources):
    return JWTBackend(TOKENS, sources=sources or (BearerHeader(),))


async def hello(scope, receive, send):
    name = scope["auth"].subject or "nobody"
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    await send({"type": "http.response.body", "body": name.encode()})

"""A guarded socket that takes another token, for real servers."""

from __future__ import annotations

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    JWTBackend,
    KeySet,
    QueryParam,
    TokenService,
    requires,
)
from asgi_auth.lifetime import extend

SECRET = "v8Qm2kX0r4TnWz7LpYc1Hs9GdUfJb6Ae3Ro5Ti"
tokens = TokenService(KeySet.from_secret(SECRET))


@requires("write")
async def guarded(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        try:
            await extend(scope, message["text"])
        except AuthError as error:
            await send({"type": "websocket.send", "text": error.code})
        else:
            await send({"type": "websocket.send", "text": "extended"})


async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await guarded(scope, receive, send)
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


app = AuthenticationMiddleware(app, JWTBackend(tokens, sources=[QueryParam("token")]))

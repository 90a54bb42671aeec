"""The example without a framework: an ASGI app, and no integration at all."""

from __future__ import annotations

import json

from asgi_auth import AuthenticationMiddleware, get_principal, get_user, requires
from tests.integrations.services import HIERARCHY


async def answer(send, status, value):
    body = json.dumps(value).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def public(scope, receive, send):
    known = get_principal(scope).is_authenticated
    await answer(send, 200, {"user": get_user(scope).id if known else None})


async def whoami(scope, receive, send):
    await answer(send, 200, {"user": get_user(scope).id})


async def crash(scope, receive, send):
    raise ValueError("a bug of the application")


@requires()
async def chat(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    user = get_user(scope)
    await send({"type": "websocket.send", "text": json.dumps({"user": user.id})})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def not_found(scope, receive, send):
    await answer(send, 404, {"detail": "There is nothing here."})


HTTP = {
    "/public": public,
    "/private": requires()(whoami),
    "/admin": requires(roles="admin", hierarchy=HIERARCHY)(whoami),
    "/orders": requires("orders:read", wildcards="jwt")(whoami),
    "/transfer": requires("orders:read")(requires(roles="admin")(whoami)),
    "/transfer/reversed": requires(roles="admin")(requires("orders:read")(whoami)),
    "/crash": crash,
}


def create_app(services, *, installed=True):
    async def router(scope, receive, send):
        if scope["type"] == "websocket":
            app = chat
        elif scope["path"].startswith("/auth/"):
            app = services.routes
        else:
            app = HTTP.get(scope["path"], not_found)

        await app(scope, receive, send)

    if not installed:
        return router

    return AuthenticationMiddleware(
        router,
        services.backend,
        load_user=services.load_user,
        public_paths=services.public_paths,
    )

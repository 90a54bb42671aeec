"""The example in BlackSheep, which needs no adapter."""

from __future__ import annotations

from blacksheep import Application, Content, Request, Response, Router, WebSocket, json

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    get_principal,
    get_user,
    requires,
)
from asgi_auth.responses.deny import response_to
from tests.integrations.services import HIERARCHY


async def public(request: Request):
    known = get_principal(request.scope).is_authenticated
    return json({"user": get_user(request.scope).id if known else None})


async def whoami(request: Request):
    return json({"user": get_user(request.scope).id})


def in_a_thread(request: Request):
    return json({"user": get_user(request.scope).id})


async def crash():
    raise ValueError("a bug of the application")


async def chat(websocket: WebSocket):
    try:
        requires().check(websocket)
    except AuthError:
        await websocket.close()  # The middleware makes the refusal of it.
        return

    await websocket.accept()
    await websocket.send_json({"user": get_user(websocket.scope).id})
    await websocket.send_text(await websocket.receive_text())


def create_app(services, *, own_handler=False, installed=True):
    app = Application(router=Router())
    reader, admin = requires("orders:read"), requires(roles="admin")
    for path, handler in {
        "/public": public,
        "/private": requires()(whoami),
        "/admin": requires(roles="admin", hierarchy=HIERARCHY)(whoami),
        "/orders": requires("orders:read", wildcards="jwt")(in_a_thread),
        "/transfer": reader(admin(whoami)),
        "/transfer/reversed": admin(reader(whoami)),
        "/crash": crash,
    }.items():
        app.router.add_get(path, handler)

    app.router.add_ws("/ws", chat)
    app.mount("/auth", services.routes)

    @app.exception_handler(AuthError)
    async def answer(self, request: Request, error: AuthError):
        if own_handler:
            return json({"own": error.code}, status=418)

        status, headers, body = response_to(error, request.scope)
        return Response(status, headers[1:], Content(headers[0][1], body))

    if not installed:
        return app

    return AuthenticationMiddleware(
        app,
        services.backend,
        load_user=services.load_user,
        public_paths=services.public_paths,
    )

"""The example in Nexios."""

from __future__ import annotations

from contextlib import suppress

from nexios import NexiosApp
from nexios.routing import Group
from nexios.websockets import WebSocketDisconnect

from asgi_auth import AuthError
from asgi_auth.integrations.nexios import (
    auth,
    current_user,
    install,
    optional_user,
    requires,
)
from tests.integrations.services import HIERARCHY


async def public(request, response):
    user = optional_user(request)
    return {"user": None if user is None else user.id}


async def whoami(request, response):
    return response.json({"user": request.user.id})


def in_a_thread(request, response):
    return response.json({"user": current_user(request).id})


async def crash(request, response):
    raise ValueError("a bug of the application")


@requires()
async def chat(websocket):
    await websocket.accept()
    await websocket.send_json({"user": current_user(websocket).id})
    with suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await websocket.receive_text())


async def answer(request, response, error):
    return response.json({"own": error.code}, status_code=418)


def create_app(services, *, own_handler=False, installed=True, own=AuthError):
    app = NexiosApp()
    reader, admin = requires("orders:read"), requires(roles="admin")
    app.get("/public")(public)
    app.get("/private")(auth(["jwt"])(whoami))
    app.get("/admin")(requires(roles="admin", hierarchy=HIERARCHY)(whoami))
    app.get("/orders")(requires("orders:read", wildcards="jwt")(in_a_thread))
    app.get("/transfer")(reader(admin(whoami)))
    app.get("/transfer/reversed")(admin(reader(whoami)))
    app.get("/crash")(crash)
    app.ws_route("/ws")(chat)
    app.router.routes.append(Group(path="/auth", app=services.routes))
    if own_handler:
        app.add_exception_handler(own, answer)

    if installed:
        install(
            app,
            services.backend,
            load_user=services.load_user,
            public_paths=services.public_paths,
        )
    return app

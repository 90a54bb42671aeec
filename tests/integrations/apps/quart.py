"""The example in Quart."""

from __future__ import annotations

from hypercorn.middleware import DispatcherMiddleware
from quart import Quart, websocket

from asgi_auth import AuthError
from asgi_auth.integrations.quart import current_user, install, optional_user, requires
from tests.integrations.services import HIERARCHY


def create_app(services, *, own_handler=False, installed=True):
    app = Quart("quart_app")
    reader, admin = requires("orders:read"), requires(roles="admin")

    @app.get("/public")
    async def public():
        user = optional_user()
        return {"user": None if user is None else user.id}

    @app.get("/private")
    @requires()
    async def private():
        return {"user": current_user.id}

    @app.get("/admin")
    @requires(roles="admin", hierarchy=HIERARCHY)
    async def only_admins():
        return {"user": current_user.id}

    @app.get("/orders")
    @requires("orders:read", wildcards="jwt")
    def orders():
        return {"user": current_user.id}

    @app.get("/transfer")
    @reader
    @admin
    async def transfer():
        return {"user": current_user.id}

    @app.get("/transfer/reversed")
    @admin
    @reader
    async def reversed_transfer():
        return {"user": current_user.id}

    @app.get("/crash")
    async def crash():
        raise ValueError("a bug of the application")

    @app.websocket("/ws")
    @requires()
    async def chat():
        await websocket.send_json({"user": current_user.id})
        while True:
            await websocket.send(await websocket.receive())

    if own_handler:

        @app.errorhandler(AuthError)
        async def answer(error):
            return {"own": error.code}, 418

    app.asgi_app = DispatcherMiddleware({"/auth": services.routes, "": app.asgi_app})
    if installed:
        install(
            app,
            services.backend,
            load_user=services.load_user,
            public_paths=services.public_paths,
        )
    return app

"""One small application in every framework, and what each test client asks of it."""

from __future__ import annotations

import contextlib
from importlib import import_module

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    TokenService,
    get_principal,
    get_user,
    requires,
)

USERS = {"ada": "Ada Lovelace", "bob": "Bob"}


def token_service(**options) -> TokenService:
    keys = KeySet.generate("ES256")
    chosen = {"issuer": "https://api.example", "audience": "api", **options}
    return TokenService(keys, **chosen)


def load_user(principal):
    return USERS.get(principal.subject)


def settings(tokens=None, **options):
    """Give the arguments of the middleware, beside the application."""
    backend = JWTBackend(tokens or token_service())
    return {"backend": backend, "load_user": load_user, **options}


def protect(app, tokens=None, **options):
    return AuthenticationMiddleware(app, **settings(tokens, **options))


def install(app, framework, tokens):
    room = import_module(f"asgi_auth.integrations.{framework}")
    room.install(app, **settings(tokens))
    return app


def describe(scope) -> dict:
    principal = get_principal(scope)
    return {
        "subject": principal.subject,
        "user": get_user(scope) if principal.is_authenticated else None,
        "scopes": sorted(principal.scopes),
        "roles": sorted(principal.roles),
        "source": principal.source,
        "backend": principal.backend,
        "issuer": principal.issuer,
    }


def starlette(tokens=None, *, installed=False):
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route, WebSocketRoute

    async def whoami(request):
        return JSONResponse(describe(request.scope))

    @requires("orders:read")
    async def orders(request):
        return JSONResponse(describe(request.scope))

    async def chat(websocket):
        await websocket.accept()
        await websocket.send_json(describe(websocket.scope))
        await websocket.receive()

    routes = [
        Route("/whoami", whoami),
        Route("/orders", orders),
        WebSocketRoute("/ws", chat),
    ]
    app = Starlette(routes=routes)
    if installed:
        return install(app, "starlette", tokens)

    app.add_middleware(AuthenticationMiddleware, **settings(tokens))
    return app


def mounted(tokens=None):
    from starlette.applications import Starlette
    from starlette.routing import Mount

    inner = starlette(tokens)
    return Starlette(routes=[Mount("/api", inner)])


def fastapi(tokens=None, *, installed=False):
    from fastapi import FastAPI, Request, WebSocket

    app = FastAPI()

    async def whoami(request):
        return describe(request.scope)

    async def orders(request):
        requires("orders:read").check(request)
        return describe(request.scope)

    async def chat(websocket):
        await websocket.accept()
        await websocket.send_json(describe(websocket.scope))
        await websocket.receive()

    whoami.__annotations__["request"] = Request
    orders.__annotations__["request"] = Request
    chat.__annotations__["websocket"] = WebSocket
    app.get("/whoami")(whoami)
    app.get("/orders")(orders)
    app.websocket("/ws")(chat)
    if installed:
        return install(app, "fastapi", tokens)

    app.add_middleware(AuthenticationMiddleware, **settings(tokens))
    return app


def litestar(tokens=None, *, installed=False):
    from litestar import Litestar, Request, WebSocket, get, websocket
    from litestar.middleware import DefineMiddleware

    async def whoami(request):
        return describe(request.scope)

    async def orders(request):
        requires("orders:read").check(request)
        return describe(request.scope)

    async def chat(socket):
        await socket.accept()
        await socket.send_json(describe(socket.scope))
        await socket.receive()

    for handler in (whoami, orders):
        handler.__annotations__ = {"request": Request, "return": dict}
    chat.__annotations__ = {"socket": WebSocket, "return": None}
    handlers = [get("/whoami")(whoami), get("/orders")(orders), websocket("/ws")(chat)]
    if installed:
        return install(Litestar(handlers), "litestar", tokens)

    inside = DefineMiddleware(AuthenticationMiddleware, **settings(tokens))
    return Litestar(handlers, middleware=[inside])


def quart(tokens=None, *, installed=False):
    from quart import Quart, request, websocket

    app = Quart("quart_app")

    @app.get("/whoami")
    async def whoami():
        return describe(request.scope)

    @app.get("/orders")
    async def orders():
        requires("orders:read").check(request)
        return describe(request.scope)

    @app.websocket("/ws")
    async def chat():
        await websocket.accept()
        await websocket.send_json(describe(websocket.scope))
        await websocket.receive()

    if installed:
        return install(app, "quart", tokens)

    app.asgi_app = protect(app.asgi_app, tokens)
    return app


def nexios(tokens=None, *, installed=False):
    from nexios import NexiosApp

    app = NexiosApp()

    async def whoami(request, response):
        return response.json(describe(request.scope))

    async def orders(request, response):
        return response.json(describe(request.scope))

    async def chat(websocket):
        await websocket.accept()
        await websocket.send_json(describe(websocket.scope))
        with contextlib.suppress(Exception):
            await websocket.receive()

    app.get("/whoami")(whoami)
    app.get("/orders")(requires("orders:read")(orders))
    app.ws_route("/ws")(chat)
    if installed:
        return install(app, "nexios", tokens)

    app.wrap_asgi(AuthenticationMiddleware, **settings(tokens))
    return app


def channels(tokens=None):
    from channels.generic.websocket import AsyncJsonWebsocketConsumer
    from channels.routing import ProtocolTypeRouter

    class Chat(AsyncJsonWebsocketConsumer):
        async def connect(self):
            await self.accept()
            await self.send_json(describe(self.scope))

    router = ProtocolTypeRouter({"websocket": Chat.as_asgi(), "http": plain_http})
    return protect(router, tokens)


async def plain_http(scope, receive, send):
    """Answer with nothing but 200."""
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    await send({"type": "http.response.body", "body": b""})


def plain(tokens=None, **options):
    """A bare ASGI app that keeps the scopes it got."""
    from tests.asgi import Echo

    return protect(Echo(), tokens, **options)

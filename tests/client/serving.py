"""The application that clients talk to: log-in routes, notes, and a socket.

Servers import this file in processes of their own. It counts the requests that reach
each path, and takes its time over a refresh, so that races have room.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    JWTBackend,
    Subprotocol,
    requires,
)
from asgi_auth._clock import system_clock
from asgi_auth.websocket import WebSocketEndpoint
from tests.routes.world import EMAIL, PASSWORD, World

SLOW = 0.05

counts: Counter[str] = Counter()


class Echo(WebSocketEndpoint):
    """Sends back what came, with the name of who sent it."""

    async def on_message(self, websocket, user_id, message):
        await websocket.send({"of": user_id, "message": message})


@requires()
async def notes(request):
    body = await request.body()
    return JSONResponse({"of": request.user.subject, "size": len(body)})


@requires("admin")
async def admin(request):
    return Response()


async def redirect(request):
    return RedirectResponse(request.query_params["to"], 307)


async def show_counts(request):
    return JSONResponse(dict(counts))


def application(world):
    @asynccontextmanager
    async def lifespan(app):
        await world.add()
        yield

    starlette = Starlette(
        routes=[
            Route("/notes", notes, methods=["GET", "POST"]),
            Route("/admin", admin),
            Route("/redirect", redirect, methods=["GET", "POST"]),
            Route("/counts", show_counts),
            WebSocketRoute("/ws", Echo()),
            WebSocketRoute("/chat", Echo(subprotocols=["chat.v1"])),
            Mount("/auth", world.routes),
        ],
        lifespan=lifespan,
    )
    guarded = AuthenticationMiddleware(
        starlette,
        JWTBackend(world.tokens, sources=(BearerHeader(), Subprotocol())),
        public_paths=world.routes.public_paths("/auth"),
    )

    async def counted(scope, receive, send):
        path = scope.get("path", "")
        counts[path] += 1
        if path == "/auth/refresh":
            await asyncio.sleep(SLOW)
        await guarded(scope, receive, send)

    return counted


def create():
    """Make the application that a server runs, in real time."""
    return application(World(tokens={"clock": None}, accounts={"clock": system_clock}))


CREDENTIALS = {"email": EMAIL, "password": PASSWORD}

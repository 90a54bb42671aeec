"""The same chat in every framework, and the frameworks' own sockets, which end too."""

from __future__ import annotations

import contextlib
import os

import pytest

from asgi_auth.lifetime import extend
from asgi_auth.websocket import Rooms, WebSocketEndpoint
from tests.websocket.peer import Peer, guarded, token_service, until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Chat(WebSocketEndpoint):
    async def on_message(self, websocket, user_id, message):
        await self.rooms.join(websocket, "tea")
        await self.rooms.broadcast("tea", {"user": user_id, "message": message})


async def plain(chat):
    async def own(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send(
                {"type": "websocket.send", "text": await judge(scope, message["text"])}
            )

    async def router(scope, receive, send):
        await (own if scope["path"] == "/own" else chat)(scope, receive, send)

    return router


async def judge(scope, token):
    """Extend the socket; say how that went, as text."""
    try:
        return (await extend(scope, token)).subject
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


async def starlette(chat):
    from starlette.applications import Starlette
    from starlette.routing import WebSocketRoute

    async def own(websocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(await judge(websocket.scope, text))

    routes = [WebSocketRoute("/ws", chat), WebSocketRoute("/own", own)]
    return Starlette(routes=routes)


async def fastapi(chat):
    from fastapi import FastAPI, WebSocket

    app = FastAPI()

    async def own(websocket: WebSocket):
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(await judge(websocket.scope, text))

    own.__annotations__["websocket"] = WebSocket
    app.websocket("/own")(own)
    app.mount("/ws", chat)
    return app


async def litestar(chat):
    from litestar import Litestar, WebSocket, asgi, websocket
    from litestar.exceptions import WebSocketDisconnect

    async def own(socket: WebSocket) -> None:
        await socket.accept()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await socket.receive_text()
                await socket.send_text(await judge(socket.scope, text))

    async def mounted(scope, receive, send):
        await chat(scope, receive, send)

    own.__annotations__.update(socket=WebSocket)
    mounted.__annotations__.update(
        scope="Scope", receive="Receive", send="Send", **{"return": None}
    )
    own.__annotations__["return"] = None
    return Litestar([websocket("/own")(own), asgi("/ws", is_mount=True)(mounted)])


async def quart(chat):
    from hypercorn.middleware import DispatcherMiddleware
    from quart import Quart
    from quart import websocket as current

    app = Quart("quart_app")

    @app.websocket("/own")
    async def own():
        while True:
            await current.send(await judge(current.scope, await current.receive()))

    return DispatcherMiddleware({"/ws": chat, "/": app})


async def nexios(chat):
    from nexios import NexiosApp

    app = NexiosApp()

    async def own(websocket):
        await websocket.accept()
        with contextlib.suppress(Exception):
            while True:
                text = await websocket.receive_text()
                await websocket.send_text(await judge(websocket.scope, text))

    app.ws_route("/own")(own)
    app.register(chat, "/ws")
    return app


async def channels(chat):
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.websocket.django_settings"
    import django

    django.setup()
    from channels.generic.websocket import AsyncWebsocketConsumer
    from channels.routing import ProtocolTypeRouter, URLRouter
    from django.urls import path

    class Own(AsyncWebsocketConsumer):
        async def receive(self, text_data=None, bytes_data=None):
            await self.send(await judge(self.scope, text_data))

    routes = [path("ws", chat), path("own", Own.as_asgi())]
    return ProtocolTypeRouter({"websocket": URLRouter(routes)})


BUILDERS = [plain, starlette, fastapi, litestar, quart, nexios, channels]


@pytest.fixture(params=BUILDERS, ids=lambda build: build.__name__)
async def house(request):
    if request.param is not plain:
        package = request.param.__name__
        pytest.importorskip(package, reason=f"platform: there is no {package} here")

    tokens, rooms = token_service(), Rooms()
    app = await request.param(Chat(rooms=rooms))
    # Mounts of Starlette begin behind a slash.
    path = "/ws/" if request.param is fastapi else "/ws"
    return guarded(app, tokens), tokens, rooms, path


async def test_the_endpoint_serves_in_it(house):
    app, tokens, rooms, path = house
    pair = await tokens.issue("ann")
    async with (
        Peer(app, pair.access_token, path=path) as ann,
        Peer(app, tokens.mint("bob"), path=path) as bob,
    ):
        for peer, name in ((ann, "ann"), (bob, "bob")):
            await peer.say("hi")
            assert await peer.hear() == {"user": name, "message": "hi"}

        await ann.hear()
        await tokens.revoke_session(pair_sid(pair))
        assert await ann.closed() == (3000, "token_revoked")
        await until(lambda: len(rooms) == 1)

    await until(lambda: len(rooms) == 0)


async def test_its_own_sockets_are_extended_and_end(house):
    app, tokens, _, _ = house
    pair, other = await tokens.issue("ann"), await tokens.issue("ann")
    async with Peer(app, pair.access_token, path="/own") as peer:
        await peer.say_text(tokens.mint("bob"))
        assert (await peer.next())["text"] == "InvalidTokenError"
        await peer.say_text(other.access_token)
        assert (await peer.next())["text"] == "ann"
        await tokens.revoke_session(pair_sid(pair))
        assert await peer.silent()
        await tokens.revoke_session(pair_sid(other))
        assert await peer.closed() == (3000, "token_revoked")
        await peer.ended()


def pair_sid(pair):
    """Read the session of a token pair."""
    import base64
    import json

    payload = pair.access_token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=="))["sid"]

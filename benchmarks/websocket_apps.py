"""Two applications that do the same: one by hand, one with rooms.

``/join`` opens a socket that hears everything; ``POST /say?size=N`` sends a message of
N letters to all; ``GET /memory`` tells the resident memory of the process in KiB.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path
from urllib.parse import parse_qs

from asgi_auth import (
    AuthenticationMiddleware,
    JWTBackend,
    KeySet,
    MemoryStore,
    QueryParam,
    TokenService,
)
from asgi_auth.stores.redis import RedisStore
from asgi_auth.websocket import Rooms, WebSocketEndpoint

SECRET = "Nc9Ls5Hd3Gf6Jp0aZk8vQ1mW4tYx7Rb2-Ue_TiOyXwVq"
VALKEY = os.environ.get("BENCH_VALKEY")

tokens = TokenService(
    KeySet.from_secret(SECRET),
    store=RedisStore(VALKEY) if VALKEY else MemoryStore(),
    issuer="https://bench.example",
    audience="bench",
)
rooms = Rooms(max_per_user=None)


class Hall(WebSocketEndpoint):
    """Everybody is in one room, and listens."""

    async def on_connect(self, websocket, user_id):
        await self.rooms.join(websocket, "hall")


async def answer(send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


def resident() -> bytes:
    gc.collect()
    status = Path("/proc/self/status").read_text("ascii")
    return status.split("VmRSS:")[1].split()[0].encode()


def app_of(join, say):
    async def app(scope, receive, send):
        if scope["type"] == "websocket":
            await join(scope, receive, send)
        elif scope["path"] == "/say":
            size = int(parse_qs(scope["query_string"])[b"size"][0])
            await say("a" * size)
            await answer(send, b"said")
        elif scope["path"] == "/memory":
            await answer(send, resident())

    return app


sends = {}


async def join_by_hand(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    sends[send] = None
    try:
        while (await receive())["type"] != "websocket.disconnect":
            pass
    finally:
        del sends[send]


async def say_by_hand(text):
    message = {"type": "websocket.send", "text": f'"{text}"'}
    for send in [*sends]:
        await send(message)


async def say_in_room(text):
    await rooms.broadcast("hall", text)


bare = app_of(join_by_hand, say_by_hand)
ours = AuthenticationMiddleware(
    app_of(Hall(rooms=rooms), say_in_room),
    JWTBackend(tokens, sources=(QueryParam("token"),)),
)

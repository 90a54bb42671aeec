"""The application that real servers run: the chat of the seed, and bare sockets.

Servers import this file in processes of their own. Where ``CHAT_VALKEY`` names a
server, sessions, revocations and rooms are shared through it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

import anyio
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    MemoryStore,
    QueryParam,
    Subprotocol,
    TokenService,
    get_principal,
    requires,
)
from asgi_auth.accounts.manager import AuthManager
from asgi_auth.stores.redis import RedisStore
from asgi_auth.websocket import RedisFanout, Rooms, WebSocketEndpoint

SECRET = "Hd3Gf6Jp0aZk8vQ1mW4tYx7Rb2Nc9Ls5-Ue_TiOyXwVq"
PASSWORD = "correct horse battery staple"
VALKEY = os.environ.get("CHAT_VALKEY")


@dataclass(frozen=True)
class User:
    """A row of the seed's mock database."""

    id: str
    email: str
    password_hash: str


class MockAuthManager(AuthManager[User]):
    """The seed's users, in a dictionary."""

    def __init__(self):
        self._users = {}

    async def load(self):
        if not self._users:
            stored = await self.hasher.hash(PASSWORD)
            for number, name in enumerate(("ann", "bob"), 42):
                email = f"{name}@example.com"
                self._users[email] = User(str(number), email, stored)

    async def get_user_by_email(self, email):
        await self.load()
        return self._users.get(email)

    async def get_user_by_id(self, user_id):
        return next((u for u in self._users.values() if u.id == user_id), None)


class ChatWebSocket(WebSocketEndpoint):
    """The seed's chat: echo, rooms, messages for one user."""

    async def on_connect(self, websocket, user_id):
        await websocket.send({"type": "welcome", "user": user_id})

    async def on_message(self, websocket, user_id, message):
        if "join" in message:
            await self.rooms.join(websocket, message["join"])
            await websocket.send({"joined": message["join"]})
        elif "room" in message:
            said = {"user": user_id, "text": message["text"]}
            await self.rooms.broadcast(message["room"], said)
        elif "to" in message:
            said = {"user": user_id, "text": message["text"]}
            await self.rooms.send_to_user(message["to"], said)
        else:
            await websocket.send({"user": user_id, "message": message})


manager = MockAuthManager()
tokens = TokenService(
    KeySet.from_secret(SECRET),
    store=RedisStore(VALKEY) if VALKEY else MemoryStore(),
    issuer="https://chat.example",
    audience="chat",
)
rooms = Rooms(
    fanout=RedisFanout(VALKEY) if VALKEY else None,
    may_join=lambda principal, room: room != "board",
)


async def login(request):
    body = await request.json()
    user = await manager.authenticate(body["email"], body["password"])
    if user is None:
        return JSONResponse({"error": "Invalid credentials"}, status_code=401)

    if "ttl" in body:
        return JSONResponse({"access_token": tokens.mint(user.id, ttl=body["ttl"])})

    pair = await tokens.issue(user.id)
    return JSONResponse(
        {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
    )


@requires()
async def protected(request):
    return JSONResponse({"message": f"Hello {request.user.subject}!"})


@requires()
async def logout_everywhere(request):
    await tokens.revoke_subject(request.user.subject)
    return JSONResponse({})


async def idle(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


async def push(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        text = json.dumps({"for": get_principal(scope).subject})
        await send({"type": "websocket.send", "text": text})
        await anyio.sleep(0.01)


BACKEND = JWTBackend(
    tokens,
    sources=(BearerHeader(), Cookie("access"), QueryParam("token"), Subprotocol()),
)
starlette = Starlette(
    routes=[
        Route("/login", login, methods=["POST"]),
        Route("/protected", protected),
        Route("/logout-everywhere", logout_everywhere, methods=["POST"]),
        WebSocketRoute("/ws", ChatWebSocket(rooms=rooms)),
    ]
)


async def router(scope, receive, send):
    if scope["type"] == "websocket" and scope["path"] == "/idle":
        await idle(scope, receive, send)
    elif scope["type"] == "websocket" and scope["path"] == "/push":
        await push(scope, receive, send)
    else:
        await starlette(scope, receive, send)


app = AuthenticationMiddleware(router, BACKEND)

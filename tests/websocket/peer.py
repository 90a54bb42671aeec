"""A WebSocket client in memory: what a server and a browser do, without them."""

from __future__ import annotations

import asyncio
import contextlib
import json

from asgi_auth import (
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    JWTBackend,
    KeySet,
    QueryParam,
    Subprotocol,
    TokenService,
)
from tests.asgi import websocket_scope

SECRET = "mW4tYx7Rb2Nc9Ls5Hd3Gf6Jp0aZk8vQ1-Ue_TiOyXwVq"
ISSUER = "https://issuer.example"
SOURCES = (BearerHeader(), Cookie("access"), QueryParam("token"), Subprotocol())
PATIENCE = 20


def token_service(**options) -> TokenService:
    chosen = {"issuer": ISSUER, "audience": "api", **options}
    return TokenService(KeySet.from_secret(SECRET), **chosen)


def guarded(app, tokens, **options) -> AuthenticationMiddleware:
    return AuthenticationMiddleware(app, JWTBackend(tokens, sources=SOURCES), **options)


class Peer:
    """One client of an app; ``async with`` opens the socket."""

    def __init__(self, app, token=None, *, path="/ws", headers=(), **scope):
        query = b"" if token is None else b"token=" + token.encode()
        self.scope = websocket_scope(path, query=query, headers=headers, **scope)
        self.sent = []
        self.incoming = asyncio.Queue()
        self.outgoing = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.log = []
        self._app = app
        self.task = None

    async def __aenter__(self):
        self.start()
        first = await self.next()
        assert first["type"] == "websocket.accept", first
        self.accepted = first
        return self

    async def __aexit__(self, *_):
        await self.leave()

    def start(self):
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.create_task(
            self._app(self.scope, self._receive, self._send)
        )

    async def _receive(self):
        self.log.append("receive")
        try:
            return await self.incoming.get()
        except asyncio.CancelledError:
            self.log.append("cancelled")
            raise

    async def _send(self, message):
        self.log.append(message["type"])
        await self.reads.wait()
        self.sent.append(message)
        self.outgoing.put_nowait(message)

    async def next(self):
        async with asyncio.timeout(PATIENCE):
            return await self.outgoing.get()

    async def say(self, value):
        await self.say_text(json.dumps(value))

    async def say_text(self, text):
        await self.incoming.put({"type": "websocket.receive", "text": text})

    async def say_bytes(self, data):
        await self.incoming.put({"type": "websocket.receive", "bytes": data})

    async def hear(self):
        """Return the next message, a text in JSON."""
        message = await self.next()
        assert message["type"] == "websocket.send", message
        return json.loads(message["text"])

    async def closed(self):
        """Wait for the close; return its code and reason."""
        while (message := await self.next())["type"] == "websocket.send":
            pass

        assert message["type"] == "websocket.close", message
        return message["code"], message.get("reason", "")

    async def silent(self):
        """Tell whether nothing comes for a moment."""
        for _ in range(5):
            await asyncio.sleep(0)

        return self.outgoing.empty()

    async def leave(self, code=1000):
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": code})
        await self.ended()

    async def ended(self):
        """Wait for the app's end; what it raised is raised."""
        async with asyncio.timeout(PATIENCE):
            await self.task

    async def abort(self):
        """Be a server that shuts down."""
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


async def until(condition, patience=PATIENCE):
    """Wait for something that happens soon."""
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.005)

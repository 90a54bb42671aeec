"""A client of a stream in memory: what a server and a browser do, without them."""

from __future__ import annotations

import asyncio

from asgi_auth.lifetime.lifetime import lifetime_of
from tests.asgi import http_scope

PATIENCE = 20
EVENTS = b"text/event-stream"


def bearer(token):
    return (b"authorization", b"Bearer " + token.encode())


def opening(kind=EVENTS, *more):
    headers = [(b"content-type", kind), *more]
    return {"type": "http.response.start", "status": 200, "headers": headers}


def event(text="tick", *, more=True):
    body = f"data: {text}\n\n".encode()
    return {"type": "http.response.body", "body": body, "more_body": more}


class Listener:
    """One request for a stream; ``async with`` opens it."""

    def __init__(self, app, token=None, *, path="/events", headers=(), **scope):
        headers = [*headers, *([bearer(token)] if token else [])]
        self.scope = http_scope(path, headers=headers, **scope)
        self.incoming = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": b""})
        self.outgoing = asyncio.Queue()
        self.reads = asyncio.Event()
        self.reads.set()
        self.log = []
        self._app = app
        self.task = None

    async def __aenter__(self):
        self.task = asyncio.create_task(
            self._app(self.scope, self._receive, self._send)
        )
        self.start = await self.next()
        assert self.start["type"] == "http.response.start", self.start
        return self

    async def __aexit__(self, *_):
        self.incoming.put_nowait({"type": "http.disconnect"})
        await self.ended()

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
        self.outgoing.put_nowait(message)

    async def next(self):
        async with asyncio.timeout(PATIENCE):
            return await self.outgoing.get()

    async def closed(self):
        """Wait for the last part; return what came before."""
        events = []
        while (message := await self.next()).get("more_body"):
            events.append(message["body"])

        assert message["type"] == "http.response.body", message
        assert message["body"] == b"", "it adds nothing to what was sent"
        return events

    async def silent(self):
        """Tell whether nothing comes for a moment."""
        for _ in range(5):
            await asyncio.sleep(0)

        return self.outgoing.empty()

    async def ended(self):
        """Wait for the app's end; what it raised is raised."""
        async with asyncio.timeout(PATIENCE):
            await self.task


class Source:
    """An app that streams what it is told to, and listens for the disconnect."""

    def __init__(self, *, kind=EVENTS):
        self.kind = kind
        self.scope = None
        self.seen = []
        self.errors = []
        self.events = asyncio.Queue()

    async def __call__(self, scope, receive, send):
        self.scope = scope
        speaker = asyncio.create_task(self._speak(send))
        while (message := await receive())["type"] != "http.disconnect":
            pass

        self.seen.append(message["type"])
        speaker.cancel()
        await asyncio.wait([speaker])

    async def _speak(self, send):
        await send(opening(self.kind))
        try:
            while (text := await self.events.get()) is not None:
                await send(event(text))
            await send(event("last", more=False))
        except OSError as error:
            self.errors.append(error)

    @property
    def lifetime(self):
        return lifetime_of(self.scope)

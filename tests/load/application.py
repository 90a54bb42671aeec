"""One worker of a load run: log in, refresh, who am I, log out, and a socket.

``python -m tests.load.application FD`` serves the listening socket that it inherits. No
passwords: a log-in is for whoever asks, or hashing would be all that is measured.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sys
import time
from contextlib import suppress
from typing import ClassVar

import uvicorn

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    JWTBackend,
    KeySet,
    SessionPolicy,
    TokenService,
    get_principal,
)
from asgi_auth.lifetime import SocketClosedError
from asgi_auth.revocation.uptime import uptime
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from asgi_auth.websocket import RedisFanout, Rooms, WebSocketEndpoint

URL = os.environ["LOAD_STORE"]
IS_REDIS = URL.startswith("redis")
IS_CLUSTER = bool(os.environ.get("LOAD_CLUSTER"))
STORE = RedisStore(URL, cluster=IS_CLUSTER) if IS_REDIS else SQLStore(URL)
STALENESS = 5.0
TOKENS = TokenService(
    KeySet.from_secret(os.environ["LOAD_SECRET"]),
    store=STORE,
    issuer="https://api.example",
    audience="api",
    session_policy=SessionPolicy(
        access_ttl=float(os.environ.get("LOAD_TTL", "10")), max_staleness=STALENESS
    ),
)
FANOUT = RedisFanout(URL, cluster=IS_CLUSTER) if IS_REDIS else None
ROOMS = Rooms(fanout=FANOUT, presence=True)
# Seconds between two messages of a socket.
TICK = 1.0
# How late this process has lately been: a machine that starves is no fault of ours.
PULSE, REMEMBERED = 0.1, 50
LATE: list[float] = []


async def feel_pulse():
    parent = os.getppid()
    # Whoever ends the suite ends its workers.
    while os.getppid() == parent:
        began = time.monotonic()
        await asyncio.sleep(PULSE)
        LATE.append(time.monotonic() - began - PULSE)
        del LATE[:-REMEMBERED]

    os._exit(1)


async def answer(send, status, body, headers=()):
    raw = json.dumps(body).encode()
    head = [(b"content-length", b"%d" % len(raw)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": raw})


async def serve(scope, receive, send):
    if scope["type"] == "websocket":
        await SEAT(scope, receive, send)
        return

    message = await receive()
    asked = json.loads(message.get("body") or b"{}")
    try:
        body = await ROUTES[scope["path"]](scope, asked)
    except AuthError as error:
        headers = []
        if error.status == 503:
            headers.append((b"retry-after", str(error.retry_after).encode()))

        await answer(send, error.status, {"code": error.code}, headers)
    else:
        await answer(send, 200, body)


async def log_in(_, asked):
    pair = await TOKENS.issue(asked["subject"])
    return {"access": pair.access_token, "refresh": pair.refresh_token}


async def refresh(_, asked):
    pair = await TOKENS.refresh(asked["refresh"])
    return {"access": pair.access_token, "refresh": pair.refresh_token}


async def log_out(_, asked):
    await TOKENS.revoke(asked["refresh"])
    return {}


async def me(scope, _):
    return {"subject": get_principal(scope).subject}


ROUTES = {"/login": log_in, "/refresh": refresh, "/logout": log_out, "/me": me}


class Seat(WebSocketEndpoint):
    """Says once a second who is asked for, and as of when all is known here."""

    ticks: ClassVar[dict] = {}

    async def on_connect(self, websocket, user_id):
        await self.rooms.join(websocket, f"room-{sum(user_id.encode()) % 40}")
        self.ticks[websocket] = asyncio.create_task(tick(websocket, user_id))

    async def on_disconnect(self, websocket, user_id):
        if websocket in self.ticks:
            self.ticks.pop(websocket).cancel()


async def tick(websocket, subject):
    with suppress(SocketClosedError):
        while True:
            known = time.time() + TOKENS.revocations.fresh_until - STALENESS - uptime()
            now = time.time()
            await websocket.send({"subject": subject, "now": now, "known": known})
            await asyncio.sleep(TICK)


SEAT = Seat(rooms=ROOMS, reauthenticate=False)
guarded = AuthenticationMiddleware(
    serve, JWTBackend(TOKENS), public_paths=["/login", "/refresh", "/logout"]
)


async def lifespan(receive, send):
    pulse = asyncio.create_task(feel_pulse())
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if isinstance(STORE, SQLStore):
                with suppress(AuthError):
                    await STORE.create_schema()

            await send({"type": "lifespan.startup.complete"})
            continue

        pulse.cancel()
        await ROOMS.aclose()
        await TOKENS.aclose()
        await STORE.aclose()
        await send({"type": "lifespan.shutdown.complete"})
        return


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return

    async def with_pulse(message):
        if message["type"] == "http.response.start" and message["status"] >= 500:
            late = b"%.2f" % max(LATE, default=0.0)
            message = {**message, "headers": [*message["headers"], (b"x-late", late)]}

        await send(message)

    await guarded(scope, receive, with_pulse)


if __name__ == "__main__":
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws_ping_interval=None,
        # A client must not send on a connection that is just being closed.
        timeout_keep_alive=600,
        timeout_graceful_shutdown=10,
    )
    listener = socket.socket(fileno=int(sys.argv[1]))
    uvicorn.Server(config).run(sockets=[listener])

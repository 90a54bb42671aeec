"""What the workers of a load run serve: log in, refresh, who am I, log out.

No passwords: a log-in is for whoever asks, or hashing would be all that is measured.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    JWTBackend,
    KeySet,
    SessionPolicy,
    TokenService,
    get_principal,
)
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore

URL = os.environ["LOAD_STORE"]
STORE = (
    RedisStore(URL, cluster="cluster" in os.environ.get("LOAD_KIND", ""))
    if URL.startswith("redis")
    else SQLStore(URL)
)
TOKENS = TokenService(
    KeySet.from_secret(os.environ["LOAD_SECRET"]),
    store=STORE,
    issuer="https://api.example",
    audience="api",
    session_policy=SessionPolicy(access_ttl=float(os.environ.get("LOAD_TTL", "10"))),
)


async def answer(send, status, body, headers=()):
    raw = json.dumps(body).encode()
    head = [(b"content-type", b"application/json"), *headers]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": raw})


async def serve(scope, receive, send):
    if scope["type"] != "http":
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
guarded = AuthenticationMiddleware(
    serve, JWTBackend(TOKENS.verifier), public_paths=["/login", "/refresh", "/logout"]
)


async def app(scope, receive, send):
    if scope["type"] != "lifespan":
        await guarded(scope, receive, send)
        return

    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if isinstance(STORE, SQLStore):
                with suppress(AuthError):
                    await STORE.create_schema()
            await send({"type": "lifespan.startup.complete"})
        else:
            await TOKENS.aclose()
            await STORE.aclose()
            await send({"type": "lifespan.shutdown.complete"})
            return

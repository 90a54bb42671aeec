"""The plain ASGI applications that the tests run on real servers.

Servers import this file in processes of their own; tests import it for its tokens.
"""

from __future__ import annotations

import json
import time

from asgi_auth import (
    AuthenticationError,
    AuthenticationMiddleware,
    BearerHeader,
    Cookie,
    InsufficientScopeError,
    JWTBackend,
    KeySet,
    QueryParam,
    Subprotocol,
    Ticket,
    TokenService,
    get_principal,
    requires,
)
from asgi_auth.dpop import DPoP

SECRET = "q3Jt9Vw2Zp7Kx4Lm8Nc5Rb1Yd6Hf0Gs-Ta_UeWiXoPz"
HOUR = 3600
REFUSALS = {"401": AuthenticationError, "403": InsufficientScopeError}


def token_service(*, secret: str = SECRET, clock=None) -> TokenService:
    return TokenService(
        KeySet.from_secret(secret),
        issuer="https://issuer.example",
        audience="api",
        clock=clock,
    )


def expired_token() -> str:
    return token_service(clock=lambda: time.time() - HOUR).mint("ann")


def forged_token() -> str:
    return token_service(secret=SECRET[::-1]).mint("ann")


def token_of_another_kind() -> str:
    return token_service().mint("ann", kind="reset")


def whoami(scope) -> bytes:
    """Tell what the application sees of the caller, and of the credentials."""
    principal = get_principal(scope)
    seen = {
        "subject": principal.subject,
        "source": principal.source,
        "error": principal.error and principal.error.code,
        "query": scope["query_string"].decode("latin-1"),
        "subprotocols": list(scope.get("subprotocols") or ()),
    }
    return json.dumps(seen).encode()


async def respond(send, body: bytes, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def tell(scope, receive, send) -> None:
    await respond(send, whoami(scope))


async def crash(scope, receive, send) -> None:
    raise ValueError("a bug of the application")


async def refuse(scope, receive, send) -> None:
    raise REFUSALS[scope["path"].rpartition("/")[2]]


async def begin(send) -> None:
    start = {"type": "http.response.start", "status": 200, "headers": []}
    await send(start)
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})


async def crash_late(scope, receive, send) -> None:
    await begin(send)
    raise ValueError("a bug after the response has begun")


async def refuse_late(scope, receive, send) -> None:
    await begin(send)
    raise AuthenticationError("refused after the response has begun")


async def accept(receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept"})


async def chat(scope, receive, send) -> None:
    await accept(receive, send)
    await send({"type": "websocket.send", "text": whoami(scope).decode()})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


async def refuse_socket(scope, receive, send) -> None:
    await receive()
    await refuse(scope, receive, send)


async def refuse_after_accept(scope, receive, send) -> None:
    await accept(receive, send)
    await refuse(scope, receive, send)


async def refuse_after_disconnect(scope, receive, send) -> None:
    await chat(scope, receive, send)
    raise AuthenticationError


async def crash_in_socket(scope, receive, send) -> None:
    await accept(receive, send)
    await crash(scope, receive, send)


async def crash_before_accept(scope, receive, send) -> None:
    await receive()
    await crash(scope, receive, send)


ROUTES = {
    "http": {
        "/whoami": tell,
        "/guarded": requires()(tell),
        "/guarded/orders": requires("orders:read")(tell),
        "/crash": crash,
        "/crash-late": crash_late,
        "/handler-refuses/401": refuse,
        "/handler-refuses/403": refuse,
        "/refuse-late": refuse_late,
    },
    "websocket": {
        "/ws": chat,
        "/ws-guarded": requires()(chat),
        "/ws-guarded/orders": requires("orders:read")(chat),
        "/ws-refuse/401": refuse_socket,
        "/ws-refuse/403": refuse_socket,
        "/ws-refuse-after-accept/401": refuse_after_accept,
        "/ws-refuse-after-accept/403": refuse_after_accept,
        "/ws-refuse-after-disconnect": refuse_after_disconnect,
        "/ws-crash": crash_in_socket,
        "/ws-crash-before-accept": crash_before_accept,
    },
}


async def router(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        raise RuntimeError("this application has no lifespan")

    await ROUTES[scope["type"]].get(scope["path"], tell)(scope, receive, send)


BACKEND = JWTBackend(
    token_service(),
    sources=(
        BearerHeader(),
        Cookie("access"),
        QueryParam("token"),
        QueryParam("access_token", http=True),
        Subprotocol(),
    ),
)

app = AuthenticationMiddleware(router, BACKEND)


def mounted():
    """Make an application in which the middleware stands inside of a mount."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    backend = JWTBackend(
        token_service(),
        sources=[BearerHeader(), Ticket()],
        confirmations=[DPoP("https://api.example/api")],
    )
    guarded = AuthenticationMiddleware(
        tell, backend, required=True, public_paths=["/public", "/docs/*"]
    )
    return Starlette(routes=[Mount("/v1", app=guarded)])

"""Tokens, users and requests for the tests of frameworks; nothing sends lifespan."""

from __future__ import annotations

import time
from dataclasses import dataclass

import anyio
import httpx2

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
    TokenService,
    get_principal,
    get_user,
)

SECRET = "Zk8vQ1mW4tYx7Rb2Nc9Ls5Hd3Gf6Jp0a-Ue_TiOyXwVq"
REFUSALS = {"401": AuthenticationError, "403": InsufficientScopeError}
EXPIRED = 'Bearer error="invalid_token", error_description="The token has expired."'
INVALID = 'Bearer error="invalid_token", error_description="The token is not valid."'
TOO_LITTLE = (
    'Bearer error="insufficient_scope", '
    'error_description="The credentials do not allow this."'
)
ORDERS = f'{TOO_LITTLE}, scope="orders:read"'
DENIAL = {"websocket.http.response": {}}


@dataclass(frozen=True)
class User:
    """An application's own user; ``is_authenticated`` is Starlette's word."""

    name: str
    is_authenticated: bool = True

    @property
    def display_name(self) -> str:
        return self.name.title()


def token_service(*, clock=None) -> TokenService:
    return TokenService(
        KeySet.from_secret(SECRET),
        issuer="https://issuer.example",
        audience="api",
        clock=clock,
    )


def make_backend() -> JWTBackend:
    sources = (BearerHeader(), Cookie("access"), QueryParam("token"), Subprotocol())
    return JWTBackend(token_service(), sources=sources)


def options(**changes):
    """Give the arguments of the middleware, beside the application."""
    chosen = {"load_user": lambda principal: User(principal.subject), **changes}
    return {"backend": make_backend(), **chosen}


def wrap(app, **changes) -> AuthenticationMiddleware:
    return AuthenticationMiddleware(app, **options(**changes))


def bearer(*scopes: str, subject: str = "ann") -> dict[str, str]:
    token = token_service().mint(subject, scopes=scopes)
    return {"Authorization": f"Bearer {token}"}


def expired_token() -> str:
    return token_service(clock=lambda: time.time() - 3600).mint("ann")


def describe(user, auth) -> dict[str, object]:
    """Tell what a handler sees of the caller."""
    return {
        "subject": auth.subject,
        "source": auth.source,
        "error": auth.error and auth.error.code,
        "user": user.display_name,
        "known": user.is_authenticated,
    }


def describe_scope(scope) -> dict[str, object]:
    return describe(get_user(scope), get_principal(scope))


def client_of(app, *, let_out: bool = True) -> httpx2.AsyncClient:
    """Make a client; what the application lets out is raised, as a server sees it."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=let_out)
    return httpx2.AsyncClient(transport=transport, base_url="http://testserver")


async def fetch(app, path, *, let_out: bool = True, **request):
    async with client_of(app, let_out=let_out) as client:
        return await client.get(path, **request)


def assert_refused(response, status, code, challenge):
    """Check the whole answer: nothing of a framework's own page may be left."""
    assert response.status_code == status
    assert response.headers.get_list("www-authenticate") == [challenge]
    assert set(response.headers) - {"vary"} == {
        "cache-control",
        "content-length",
        "content-type",
        "www-authenticate",
    }
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["code"] == code


def socket_scope(path, headers=(), *, extensions=DENIAL, subprotocols=()):
    raw = [(n.lower().encode(), v.encode()) for n, v in dict(headers).items()]
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"testserver"), *raw],
        "client": ("127.0.0.1", 12345),
        "server": ("testserver", 80),
        "subprotocols": list(subprotocols),
        "extensions": dict(extensions),
        "state": {},
    }


async def talk(app, scope, *, let_out: bool = True):
    """Open a socket, answer nothing, and return what the application sent.

    The client leaves once the application has spoken, or has been closed.
    """
    sent = []
    spoken = anyio.Event()
    incoming = iter([{"type": "websocket.connect"}])

    async def receive():
        if (message := next(incoming, None)) is not None:
            return message

        await spoken.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message):
        sent.append(dict(message))
        if message["type"] != "websocket.accept":
            spoken.set()

    with anyio.fail_after(10):
        try:
            await app(scope, receive, send)
        except Exception:
            if let_out:
                raise

    return sent


def types_of(sent) -> list[str]:
    return [message["type"] for message in sent]

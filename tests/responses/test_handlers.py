"""Refusals in a Starlette app that is wrapped from outside, without install."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Request, WebSocket
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute

from asgi_auth import (
    AsgiAuthError,
    AuthenticationMiddleware,
    AuthError,
    ConfigurationError,
    JWTBackend,
    requires,
)
from asgi_auth.responses.handlers import lend_handler
from tests import forge
from tests.asgi import Echo, bearer, converse, denial_of, run

ORIGIN = (b"origin", b"https://app.example")
OTHER = bearer(forge.token(scope="b"))


class Seen:
    """A layer within, which counts what goes out and what is raised."""

    def __init__(self, app, seen):
        self._app = app
        self._seen = seen

    async def __call__(self, scope, receive, send):
        async def watch(message):
            self._seen.append(message.get("status") or message.get("code"))
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            self._seen.append(error)
            raise


@requires("a")
async def page(request):
    return PlainTextResponse("a")


@requires("a")
def sync_page(request):
    return PlainTextResponse("a")


@requires("a")
async def chat(websocket):
    await websocket.accept()
    await websocket.close()


async def late_chat(websocket):
    await websocket.accept()
    requires("a").check(websocket)


async def late_page(request):
    async def chunks():
        yield b"begun"
        requires("a").check(request)

    return StreamingResponse(chunks())


async def bug(request):
    try:
        requires("a").check(request)
    except AuthError:
        raise ConfigurationError("a bug") from None


@pytest.fixture
def seen():
    return []


@pytest.fixture(params=["starlette", "fastapi"])
def inner(request, seen):
    middleware = [
        Middleware(CORSMiddleware, allow_origins=["https://app.example"]),
        Middleware(Seen, seen=seen),
    ]
    routes = [
        Route("/", page),
        Route("/sync", sync_page),
        Route("/late", late_page),
        Route("/bug", bug),
        WebSocketRoute("/chat", chat),
        WebSocketRoute("/late", late_chat),
        Mount("/mounted", Starlette(routes=[Route("/", page)])),
    ]
    if request.param == "starlette":
        return Starlette(routes=routes, middleware=middleware)

    app = FastAPI(middleware=middleware)

    @app.get("/")
    @requires("a")
    async def index(request: Request): ...

    @app.get("/sync")
    @requires("a")
    def sync_index(request: Request): ...

    @app.websocket("/chat")
    @requires("a")
    async def talk(websocket: WebSocket): ...

    app.router.routes += routes
    return app


@pytest.fixture
def app(inner):
    return AuthenticationMiddleware(inner, JWTBackend(forge.verifier()))


@pytest.mark.parametrize("path", ["/", "/sync", "/mounted/"])
async def test_what_stands_within_sees_a_refusal_and_no_crash(app, seen, path):
    answer = await run(app, path, headers=[ORIGIN])
    assert (answer.status, answer.header("www-authenticate")) == (401, "Bearer")
    assert answer.header("access-control-allow-origin") == "https://app.example"
    answer = await run(app, path, headers=[ORIGIN, OTHER])
    assert (answer.status, answer.json()["code"]) == (403, "insufficient_scope")
    assert answer.header("access-control-allow-origin") == "https://app.example"
    assert seen == [401, None, 403, None]


async def test_sockets_are_refused_and_closed_without_a_crash(app, seen):
    assert denial_of(await converse(app, "/chat", denial=True)).status == 401
    assert [m["code"] for m in await converse(app, "/chat", headers=[OTHER])] == [3003]
    assert seen == [401, None, 3003]
    seen.clear()
    _, close = await converse(app, "/late", headers=[OTHER])
    assert (close["code"], close["reason"]) == (3003, "insufficient_scope")
    assert seen == [None, 3003]


async def test_a_refusal_after_the_answer_has_begun_breaks_it_off(app):
    with pytest.raises(RuntimeError, match="already started") as caught:
        await run(app, "/late")

    assert isinstance(caught.value.__cause__, AuthError)


async def test_a_mistake_stays_one(app, seen):
    sent = []
    with pytest.raises(ConfigurationError):
        await run(app, "/bug", sent=sent)

    assert sent[0]["status"] == 500
    assert isinstance(seen[0], ConfigurationError)


@pytest.mark.parametrize("kind", [AuthError, AsgiAuthError])
async def test_a_handler_of_the_app_wins(inner, app, kind):
    async def handle(request, error):
        return PlainTextResponse(error.code, status_code=418)

    inner.exception_handlers[kind] = handle
    answer = await run(app)
    assert (answer.status, answer.body) == (418, b"unauthenticated")


async def test_base_http_middleware_between_changes_nothing(inner, app, seen):
    async def dispatch(request, call_next):
        return await call_next(request)

    inner.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)
    assert (await run(app)).status == 401
    assert seen == [401, None]


@pytest.mark.parametrize("found", [None, (), ({},), "handlers", ((), {})])
def test_what_has_another_shape_is_left_alone(found):
    lend_handler({"starlette.exception_handlers": found})
    lend_handler({})


async def test_where_there_is_no_starlette_nothing_changes():
    async def app(scope, receive, send):
        requires("a").check(scope)
        await Echo()(scope, receive, send)

    wrapped = AuthenticationMiddleware(app, JWTBackend(forge.verifier()))
    assert (await run(wrapped)).status == 401

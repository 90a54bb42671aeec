"""Server-sent events of every framework end when their caller is revoked."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from starlette.requests import Request

from asgi_auth import AuthenticationMiddleware, JWTBackend, KeySet, TokenService, extend
from asgi_auth.lifetime.lifetime import lifetime_of
from tests.lifetime.listener import Listener

with contextlib.suppress(ImportError):
    from litestar import Request as LitestarRequest
    from litestar.response import ServerSentEvent

with contextlib.suppress(ImportError):
    from blacksheep import Request as BlackSheepRequest

pytestmark = pytest.mark.anyio

SEEN = {}


@pytest.fixture
def anyio_backend():
    return "asyncio"


async def ticks():
    """Say one thing, and then nothing: only the end of the stream can end it."""
    try:
        yield "data: tick\n\n"
        await asyncio.sleep(3600)
    finally:
        SEEN["ended"] = True


async def bytes_of_ticks():
    async with contextlib.aclosing(ticks()) as events:
        async for event in events:
            yield event.encode()


def starlette():
    from starlette.applications import Starlette
    from starlette.responses import StreamingResponse
    from starlette.routing import Mount, Route

    async def events(request):
        SEEN["scope"] = request.scope
        return StreamingResponse(ticks(), media_type="text/event-stream")

    return Starlette(routes=[Mount("/in", routes=[Route("/events", events)])])


def starlette_behind_base_middleware():
    from starlette.middleware.base import BaseHTTPMiddleware

    async def dispatch(request, call_next):
        return await call_next(request)

    return BaseHTTPMiddleware(starlette(), dispatch)


def fastapi():
    from fastapi import FastAPI
    from fastapi.responses import StreamingResponse

    app = FastAPI()

    @app.get("/in/events")
    async def events(request: Request):
        SEEN["scope"] = request.scope
        return StreamingResponse(ticks(), media_type="text/event-stream")

    return app


def sse_starlette():
    from sse_starlette import EventSourceResponse
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def source():
        async for _ in ticks():
            yield {"data": "tick"}

    async def events(request):
        SEEN["scope"] = request.scope
        return EventSourceResponse(source())

    return Starlette(routes=[Route("/in/events", events)])


def litestar():
    litestar = pytest.importorskip("litestar", reason="platform: no Litestar here")

    @litestar.get("/in/events")
    async def events(request: LitestarRequest) -> ServerSentEvent:
        SEEN["scope"] = request.scope
        return ServerSentEvent(ticks())

    return litestar.Litestar([events])


def quart():
    from quart import Quart, request

    app = Quart("streams")

    @app.get("/in/events")
    async def events():
        SEEN["scope"] = request.scope
        headers = {"Content-Type": "text/event-stream"}
        return bytes_of_ticks(), 200, headers

    return app


def falcon():
    pytest.importorskip("falcon", reason="platform: no Falcon here")
    from falcon.asgi import App, SSEvent

    class Events:
        async def on_get(self, request, response):
            SEEN["scope"] = request.scope

            async def source():
                async for _ in ticks():
                    yield SSEvent(text="tick")

            response.sse = source()

    app = App()
    app.add_route("/in/events", Events())
    return app


def nexios():
    nexios = pytest.importorskip("nexios", reason="platform: no Nexios here")

    async def events(request, response):
        SEEN["scope"] = request.scope
        return response.stream(ticks(), content_type="text/event-stream")

    app = nexios.NexiosApp()
    app.get("/in/events")(events)
    return app


def blacksheep():
    pytest.importorskip("blacksheep", reason="platform: no BlackSheep here")
    from blacksheep import Application, Router
    from blacksheep.server.sse import ServerSentEvent, ServerSentEventsResponse

    async def source():
        async for _ in ticks():
            yield ServerSentEvent({"tick": 1})

    async def events(request: BlackSheepRequest):
        SEEN["scope"] = request.scope
        return ServerSentEventsResponse(source)

    app = Application(router=Router())
    app.router.add_get("/in/events", events)
    return app


def django():
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            ROOT_URLCONF="tests.integrations.apps.django_streams",
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="x" * 50,
        )
        django.setup()
    from django.core.handlers.asgi import ASGIHandler
    from django.http import StreamingHttpResponse
    from django.test import override_settings
    from django.urls import path

    def events(request):
        SEEN["scope"] = request.scope
        return StreamingHttpResponse(ticks(), content_type="text/event-stream")

    class Routes:
        urlpatterns = (path("in/events", events),)

    with override_settings(MIDDLEWARE=[]):
        handler = ASGIHandler()

    async def app(scope, receive, send):
        with override_settings(ROOT_URLCONF=Routes):
            await handler(scope, receive, send)

    return app


FRAMEWORKS = [
    starlette,
    starlette_behind_base_middleware,
    fastapi,
    sse_starlette,
    litestar,
    quart,
    falcon,
    nexios,
    blacksheep,
    django,
]


@pytest.mark.filterwarnings("ignore:Exception ignored in.*SpooledTemp")
@pytest.mark.parametrize("make", FRAMEWORKS, ids=lambda make: make.__name__)
@pytest.mark.parametrize("version", ["2.3", "2.4"])
async def test_a_stream_ends_when_its_caller_is_revoked(make, version):
    tokens = TokenService(KeySet.generate("HS256"), issuer="https://issuer.example")
    app = AuthenticationMiddleware(make(), JWTBackend(tokens))
    SEEN.clear()
    asgi = {"version": "3.0", "spec_version": version}
    peer = Listener(app, tokens.mint("ann"), path="/in/events", asgi=asgi)
    async with peer:
        assert b"tick" in (await peer.next())["body"]
        assert lifetime_of(SEEN["scope"]) is not None
        await extend(SEEN["scope"], tokens.mint("ann"))
        await tokens.revoke_subject("ann")
        assert await peer.closed() == []
        # These two listen to nobody: an idle generator learns of it at its next event.
        if make not in (falcon, blacksheep) and version == "2.3":
            await peer.ended()
            return

        # These may listen to nobody, and stumble at their next event.
        peer.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await peer.ended()
        peer.task = asyncio.create_task(asyncio.sleep(0))

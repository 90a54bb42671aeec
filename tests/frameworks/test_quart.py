"""Quart: the middleware around it, and around its ``asgi_app``.

A handler of Quart gets no request: it asks ``requires(...).check(request)``.
"""

from __future__ import annotations

import pytest

pytest.importorskip("quart", reason="platform: there is no Quart for this Python")

import contextlib

from quart import Quart, Response, request, websocket

from asgi_auth import AuthError, requires
from tests.frameworks.acceptance import ANN, Acceptance, AnswersLater
from tests.frameworks.driving import (
    REFUSALS,
    bearer,
    describe_scope,
    fetch,
    wrap,
)


def build(place: str, handlers=()):
    app = Quart("quart_app")

    @app.get("/whoami")
    async def whoami():
        return describe_scope(request.scope)

    @app.get("/guarded")
    async def guarded():
        requires().check(request)
        return await whoami()

    @app.get("/thread")
    def in_a_thread():
        requires().check(request)
        return describe_scope(request.scope)

    @app.get("/orders")
    async def orders():
        requires("orders:read").check(request)
        return await whoami()

    @app.get("/raises/<status>")
    async def raises(status):
        raise REFUSALS[status]

    @app.get("/crash")
    async def crash():
        raise ValueError("a bug of the application")

    @app.get("/caught")
    async def caught():
        with contextlib.suppress(AuthError):
            requires("nobody:has").check(request)

        raise ValueError("a bug of the application")

    @app.get("/stream")
    async def stream():
        async def chunks():
            yield b"begun"
            raise AuthError("refused after the response has begun")

        return Response(chunks())

    async def tell():
        await websocket.accept()
        await websocket.send_json(describe_scope(websocket.scope))
        await websocket.receive()

    @app.websocket("/ws")
    async def chat():
        await tell()

    @app.websocket("/ws/guarded")
    async def guarded_chat():
        requires().check(websocket)
        await tell()

    @app.websocket("/ws/late")
    async def late():
        await websocket.accept()
        requires("nobody:has").check(websocket)

    for error, handler in handlers:
        app.register_error_handler(error, handler)

    if place == "around":
        return wrap(app)

    app.asgi_app = wrap(app.asgi_app)
    return app


@pytest.fixture(params=["around", "asgi_app"])
def app(request):
    return build(request.param)


class TestQuart(AnswersLater, Acceptance):
    guarded_paths = ("/guarded", "/thread")

    @pytest.fixture(params=["around", "asgi_app"])
    def app(self, request):
        return build(request.param)


@pytest.mark.parametrize("place", ["around", "asgi_app"])
async def test_a_handler_of_the_app_is_respected(place):
    async def answer(error):
        return {"own": error.code}, 418

    app = build(place, [(AuthError, answer)])
    response = await fetch(app, "/guarded")

    assert (response.status_code, response.json()) == (418, {"own": "unauthenticated"})


async def test_a_stream_that_fails_after_its_start_is_raised(app):
    with pytest.raises((AuthError, ExceptionGroup)):
        await fetch(app, "/stream")


async def test_quarts_own_client_sees_the_caller_and_the_refusal():
    client = build("asgi_app").test_client()
    passed = await client.get("/guarded", headers=bearer())
    refused = await client.get("/guarded")

    assert await passed.get_json() == ANN
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"

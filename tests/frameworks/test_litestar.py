"""Litestar: the middleware around it, and among its own."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("litestar", reason="platform: there is no Litestar for this Python")

import contextlib

from litestar import Litestar, Request, Response, WebSocket, get, websocket
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.testing import TestClient

from asgi_auth import AuthenticationMiddleware, AuthError, requires
from tests.frameworks.acceptance import ANN, Acceptance
from tests.frameworks.driving import (
    REFUSALS,
    assert_refused,
    bearer,
    describe,
    fetch,
    options,
    wrap,
)

PLACES = ["around", "inside"]


def tell(connection: ASGIConnection) -> dict[str, Any]:
    return describe(connection.user, connection.auth)


@get("/whoami")
async def whoami(request: Request) -> dict[str, Any]:
    return tell(request)


@get("/guarded")
@requires()
async def guarded(request: Request) -> dict[str, Any]:
    return tell(request)


@get("/thread", sync_to_thread=True)
@requires()
def in_a_thread(request: Request) -> dict[str, Any]:
    return tell(request)


@get("/inline", sync_to_thread=False)
@requires()
def inline(request: Request) -> dict[str, Any]:
    return tell(request)


@get("/orders")
@requires("orders:read")
async def orders(request: Request) -> dict[str, Any]:
    return tell(request)


async def orders_guard(connection: ASGIConnection, _: BaseRouteHandler) -> None:
    requires("orders:read").check(connection)


@get("/own-guard", guards=[orders_guard])
async def own_guard(request: Request) -> dict[str, Any]:
    return tell(request)


@get(["/raises/401", "/raises/403"])
async def raises(request: Request) -> None:
    raise REFUSALS[request.url.path[-3:]]


@get("/crash")
async def crash() -> None:
    raise ValueError("a bug of the application")


@get("/caught")
async def caught(request: Request) -> None:
    with contextlib.suppress(AuthError):
        requires("nobody:has").check(request)

    raise ValueError("a bug of the application")


async def greet(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json(tell(socket))
    await socket.receive_data("text")


@websocket("/ws")
async def chat(socket: WebSocket) -> None:
    await greet(socket)


@websocket("/ws/guarded")
@requires()
async def guarded_chat(socket: WebSocket) -> None:
    await greet(socket)


@websocket("/ws/late")
async def late(socket: WebSocket) -> None:
    await socket.accept()
    requires("nobody:has").check(socket)


HANDLERS = [
    whoami,
    guarded,
    in_a_thread,
    inline,
    orders,
    own_guard,
    raises,
    crash,
    caught,
    chat,
    guarded_chat,
    late,
]


def build(place: str, **changes):
    ours = [DefineMiddleware(AuthenticationMiddleware, **options())]
    inside = ours if place == "inside" else []
    app = Litestar(
        HANDLERS, middleware=inside, openapi_config=None, logging_config=None, **changes
    )
    return wrap(app) if place == "around" else app


@pytest.fixture(params=PLACES)
def app(request):
    return build(request.param)


class TestLitestar(Acceptance):
    guarded_paths = ("/guarded", "/thread", "/inline")

    @pytest.fixture(params=PLACES)
    def app(self, request):
        return build(request.param)


async def test_our_requirement_serves_as_a_guard_of_litestar(app):
    passed = await fetch(app, "/own-guard", headers=bearer("orders:read"))
    refused = await fetch(app, "/own-guard")

    assert passed.json() == ANN
    assert_refused(refused, 401, "unauthenticated", "Bearer")


@pytest.mark.parametrize("place", PLACES)
async def test_a_handler_of_the_app_is_respected(place):
    def answer(request: Request, error: AuthError) -> Response:
        return Response({"own": error.code}, status_code=418)

    app = build(place, exception_handlers={AuthError: answer})
    response = await fetch(app, "/guarded")

    assert (response.status_code, response.json()) == (418, {"own": "unauthenticated"})


def test_two_test_clients_in_a_row_use_one_app(app):
    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/guarded", headers=bearer()).json() == ANN
            assert client.get("/guarded").status_code == 401

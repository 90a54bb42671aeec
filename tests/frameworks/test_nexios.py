"""Nexios: the middleware around it, and as its own ``wrap_asgi`` puts it in."""

from __future__ import annotations

import gc

import pytest

pytest.importorskip("nexios", reason="platform: there is no Nexios for this Python")

import contextlib

from nexios import NexiosApp
from nexios.testclient import TestClient

from asgi_auth import AuthenticationMiddleware, AuthError, requires
from tests.frameworks.acceptance import ANN, Acceptance, AnswersLater
from tests.frameworks.driving import (
    REFUSALS,
    assert_refused,
    bearer,
    describe,
    describe_scope,
    fetch,
    options,
    wrap,
)


async def whoami(request, response):
    return response.json(describe_scope(request.scope))


async def own_words(request, response):
    return response.json(describe(request.user, request.scope["auth"]))


async def raises(request, response, status):
    raise REFUSALS[status]


async def crash(request, response):
    raise ValueError("a bug of the application")


async def caught(request, response):
    with contextlib.suppress(AuthError):
        requires("nobody:has").check(request)

    raise ValueError("a bug of the application")


async def chat(websocket):
    await websocket.accept()
    await websocket.send_json(describe_scope(websocket.scope))
    await websocket.receive()


async def late(websocket):
    await websocket.accept()
    requires("nobody:has").check(websocket)


def build(place: str, handlers=()):
    app = NexiosApp()
    app.get("/whoami")(whoami)
    app.get("/own-words")(own_words)
    app.get("/guarded")(requires()(whoami))
    app.get("/orders")(requires("orders:read")(whoami))
    app.get("/raises/{status}")(raises)
    app.get("/crash")(crash)
    app.get("/caught")(caught)
    app.ws_route("/ws")(chat)
    app.ws_route("/ws/guarded")(requires()(chat))
    app.ws_route("/ws/late")(late)
    for error, handler in handlers:
        app.add_exception_handler(error, handler)

    if place == "around":
        return wrap(app)

    app.wrap_asgi(AuthenticationMiddleware, **options())
    return app


@pytest.fixture(params=["around", "wrap_asgi"])
def app(request):
    return build(request.param)


class TestAround(AnswersLater, Acceptance):
    @pytest.fixture
    def app(self):
        return build("around")


class TestWrapAsgi(Acceptance):
    @pytest.fixture
    def app(self):
        return build("wrap_asgi")


async def test_request_user_is_the_applications_own_user(app):
    assert (await fetch(app, "/own-words", headers=bearer())).json() == ANN


async def say_what_it_is(request, response, error):
    return response.json({"own": error.code}, status_code=418)


async def test_a_handler_of_the_app_is_respected_below_the_middleware():
    app = build("around", [(AuthError, say_what_it_is)])
    response = await fetch(app, "/guarded")

    assert (response.status_code, response.json()) == (418, {"own": "unauthenticated"})


async def test_wrap_asgi_stands_below_the_handlers_of_the_app_and_answers_first():
    app = build("wrap_asgi", [(AuthError, say_what_it_is)])
    response = await fetch(app, "/guarded")

    assert_refused(response, 401, "unauthenticated", "Bearer")


# The client leaves streams of its own open.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_two_test_clients_in_a_row_use_one_app(app):
    for _ in range(2):
        with TestClient(app) as client:
            assert client.get("/guarded", headers=bearer()).json() == ANN
            assert client.get("/guarded").status_code == 401

    del client
    gc.collect()

"""Falcon's ASGI side, with the middleware around it."""

from __future__ import annotations

import pytest

pytest.importorskip("falcon", reason="platform: there is no Falcon for this Python")

import contextlib

import falcon
import falcon.asgi
import falcon.testing

from asgi_auth import AuthError, requires
from tests.frameworks.acceptance import ANN, Acceptance, AnswersLater
from tests.frameworks.driving import REFUSALS, bearer, describe_scope, fetch, wrap


class WhoAmI:
    async def on_get(self, req, resp):
        resp.media = describe_scope(req.scope)

    async def on_websocket(self, req, ws):
        await ws.accept()
        await ws.send_media(describe_scope(req.scope))
        await ws.receive_text()


class Guarded(WhoAmI):
    @requires()
    async def on_get(self, req, resp):
        await super().on_get(req, resp)

    @requires()
    async def on_websocket(self, req, ws):
        await super().on_websocket(req, ws)


class Orders(WhoAmI):
    @requires("orders:read")
    async def on_get(self, req, resp):
        await super().on_get(req, resp)


class Raises:
    async def on_get(self, req, resp, status):
        raise REFUSALS[status]


class Crash:
    async def on_get(self, req, resp):
        raise ValueError("a bug of the application")


class Caught(Crash):
    async def on_get(self, req, resp):
        with contextlib.suppress(AuthError):
            requires("nobody:has").check(req)

        await super().on_get(req, resp)


class Late:
    async def on_websocket(self, req, ws):
        await ws.accept()
        requires("nobody:has").check(req)


def build():
    app = falcon.asgi.App()
    app.ws_options.media_handlers[falcon.WebSocketPayloadType.TEXT] = (
        falcon.media.JSONHandlerWS()
    )
    app.add_route("/whoami", WhoAmI())
    app.add_route("/guarded", Guarded())
    app.add_route("/orders", Orders())
    app.add_route("/raises/{status}", Raises())
    app.add_route("/crash", Crash())
    app.add_route("/caught", Caught())
    app.add_route("/ws", WhoAmI())
    app.add_route("/ws/guarded", Guarded())
    app.add_route("/ws/late", Late())
    return app


class TestFalcon(AnswersLater, Acceptance):
    @pytest.fixture
    def app(self):
        return wrap(build())


async def test_a_handler_of_the_app_is_respected():
    async def answer(req, resp, error, params, ws=None):
        resp.status = 418
        resp.media = {"own": error.code}

    app = build()
    app.add_error_handler(AuthError, answer)
    response = await fetch(wrap(app), "/guarded")

    assert (response.status_code, response.json()) == (418, {"own": "unauthenticated"})


async def test_falcons_own_client_sees_the_caller_and_the_refusal():
    conductor = falcon.testing.ASGIConductor(wrap(build()))
    passed = await conductor.simulate_get("/guarded", headers=bearer())
    refused = await conductor.simulate_get("/guarded")

    assert passed.json == ANN
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == "Bearer"

"""BlackSheep, which starts itself on the first request where no lifespan comes."""

from __future__ import annotations

import pytest

pytest.importorskip(
    "blacksheep", reason="platform: there is no BlackSheep for this Python"
)

import contextlib

from blacksheep import Application, Request, Router, WebSocket, json

from asgi_auth import AuthError, requires
from tests.frameworks.acceptance import Acceptance, AnswersLater
from tests.frameworks.driving import REFUSALS, bearer, describe_scope, fetch, wrap


async def whoami(request: Request):
    return json(describe_scope(request.scope))


@requires()
async def guarded(request: Request):
    return json(describe_scope(request.scope))


@requires()
def guarded_sync(request: Request):
    return json(describe_scope(request.scope))


@requires("orders:read")
async def orders(request: Request):
    return json(describe_scope(request.scope))


async def raises(status: str):
    raise REFUSALS[status]


async def crash():
    raise ValueError("a bug of the application")


async def caught(request: Request):
    with contextlib.suppress(AuthError):
        requires("nobody:has").check(request)

    raise ValueError("a bug of the application")


async def chat(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_json(describe_scope(websocket.scope))
    await websocket.receive()


async def guarded_chat(websocket: WebSocket):
    requires().check(websocket)
    await chat(websocket)


async def late(websocket: WebSocket):
    await websocket.accept()
    requires("nobody:has").check(websocket)


def build():
    app = Application(router=Router())
    for path, handler in {
        "/whoami": whoami,
        "/guarded": guarded,
        "/sync": guarded_sync,
        "/orders": orders,
        "/raises/{status}": raises,
        "/crash": crash,
        "/caught": caught,
    }.items():
        app.router.add_get(path, handler)

    app.router.add_ws("/ws", chat)
    app.router.add_ws("/ws/guarded", guarded_chat)
    app.router.add_ws("/ws/late", late)
    return app


class TestBlackSheep(AnswersLater, Acceptance):
    guarded_paths = ("/guarded", "/sync")

    @pytest.fixture
    def app(self):
        return wrap(build())


async def test_a_handler_of_the_app_is_respected():
    app = build()

    @app.exception_handler(AuthError)
    async def answer(self, request: Request, error: AuthError):
        return json({"own": error.code}, status=418)

    response = await fetch(wrap(app), "/guarded")

    assert (response.status_code, response.json()) == (418, {"own": "unauthenticated"})


async def test_a_middleware_around_a_mounted_app_serves_that_mount_alone():
    parent = Application(router=Router())
    parent.router.add_get("/", lambda: json("home"))
    parent.mount("/api", wrap(build(), required=True))

    assert (await fetch(parent, "/")).json() == "home"
    assert (await fetch(parent, "/api/whoami")).status_code == 401
    assert (await fetch(parent, "/api/whoami", headers=bearer())).status_code == 200

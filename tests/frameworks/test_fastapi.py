"""FastAPI: guards on handlers and in dependencies, sync and async, of every kind."""

from __future__ import annotations

import contextlib
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse
from fastapi.testclient import TestClient
from starlette.authentication import requires as starlette_requires
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import HTTPConnection

from asgi_auth import (
    AuthenticationError,
    AuthenticationMiddleware,
    AuthError,
    Principal,
    get_principal,
    requires,
)
from tests.frameworks.acceptance import ANN, Acceptance
from tests.frameworks.driving import (
    ORDERS,
    REFUSALS,
    assert_refused,
    bearer,
    describe,
    fetch,
    options,
    socket_scope,
    talk,
    types_of,
    wrap,
)

PLACES = [
    "around",
    "inside",
    "around, with a base middleware between",
    "inside, with a base middleware between",
]


def sync_caller(request: Request) -> Principal:
    return requires().check(request)


async def async_caller(connection: HTTPConnection) -> Principal:
    return requires().check(connection)


async def yielding_caller(request: Request):
    yield requires().check(request)


class CallableCaller:
    async def __call__(self, request: Request) -> Principal:
        return requires().check(request)


def nested_caller(
    caller: Annotated[Principal, Depends(async_caller)],
    again: Annotated[Principal, Depends(sync_caller)],
) -> Principal:
    assert caller is again
    return caller


CALLERS = {
    "sync": sync_caller,
    "async": async_caller,
    "yielding": yielding_caller,
    "callable": CallableCaller(),
    "nested": nested_caller,
}


async def pass_on(request, call_next):
    return await call_next(request)


def tell(request) -> dict:
    return describe(request.user, request.auth)


def add_routes(app) -> None:
    @app.get("/whoami")
    async def whoami(request: Request):
        return tell(request)

    @app.get("/guarded")
    @requires()
    async def guarded(request: Request):
        return tell(request)

    @app.get("/thread")
    @requires()
    def in_a_thread(request: Request):
        return tell(request)

    @app.get("/orders")
    @requires("orders:read")
    async def orders(request: Request, page: int = 1):
        return {**tell(request), "page": page}

    @app.get("/starlette")
    @starlette_requires("authenticated")
    @requires("orders:read")
    @starlette_requires("notes")
    async def starlette(request: Request):
        return tell(request)

    for name, caller in CALLERS.items():
        # A default, as an annotation could not name what is local.
        def answer(caller: Principal = Depends(caller)):  # noqa: B008
            return {"subject": caller.subject}

        app.get(f"/depends/{name}")(answer)

    guarded_router = APIRouter(dependencies=[Depends(orders_only)])
    guarded_router.get("/depends/router")(lambda: {"subject": "ann"})
    app.include_router(guarded_router)

    @app.get("/raises/{status}")
    async def raises(status: str):
        raise REFUSALS[status]

    @app.get("/crash")
    async def crash():
        raise ValueError("a bug of the application")

    @app.get("/caught")
    async def caught(request: Request):
        with contextlib.suppress(AuthError):
            requires("nobody:has").check(request)

        raise ValueError("a bug of the application")

    @app.get("/stream")
    async def stream(request: Request):
        async def chunks():
            yield b"begun"
            requires().check(request)

        return StreamingResponse(chunks())

    @app.websocket("/ws")
    async def chat(websocket: WebSocket):
        await websocket.accept()
        await websocket.send_json(describe(websocket.user, websocket.auth))
        await websocket.receive()

    @app.websocket("/ws/guarded")
    @requires()
    async def guarded_chat(websocket: WebSocket):
        await chat(websocket)

    @app.websocket("/ws/depends")
    async def chat_of(
        websocket: WebSocket, caller: Annotated[Principal, Depends(async_caller)]
    ):
        await websocket.accept()
        await websocket.send_text(caller.subject)

    @app.websocket("/ws/late")
    async def late(websocket: WebSocket):
        await websocket.accept()
        requires("nobody:has").check(websocket)


def orders_only(request: Request) -> None:
    requires("orders:read").check(request)


def build(place: str, **changes):
    app = FastAPI(**changes)
    add_routes(app)
    if place.endswith("between"):
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)

    if place.startswith("around"):
        return wrap(app)

    app.add_middleware(AuthenticationMiddleware, **options())
    return app


@pytest.fixture(params=PLACES)
def app(request):
    return build(request.param)


class TestFastAPI(Acceptance):
    guarded_paths = ("/guarded", "/thread")

    @pytest.fixture(params=PLACES)
    def app(self, request):
        return build(request.param)


@pytest.mark.parametrize("kind", CALLERS)
async def test_a_dependency_gives_the_caller_or_refuses(app, kind):
    passed = await fetch(app, f"/depends/{kind}", headers=bearer())
    refused = await fetch(app, f"/depends/{kind}")

    assert passed.json() == {"subject": "ann"}
    assert_refused(refused, 401, "unauthenticated", "Bearer")


async def test_a_dependency_of_a_router_guards_all_of_it(app):
    refused = await fetch(app, "/depends/router", headers=bearer())
    passed = await fetch(app, "/depends/router", headers=bearer("orders:read"))

    assert_refused(refused, 403, "insufficient_scope", ORDERS)
    assert passed.status_code == 200


async def test_a_guarded_handler_keeps_its_parameters(app):
    headers = bearer("orders:read")
    good = await fetch(app, "/orders?page=7", headers=headers)
    bad = await fetch(app, "/orders?page=x", headers=headers)

    assert good.json() == {**ANN, "page": 7}
    assert bad.status_code == 422


async def test_guards_of_starlette_and_ours_stack(app):
    both = await fetch(app, "/starlette", headers=bearer("orders:read", "notes"))
    ours = await fetch(app, "/starlette", headers=bearer("orders:read"))
    theirs = await fetch(app, "/starlette", headers=bearer("notes"))

    assert both.json() == ANN
    assert ours.status_code == 403
    assert_refused(theirs, 403, "insufficient_scope", ORDERS)


async def test_a_dependency_of_a_socket_refuses_before_accept(app):
    refused = await talk(app, socket_scope("/ws/depends"))
    passed = await talk(app, socket_scope("/ws/depends", bearer()))

    assert refused[0]["status"] == 401
    assert types_of(passed)[:2] == ["websocket.accept", "websocket.send"]


@pytest.mark.parametrize("place", PLACES)
async def test_a_refusal_after_the_response_has_begun_is_raised(place):
    with pytest.raises(AuthenticationError):
        await fetch(build(place), "/stream")


@pytest.mark.parametrize("place", PLACES)
async def test_a_handler_of_the_app_is_respected(place):
    app = build(place, exception_handlers={AuthError: say_what_it_is})
    for path in ("/guarded", "/depends/sync", "/depends/async"):
        response = await fetch(app, path)
        assert (response.status_code, response.json()) == (
            418,
            {"own": "unauthenticated"},
        )


async def say_what_it_is(request, error):
    return JSONResponse({"own": error.code}, status_code=418)


async def test_an_app_mounted_in_another_answers_once():
    inner = FastAPI()
    add_routes(inner)
    outer = FastAPI()
    outer.mount("/inner", inner)
    outer.add_middleware(AuthenticationMiddleware, **options())
    for app in (outer, wrap(outer)):
        response = await fetch(app, "/inner/guarded")
        assert_refused(response, 401, "unauthenticated", "Bearer")


def test_two_test_clients_in_a_row_use_one_app(app):
    for _ in range(2):
        client = TestClient(app)
        assert client.get("/depends/sync", headers=bearer()).status_code == 200
        assert client.get("/depends/sync").status_code == 401


async def test_the_schema_and_the_docs_are_reachable(app):
    assert "/orders" in (await fetch(app, "/openapi.json")).json()["paths"]


def test_get_principal_reads_what_the_request_holds():
    app = FastAPI()

    @app.get("/")
    def index(request: Request):
        return {"same": get_principal(request.scope) is request.auth}

    assert TestClient(wrap(app)).get("/").json() == {"same": True}

"""Starlette: the middleware around it, added to it, and inside of its mounts."""

from __future__ import annotations

import contextlib

import anyio
import pytest
from starlette.applications import Starlette
from starlette.authentication import requires as starlette_requires
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from asgi_auth import (
    AuthenticationError,
    AuthenticationMiddleware,
    AuthError,
    ScopePolicy,
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

PLACES = ["around", "inside", "around, with a base middleware between", "between"]


def whoami(request):
    return JSONResponse(describe(request.user, request.auth))


@requires()
async def guarded(request):
    return whoami(request)


@requires()
def guarded_in_a_thread(request):
    return whoami(request)


@requires("orders:read")
async def orders(request):
    return whoami(request)


class Endpoint(HTTPEndpoint):
    @requires()
    async def get(self, request):
        return whoami(request)


@starlette_requires("authenticated")
@requires("orders:read")
async def starlette_above(request):
    return whoami(request)


@requires("orders:read")
@starlette_requires("authenticated")
async def starlette_below(request):
    return whoami(request)


@starlette_requires(["authenticated", "notes"])
def starlette_alone(request):
    return JSONResponse(sorted(request.auth.scopes))


async def raises(request):
    raise REFUSALS[request.path_params["status"]]


async def crash(request):
    raise ValueError("a bug of the application")


async def caught(request):
    with contextlib.suppress(AuthError):
        requires("nobody:has").check(request)

    raise ValueError("a bug of the application")


async def in_a_task_group(request):
    async def check():
        requires().check(request)

    async with anyio.create_task_group() as group:
        group.start_soon(check)

    return whoami(request)


async def stream(request):
    async def chunks():
        yield b"begun"
        requires().check(request)

    return StreamingResponse(chunks())


async def background(request):
    return JSONResponse("done", background=BackgroundTask(requires().check, request))


async def chat(websocket):
    await websocket.accept()
    await websocket.send_json(describe(websocket.user, websocket.auth))
    await websocket.receive()


async def late(websocket):
    await websocket.accept()
    requires("nobody:has").check(websocket)


ROUTES = [
    Route("/whoami", whoami),
    Route("/guarded", guarded),
    Route("/thread", guarded_in_a_thread),
    Route("/endpoint", Endpoint),
    Route("/orders", orders),
    Route("/starlette/above", starlette_above),
    Route("/starlette/below", starlette_below),
    Route("/starlette/alone", starlette_alone),
    Route("/raises/{status}", raises),
    Route("/crash", crash),
    Route("/caught", caught),
    Route("/group", in_a_task_group),
    Route("/stream", stream),
    Route("/background", background),
    Mount("/mount", routes=[Route("/whoami", whoami)], middleware=[]),
    Mount("/area", app=requires("orders:read")(Starlette(routes=[Route("/", whoami)]))),
    WebSocketRoute("/ws", chat),
    WebSocketRoute("/ws/guarded", requires()(chat)),
    WebSocketRoute("/ws/late", late),
    WebSocketRoute("/ws/starlette", starlette_requires("orders:read")(chat)),
]


async def pass_on(request, call_next):
    response = await call_next(request)
    response.headers["x-framework"] = "seen"
    return response


def build(place: str, **changes):
    ours = Middleware(AuthenticationMiddleware, **options())
    base = Middleware(BaseHTTPMiddleware, dispatch=pass_on)
    inside = {"inside": [ours], "between": [base, ours, base]}.get(place, [])
    if place.endswith("base middleware between"):
        inside = [base]

    app = Starlette(routes=ROUTES, middleware=inside, **changes)
    return wrap(app) if place.startswith("around") else app


@pytest.fixture(params=PLACES)
def app(request):
    return build(request.param)


async def say_what_it_is(request, error):
    return JSONResponse({"own": error.code}, status_code=418)


def without_mark(response):
    """Take out what a base middleware outside of ours has added."""
    response.headers.pop("x-framework", None)
    return response


class TestStarlette(Acceptance):
    guarded_paths = ("/guarded", "/thread", "/endpoint", "/group")

    @pytest.fixture(params=[place for place in PLACES if place != "between"])
    def app(self, request):
        return build(request.param)


async def test_the_page_of_the_framework_is_gone_in_debug_mode_too():
    for place in PLACES[:3]:
        response = await fetch(build(place, debug=True), "/raises/401")

        assert_refused(response, 401, "unauthenticated", "Bearer")


async def test_between_two_base_middlewares_a_refusal_is_one(app):
    for path in ("/guarded", "/thread", "/group", "/raises/401"):
        response = without_mark(await fetch(app, path))
        assert_refused(response, 401, "unauthenticated", "Bearer")


async def test_starlettes_own_requires_works_on_our_principal(app):
    known = await fetch(app, "/starlette/alone", headers=bearer("notes"))
    without = await fetch(app, "/starlette/alone", headers=bearer("tasks"))
    unknown = await fetch(app, "/starlette/alone")

    assert known.json() == ["authenticated", "notes"]
    assert (without.status_code, unknown.status_code) == (403, 403)


async def test_starlettes_own_requires_works_on_sockets(app):
    passed = await talk(app, socket_scope("/ws/starlette", bearer("orders:read")))
    refused = await talk(app, socket_scope("/ws/starlette", bearer()))

    assert types_of(passed) == ["websocket.accept", "websocket.send"]
    assert types_of(refused) == ["websocket.close"]


@pytest.mark.parametrize("order", ["above", "below"])
async def test_our_guard_and_starlettes_stack_in_any_order(app, order):
    path = f"/starlette/{order}"
    passed = await fetch(app, path, headers=bearer("orders:read"))
    refused = await fetch(app, path, headers=bearer("notes"))
    unknown = await fetch(app, path)

    assert passed.json() == ANN
    assert_refused(without_mark(refused), 403, "insufficient_scope", ORDERS)
    # The outer guard answers: Starlette's own says 403 to everybody.
    assert unknown.status_code == (403 if order == "above" else 401)


async def test_a_guard_covers_a_whole_mount(app):
    refused = await fetch(app, "/area/", headers=bearer())
    missing = await fetch(app, "/area/nothing", headers=bearer())
    passed = await fetch(app, "/area/", headers=bearer("orders:read"))

    assert_refused(without_mark(refused), 403, "insufficient_scope", ORDERS)
    assert missing.status_code == 403
    assert passed.json() == ANN


async def test_a_middleware_inside_of_a_mount_serves_that_mount_alone():
    inner = wrap(
        Starlette(routes=ROUTES), required=True, public_paths=["/raises/*", "/group"]
    )
    app = Starlette(
        routes=[Mount("/api", app=inner), Route("/", lambda _: JSONResponse("home"))]
    )

    assert (await fetch(app, "/")).status_code == 200
    assert (await fetch(app, "/api/whoami", headers=bearer())).json() == ANN
    for path in ("/api/whoami", "/api/guarded", "/api/raises/401", "/api/group"):
        assert_refused(await fetch(app, path), 401, "unauthenticated", "Bearer")


@pytest.mark.parametrize("path", ["/stream", "/background"])
async def test_a_refusal_after_the_response_has_begun_is_raised(path):
    for place in ("around", "inside"):
        with pytest.raises(AuthenticationError):
            await fetch(build(place), path)

        assert (await fetch(build(place), path, headers=bearer())).status_code == 200


@pytest.mark.parametrize("handled", [AuthError, AuthenticationError])
@pytest.mark.parametrize("place", PLACES[:3])
async def test_a_handler_of_the_app_is_respected(place, handled):
    app = build(place, exception_handlers={handled: say_what_it_is})
    response = await fetch(app, "/guarded")

    assert (response.status_code, response.json()) == (418, {"own": "unauthenticated"})


async def test_a_handler_of_every_exception_is_asked_where_it_is_inside():
    handlers = {"exception_handlers": {Exception: say_what_it_is}}
    # Starlette raises what such a handler has answered all the same.
    around = await fetch(build("around", **handlers), "/guarded", let_out=False)
    inside = await fetch(build("inside", **handlers), "/guarded")

    assert (around.status_code, around.json()) == (418, {"own": "unauthenticated"})
    assert_refused(inside, 401, "unauthenticated", "Bearer")


async def test_a_handler_of_500_does_not_see_a_refusal_through():
    def answer(request, error):
        return JSONResponse({"own": "page"}, status_code=500)

    for place in PLACES[:3]:
        app = build(place, exception_handlers={500: answer})
        response = await fetch(app, "/guarded")
        assert_refused(response, 401, "unauthenticated", "Bearer")

        crashed = await fetch(app, "/crash", let_out=False)
        assert (crashed.status_code, crashed.json()) == (500, {"own": "page"})


async def test_a_shared_scope_shows_the_caller_to_the_handler_of_500():
    def answer(request, error):
        return JSONResponse({"of": request.auth.subject}, status_code=500)

    ours = Middleware(
        AuthenticationMiddleware, **options(scope_policy=ScopePolicy(share=True))
    )
    app = Starlette(routes=ROUTES, middleware=[ours], exception_handlers={500: answer})
    crashed = await fetch(app, "/crash", headers=bearer(), let_out=False)

    assert crashed.json() == {"of": "ann"}


async def test_cors_headers_reach_refusals_when_cors_stands_outside():
    cors = Middleware(
        CORSMiddleware, allow_origins=["https://app.example"], allow_headers=["*"]
    )
    ours = Middleware(AuthenticationMiddleware, **options())
    app = Starlette(routes=ROUTES, middleware=[cors, ours])

    origin = {"Origin": "https://app.example"}
    refused = await fetch(app, "/guarded", headers=origin)

    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"


async def test_a_refusal_survives_compression_on_either_side():
    zipped = Middleware(GZipMiddleware, minimum_size=1)
    ours = Middleware(AuthenticationMiddleware, **options())
    for order in ([zipped, ours], [ours, zipped]):
        response = await fetch(Starlette(routes=ROUTES, middleware=order), "/guarded")

        assert response.status_code == 401
        assert response.json()["code"] == "unauthenticated"


def test_two_test_clients_in_a_row_use_one_app(app):
    for _ in range(2):
        client = TestClient(app)
        assert client.get("/guarded", headers=bearer()).json() == ANN
        assert client.get("/guarded").status_code == 401

    with TestClient(app) as client:  # This one sends lifespan.
        assert client.get("/guarded", headers=bearer()).json() == ANN


def test_starlettes_client_sees_the_denial_and_the_close(app):
    client = TestClient(app)
    with (
        pytest.raises(WebSocketDenialResponse) as denied,
        client.websocket_connect("/ws/guarded"),
    ):
        pass

    assert denied.value.status_code == 401
    assert denied.value.headers["www-authenticate"] == "Bearer"

    with client.websocket_connect("/ws/late") as socket:
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_json()

        assert closed.value.code == 3000

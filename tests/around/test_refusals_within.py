"""Tools within an app that is wrapped from outside see refusals as what they are."""

from __future__ import annotations

from typing import Annotated

import pytest
from anyio import wait_all_tasks_blocked
from fastapi import Depends, FastAPI
from litestar import Litestar, get
from litestar.middleware import DefineMiddleware
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, generate_latest
from quart import Quart
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette_exporter import PrometheusMiddleware

from asgi_auth import (
    AuthenticationMiddleware,
    AuthError,
    ExpiredTokenError,
    JWTBackend,
    RefusalMiddleware,
    ScopePolicy,
    extend,
    get_principal,
    requires,
)
from asgi_auth.integrations import quart as quart_adapter
from tests import forge
from tests.asgi import bearer, converse, run

TOKEN = forge.token(scope="b")
OTHER = [bearer(TOKEN)]
GOOD = [bearer(forge.token(scope="a"))]
guard = requires("a")


@guard
async def page(request):
    return PlainTextResponse("a")


async def broken(request):
    raise ValueError("a bug")


async def raising(request):
    raise ExpiredTokenError


ROUTES = [
    Route("/", page, methods=["GET", "POST"]),
    Route("/broken", broken),
    Route("/raising", raising),
]


def around(app, **options):
    return AuthenticationMiddleware(app, JWTBackend(forge.verifier()), **options)


# ------------------------------------------------------------- the tools, for real


def with_starlette(tools):
    return Starlette(routes=ROUTES, middleware=[*tools, Middleware(RefusalMiddleware)])


def with_fastapi(tools):
    app = FastAPI()
    app.add_middleware(RefusalMiddleware)
    for tool in reversed(tools):
        app.add_middleware(tool.cls, **tool.kwargs)

    @app.get("/")
    async def page(principal: Annotated[None, Depends(by_request)]):
        return {}

    return app


async def by_request():
    guard.check()


def with_litestar(tools):
    @get("/", guards=[lambda connection, _: guard.check(connection.scope) and None])
    async def page() -> str:
        return "a"

    made = [DefineMiddleware(tool.cls, **tool.kwargs) for tool in tools]
    layers = [*made, DefineMiddleware(RefusalMiddleware)]
    return Litestar([page], middleware=layers, logging_config=None)


def with_quart(tools):
    app = Quart("quart_app")
    app.get("/")(quart_adapter.requires("a")(page))
    app.asgi_app = RefusalMiddleware(app.asgi_app)
    for tool in reversed(tools):
        app.asgi_app = tool.cls(app.asgi_app, **tool.kwargs)

    return app


APPS = [with_starlette, with_fastapi, with_litestar, with_quart]


@pytest.mark.parametrize("make", APPS[:2])
async def test_prometheus_counts_refusals_and_no_crashes(make):
    name = f"within_{make.__name__}"
    app = around(
        make([Middleware(PrometheusMiddleware, app_name=name)]),
        scope_policy=ScopePolicy(track_current=True),
    )
    assert (await run(app)).status == 401
    refused = await run(app, headers=OTHER)
    assert (refused.status, refused.json()["code"]) == (403, "insufficient_scope")
    assert b'scope="a"' in refused.all("www-authenticate")[0]

    counted = generate_latest(REGISTRY).decode().splitlines()
    ours = [line for line in counted if name in line and "requests_total{" in line]
    assert sorted(line.partition("status_code=")[2][1:4] for line in ours) == [
        "401",
        "403",
    ]


@pytest.mark.parametrize("make", APPS)
async def test_opentelemetry_sees_refusals_and_no_crashes(make):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = make([Middleware(OpenTelemetryMiddleware, tracer_provider=provider)])
    app = around(app, scope_policy=ScopePolicy(track_current=True))
    await run(app)
    await run(app, headers=OTHER)

    spans = exporter.get_finished_spans()
    told = [span for span in spans if "http.method" in span.attributes]
    assert [span.attributes["http.status_code"] for span in told] == [401, 403]
    assert all(span.status.is_unset or not span.events for span in spans)


# ------------------------------------------------------------ the application's words


async def own(request, error):
    return JSONResponse({"own": type(error).__name__}, 418)


@pytest.mark.parametrize(
    ("handled", "answer"),
    [
        (AuthError, (418, {"own": "AuthenticationError"})),
        (HTTPException, (401, None)),
        (Exception, (401, None)),
        (500, (401, None)),
    ],
)
async def test_handlers_of_the_app_come_first_where_they_are_for_refusals(
    handled, answer
):
    app = with_starlette([])
    app.add_exception_handler(handled, own)
    answered = await run(around(app))
    assert answered.status == answer[0]
    assert answered.json() == answer[1] or answered.json()["code"] == "unauthenticated"


async def test_a_crash_stays_one():
    app = around(with_starlette([]))
    sent = []
    with pytest.raises(ValueError, match="a bug"):
        await run(app, "/broken", headers=GOOD, sent=sent)

    assert sent[0]["status"] == 500
    assert (await run(app, headers=GOOD)).body == b"a"


async def test_what_a_handler_raises_itself_is_answered_and_seen():
    seen = []

    async def count(request, call_next):
        response = await call_next(request)
        seen.append(response.status_code)
        return response

    tools = [
        Middleware(GZipMiddleware, minimum_size=1),
        Middleware(BaseHTTPMiddleware, dispatch=count),
    ]
    app = around(with_starlette(tools))
    answers = [
        await run(app, "/raising", headers=[(b"accept-encoding", b"gzip")]),
        await run(app, "/", method="POST", body=b"x" * 70_000),
    ]
    assert [answer.status for answer in answers] == seen == [401, 401]
    assert answers[0].header("content-encoding") == "gzip"


@pytest.mark.parametrize("within", [guard, RefusalMiddleware])
async def test_the_body_of_what_is_refused_within_is_read_once(within):
    parts = [{"type": "http.request", "body": b"x" * 2**20, "more_body": True}] * 64
    left = [*parts]

    async def receive():
        return left.pop()

    sent = []

    async def send(message):
        sent.append(message)

    async def refusing(scope, receive, send):
        guard.check(scope)

    app = around(within(refusing))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [],
        "query_string": b"",
    }
    await app(scope, receive, send)
    assert sent[0]["status"] == 401
    assert len(parts) - len(left) == 8  # MiB


@pytest.mark.parametrize("denial", [True, False, None])
async def test_a_refusal_is_told_once(denial, caplog):
    caplog.set_level("DEBUG", "asgi_auth")
    events = []

    async def app(scope, receive, send):
        guard.check(scope)

    async def hear(event):
        events.append(event)

    app = around(RefusalMiddleware(RefusalMiddleware(app)), on_event=hear)
    if denial is None:
        await run(app, headers=OTHER)
    else:
        await converse(app, headers=OTHER, denial=denial)

    await wait_all_tasks_blocked()
    assert [(event.name, event.subject) for event in events] == [
        ("request.refused", "ada")
    ]
    lines = [r for r in caplog.records if "insufficient_scope" in r.getMessage()]
    assert len(lines) == 1


async def test_a_refusal_that_comes_too_late_is_raised():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ExpiredTokenError

    with pytest.raises(ExpiredTokenError):
        await run(around(RefusalMiddleware(app)))


async def test_a_refusal_that_is_swallowed_is_answered_within():
    seen = []

    async def swallowing(scope, receive, send):
        try:
            guard.check(scope)
        except AuthError:
            return

    async def tool(scope, receive, send):
        async def noted(message):
            seen.append(message.get("status"))
            await send(message)

        await RefusalMiddleware(swallowing)(scope, receive, noted)

    assert (await run(around(tool))).status == 401
    assert seen == [401, None]


@pytest.mark.parametrize("kind", ["http", "lifespan", "websocket"])
async def test_without_the_middleware_nothing_is_done(kind):
    async def app(scope, receive, send):
        assert send is print
        return scope["type"]

    assert await RefusalMiddleware(app)({"type": kind}, None, print) == kind


# ------------------------------------------------------------------------ WebSockets


@guard
async def talk(socket):
    await socket.accept()
    await socket.send_text("hello")
    await socket.receive_text()
    await socket.close()


SOCKETS = [WebSocketRoute("/", talk)]


@pytest.mark.parametrize("denial", [True, False])
async def test_a_refused_socket_is_seen_as_one(denial):
    seen = []

    class Tool:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            async def noted(message):
                seen.append(message)
                await send(message)

            await self.app(scope, receive, noted)

    tools = [Middleware(Tool), Middleware(RefusalMiddleware)]
    app = around(Starlette(routes=SOCKETS, middleware=tools))
    sent = await converse(app, denial=denial)
    assert sent == seen
    assert sent[0].get("status") == (401 if denial else None)
    assert sent[0].get("code") == (None if denial else 3000)
    served = await converse(
        app, headers=GOOD, incoming=[{"type": "websocket.receive", "text": "x"}]
    )
    assert [message["type"] for message in served] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]


async def test_guards_of_a_socket_are_asked_again_about_a_new_token():
    """They stand in what the lifetime asks, whatever is between."""
    failed = []

    async def app(scope, receive, send):
        guard.check(scope)
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await extend(scope, TOKEN.decode())
        except AuthError as error:
            failed.append(error.code)

        assert "a" in get_principal(scope).scopes
        await send({"type": "websocket.close"})

    await converse(around(RefusalMiddleware(app)), headers=GOOD)
    assert failed == ["insufficient_scope"]


async def test_a_socket_that_is_refused_after_its_start_is_closed():
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})
        raise ExpiredTokenError

    sent = await converse(around(RefusalMiddleware(app)))
    assert sent[1:] == [
        {"type": "websocket.close", "code": 3000, "reason": "token_expired"}
    ]

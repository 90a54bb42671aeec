"""Litestar: the example, and guards at every layer that Litestar has."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

pytest.importorskip("litestar", reason="platform: there is no Litestar for this Python")

from litestar import Controller, Litestar, Request, Router, asgi, get, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.cors import CORSConfig
from litestar.connection import WebSocket
from litestar.di import NamedDependency, Provide
from litestar.logging import LoggingConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components
from litestar.response import Response, Stream

from asgi_auth import (
    AuthError,
    ConfigurationError,
    ExpiredTokenError,
    Principal,
)
from asgi_auth.integrations.litestar import (
    current_principal,
    current_user,
    install,
    requires,
)
from tests.asgi import run
from tests.integrations.acceptance import (
    ANN,
    GUARDED,
    UNKNOWN,
    AcceptanceSuite,
    OwnHandlers,
    Uninstalled,
    assert_denied,
    assert_refused,
    client_of,
    talk,
)
from tests.integrations.apps import litestar as example
from tests.integrations.services import Services, User, bearer


def create_app(services, **options) -> Litestar:
    # Litestar's own configuration would take the root logger from pytest.
    return example.create_app(services, **{"logging_config": None, **options})


async def fetch(app, path, *, let_out=True, **request):
    async with client_of(app, let_out=let_out) as client:
        return await client.get(path, **request)


@pytest.fixture
def services():
    services = Services()
    anyio.run(services.add_user)
    return services


class TestLitestar(AcceptanceSuite, OwnHandlers, Uninstalled):
    create_app = staticmethod(create_app)

    @pytest.mark.parametrize("path", GUARDED)
    async def test_a_guard_without_the_middleware_says_what_to_add(
        self, services, path
    ):
        app = create_app(services, installed=False, debug=True)
        response = await fetch(app, path, headers=services.caller())

        # Litestar shows bugs in debug mode only.
        assert response.status_code == 500
        assert "install(app, backend)" in response.text


# --------------------------------------------------------------------- the layers


@get("/layer")
async def layer(request: Request) -> dict[str, Any]:
    return {"user": request.user.id, "subject": request.auth.subject}


@websocket("/socket")
async def socket_layer(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_json({"user": socket.user.id})
    await socket.send_text(await socket.receive_text())


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("the guard has let somebody through")


class Shelf(Controller):
    guards = (requires("orders:read"),)

    @get("/shelf")
    async def shelf(self, request: Request) -> dict[str, Any]:
        return {"user": request.user.id}

    @get("/shelf/top", guards=[requires(roles="admin")])
    async def top(self, request: Request) -> dict[str, Any]:
        return {"user": request.user.id}


def layered(services, handlers, **options) -> Litestar:
    app = Litestar(handlers, **{"logging_config": None, **options})
    install(app, services.backend, load_user=services.load_user)
    return app


async def test_a_controller_guards_its_handlers_and_adds_to_their_guards(services):
    app = layered(services, [Shelf])

    async def ask(path, *scopes, roles=()):
        headers = services.caller(*scopes, roles=roles)
        return (await fetch(app, path, headers=headers)).status_code

    assert await ask("/shelf") == 403
    assert await ask("/shelf", "orders:read") == 200
    assert await ask("/shelf/top", "orders:read") == 403
    assert await ask("/shelf/top", roles=["admin"]) == 403
    assert await ask("/shelf/top", "orders:read", roles=["admin"]) == 200


@pytest.mark.parametrize("where", ["router", "app"])
async def test_a_router_and_an_app_guard_requests_and_sockets(services, where):
    handlers = [layer, socket_layer]
    if where == "router":
        app = layered(
            services, [Router("/", route_handlers=handlers, guards=[requires()])]
        )
    else:
        app = layered(services, handlers, guards=[requires()])

    passed = await fetch(app, "/layer", headers=services.caller())
    assert passed.json() == {"user": "ann", "subject": "ann"}
    assert_refused(await fetch(app, "/layer"), 401, "unauthenticated", UNKNOWN)


async def test_a_mounted_app_has_guards(services):
    mount = asgi("/mount", is_mount=True, copy_scope=True, guards=[requires()])(mounted)
    response = await fetch(layered(services, [mount]), "/mount/deep")

    assert_refused(response, 401, "unauthenticated", UNKNOWN)


async def test_an_async_policy_is_waited_for(services):
    async def only_bob(principal, _):
        return principal.subject == "bob"

    @get("/policy", guards=[requires(policy=only_bob)])
    async def guarded() -> None: ...

    headers = services.caller()
    response = await fetch(layered(services, [guarded]), "/policy", headers=headers)

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


# -------------------------------------------------------------------- who is calling


async def test_users_and_principals_are_dependencies(services):
    @get("/me")
    async def me(
        user: NamedDependency[User], principal: NamedDependency[Principal]
    ) -> dict[str, Any]:
        return {"user": user.id, "subject": principal.subject}

    dependencies = {
        "user": Provide(current_user, sync_to_thread=False),
        "principal": Provide(current_principal, sync_to_thread=False),
    }
    app = layered(services, [me], dependencies=dependencies)

    known = await fetch(app, "/me", headers=services.caller())
    assert known.json() == {"user": "ann", "subject": "ann"}
    assert_refused(await fetch(app, "/me"), 401, "unauthenticated", UNKNOWN)


async def test_hooks_of_the_application_see_what_handlers_leave_in_the_scope(services):
    seen = []

    @get("/leave")
    async def leave(request: Request) -> None:
        request.scope["left"] = request.user.id

    async def look(message, scope):
        seen.append(scope.get("left"))

    app = layered(services, [leave], before_send=[look])
    await fetch(app, "/leave", headers=services.caller())

    assert seen == ["ann", "ann"]


# -------------------------------------------------------------------------- refusals


async def test_an_error_raised_by_a_handler_is_a_refusal(services):
    @get("/raises", sync_to_thread=False)
    def raises() -> None:
        raise ExpiredTokenError

    response = await fetch(layered(services, [raises]), "/raises")

    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, response.json()["code"]) == (401, "token_expired")


async def test_a_handler_for_one_of_our_errors_answers_that_one(services):
    def answer(request: Request, error: AuthError) -> Any:
        return example.answer(request, error)

    app = layered(
        services,
        [get("/private", guards=[requires()])(layer.fn)],
        exception_handlers={ExpiredTokenError: answer},
    )
    old = {"Cookie": f"access={services.expired_token()}"}

    assert (await fetch(app, "/private", headers=old)).json() == {
        "own": "token_expired"
    }
    assert_refused(await fetch(app, "/private"), 401, "unauthenticated", UNKNOWN)


@pytest.mark.parametrize("debug", [False, True])
async def test_refusals_are_not_logged_and_bugs_are(services, debug):
    logged = []
    config = LoggingConfig(
        log_exceptions="always",
        configure_root_logger=False,
        exception_logging_handler=lambda *told: logged.append(told),
    )
    app = create_app(services, logging_config=config, debug=debug)

    await fetch(app, "/private")
    await fetch(app, "/admin", headers=services.caller())
    assert not logged
    await fetch(app, "/crash", let_out=False)
    assert len(logged) == 1


async def test_a_refusal_has_the_headers_of_cors(services):
    cors = CORSConfig(allow_origins=["https://web.example"])
    app = create_app(services, cors_config=cors)
    origin = {"Origin": "https://web.example"}

    for headers in ({}, bearer(services.forged_token())):
        response = await fetch(app, "/private", headers={**origin, **headers})
        assert response.status_code == 401
        allowed = response.headers["access-control-allow-origin"]
        assert allowed == "https://web.example"


async def test_cors_is_found_below_what_traces(services):
    class Tracing:
        """Stands where Litestar puts OpenTelemetry: outside of CORS."""

        def __init__(self, app) -> None:
            self.app = app

        async def __call__(self, scope, receive, send) -> None:
            await self.app(scope, receive, send)

    cors = CORSConfig(allow_origins=["https://web.example"])
    app = Litestar([layer], cors_config=cors, logging_config=None)
    app.asgi_handler = Tracing(app.asgi_handler)
    install(app, services.backend)
    headers = {"Origin": "https://web.example", **bearer(services.forged_token())}

    response = await fetch(app, "/layer", headers=headers)
    assert "access-control-allow-origin" in response.headers
    with pytest.raises(ConfigurationError, match="once only"):
        install(app, services.backend)


async def test_a_stream_that_fails_after_its_start_is_raised(services):
    async def chunks():
        yield b"begun"
        raise AuthError("refused after the response has begun")

    @get("/stream")
    async def stream() -> Stream:
        return Stream(chunks())

    with pytest.raises(Exception, match="after response started"):
        await fetch(layered(services, [stream]), "/stream")


async def test_a_background_task_knows_the_caller(services):
    done = []

    async def note(request: Request) -> None:
        done.append((request.user.id, current_principal(request.scope).subject))

    @get("/later", guards=[requires()])
    async def later(request: Request) -> Response[str]:
        return Response("ok", background=BackgroundTask(note, request))

    app = layered(services, [later])
    assert (await fetch(app, "/later")).status_code == 401
    assert done == []
    assert (await fetch(app, "/later", headers=services.caller())).text == "ok"
    assert done == [("ann", "ann")]


async def test_required_covers_what_litestar_itself_answers(services):
    app = Litestar([layer], logging_config=None)
    install(app, services.backend, required=True, public_paths=["/schema/*"])

    for path in ("/nowhere", "/layer"):
        assert (await fetch(app, path)).status_code == 401

    known = services.caller()
    assert (await fetch(app, "/nowhere", headers=known)).status_code == 404
    assert (await fetch(app, "/schema/openapi.json")).status_code == 200


@pytest.mark.parametrize("path", ["/docs/api/layer", "/docsapi/layer", "/docs/x/api"])
async def test_no_path_is_public_here_and_another_one_for_litestar(services, path):
    app = Litestar([layer], logging_config=None)
    public = ["/docs/*", "/docsapi/*"]
    install(app, services.backend, required=True, public_paths=public)

    expected = 401 if "/api" in path else 404
    assert (await run(app, path, root_path="/api")).status == expected
    for rooted in ("/layer", "/api/layer"):
        assert (await run(app, rooted, root_path="/api")).status == 401


async def test_an_unguarded_socket_may_refuse_after_it_has_accepted(services):
    @websocket("/ws")
    async def late(socket: WebSocket) -> None:
        await socket.accept()
        current_user(socket.scope)

    sent = await talk(layered(services, [late]))

    assert [message["type"] for message in sent] == [
        "websocket.accept",
        "websocket.close",
    ]
    assert (sent[1]["code"], sent[1]["reason"]) == (3000, "unauthenticated")


async def test_a_socket_of_a_guarded_router_is_refused_before_it_is_accepted(services):
    ws = websocket("/ws", guards=[requires()])(socket_layer.fn)

    assert_denied(await talk(layered(services, [ws])), UNKNOWN)


# --------------------------------------------------------------------------- install


def test_installing_twice_is_an_error(services):
    for cors in (None, CORSConfig()):
        app = create_app(services, cors_config=cors)
        with pytest.raises(ConfigurationError, match="once only"):
            install(app, services.backend)


def test_options_that_do_not_fit_are_errors_at_once(services):
    app = Litestar([], logging_config=None)
    with pytest.raises(ConfigurationError):
        install(app, services.backend, public_paths=["perhaps"])


async def test_a_route_that_is_registered_later_is_guarded_too(services):
    app = create_app(services)
    app.register(get("/later", guards=[requires()])(layer.fn))

    assert (await fetch(app, "/later")).status_code == 401
    assert (await fetch(app, "/private", headers=services.caller())).json() == ANN


# --------------------------------------------------------------------------- OpenAPI


async def document(app) -> dict[str, Any]:
    return (await fetch(app, "/schema/openapi.json")).json()


async def test_the_document_says_how_to_authenticate(services):
    schemes = (await document(create_app(services)))["components"]["securitySchemes"]

    password = {"tokenUrl": "/auth/login", "scopes": {"orders:read": ""}}
    assert schemes["password"] == {"type": "oauth2", "flows": {"password": password}}
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["cookie"] == {"type": "apiKey", "name": "access", "in": "cookie"}
    assert set(schemes) == {"password", "bearer", "cookie"}


async def test_the_document_says_what_guards_want(services):
    @get("/own", guards=[requires()], security=[{"own": []}])
    async def own() -> None: ...

    any_of = requires("a", "b", any=True)
    one_of = get("/any", guards=[any_of])(layer.fn)
    paths = (await document(create_app(services, handlers=[own, one_of])))["paths"]

    def needed(path):
        return paths[path]["get"].get("security")

    def each(*scopes):
        return [{name: [*scopes]} for name in ("password", "bearer", "cookie")]

    assert needed("/public") is None
    assert needed("/private") == each()
    assert needed("/orders") == needed("/transfer") == each("orders:read")
    assert needed("/any") == each()
    assert needed("/own") == [{"own": []}]


@pytest.mark.parametrize("given", [Components(), [Components()]])
async def test_the_document_keeps_the_components_it_has(services, given):
    config = OpenAPIConfig(title="Shop", version="1", components=given)
    app = create_app(services, openapi_config=config)

    assert "bearer" in (await document(app))["components"]["securitySchemes"]


async def test_an_app_without_a_document_is_installed_all_the_same(services):
    app = create_app(services, openapi_config=None)

    assert (await fetch(app, "/private", headers=services.caller())).json() == ANN

"""Starlette: the promises, and what its own parts make of them."""

from __future__ import annotations

import inspect
import json
import typing
from typing import Annotated

import anyio
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse

from asgi_auth import (
    AsgiAuthError,
    AuthenticationError,
    AuthenticationMiddleware,
    AuthError,
    BearerHeader,
    ConfigurationError,
    ExpiredTokenError,
    JWTBackend,
    QueryParam,
)
from asgi_auth.integrations._common import MiddlewareOptions
from asgi_auth.integrations.starlette import (
    Depends,
    current_principal,
    current_user,
    get_current_user,
    inject,
    install,
    optional_user,
    requires,
)
from tests.integrations.acceptance import (
    NO_SCOPE,
    UNKNOWN,
    AcceptanceSuite,
    OwnHandlers,
    Suite,
    Uninstalled,
    assert_refused,
    assert_served,
    client_of,
    log_in,
    talk,
)
from tests.integrations.apps.starlette import create_app
from tests.integrations.services import Services, User, bearer


class TestStarlette(AcceptanceSuite, OwnHandlers, Uninstalled):
    create_app = staticmethod(create_app)


async def whoami(request):
    return JSONResponse({"user": (await current_user(request)).id})


async def hello(request):
    return PlainTextResponse("hello")


def installed(app, services, **options) -> Starlette:
    chosen = {"load_user": services.load_user, **options}
    install(app, services.backend, **chosen)
    return app


async def get(app, path, headers=(), **options):
    async with client_of(app, **options) as client:
        return await client.get(path, headers=dict(headers))


class TestInstall(Suite):
    def test_it_is_done_once_only(self, services):
        app = installed(Starlette(), services)
        with pytest.raises(ConfigurationError, match="once only"):
            install(app, services.backend)

    def test_it_is_not_done_beside_the_middleware_itself(self, services):
        app = Starlette()
        app.add_middleware(AuthenticationMiddleware, backend=services.backend)
        with pytest.raises(ConfigurationError, match="once only"):
            install(app, services.backend)

    async def test_it_is_too_late_once_the_app_serves(self, services):
        app = Starlette(routes=[Route("/", hello)])
        assert (await get(app, "/")).text == "hello"
        with pytest.raises(ConfigurationError, match="has begun to serve"):
            install(app, services.backend)

    def test_a_wrong_option_is_told_at_once(self, services):
        app = Starlette()
        with pytest.raises(ConfigurationError, match="perhaps"):
            install(app, services.backend, public_paths=["perhaps"])
        assert app.user_middleware == []
        assert app.exception_handlers == {}

    def test_it_takes_all_the_options_of_the_middleware(self):
        taken = inspect.signature(AuthenticationMiddleware).parameters
        offered = typing.get_type_hints(MiddlewareOptions)
        assert offered.keys() == taken.keys() - {"app", "backend"}

    async def test_options_may_be_iterators(self, services):
        app = Starlette(routes=[Route("/open", hello), Route("/closed", hello)])
        installed(app, services, required=True, public_paths=iter(["/open"]))

        assert (await get(app, "/open")).text == "hello"
        assert (await get(app, "/closed")).status_code == 401

    async def test_routes_may_be_added_afterwards(self, services):
        app = installed(Starlette(), services)
        app.router.routes.append(Route("/late", requires()(whoami)))

        assert (await get(app, "/late")).status_code == 401
        assert (await get(app, "/late", services.caller())).json() == {"user": "ann"}


class Echo(WebSocketEndpoint):
    encoding = "text"

    @requires()
    async def on_connect(self, websocket):
        await websocket.accept()
        await websocket.send_json({"user": websocket.user.id})

    async def on_receive(self, websocket, data):
        await websocket.send_text(data)


class OwnCORS(CORSMiddleware):
    """As applications have it that say a little more."""


ORIGIN = {"Origin": "https://app.example"}
PREFLIGHT = {
    **ORIGIN,
    "Access-Control-Request-Method": "GET",
    "Access-Control-Request-Headers": "authorization",
}
CORS = {"allow_origins": ["https://app.example"], "allow_headers": ["authorization"]}


class TestPlace(Suite):
    """Where the middleware stands among the application's own."""

    @pytest.mark.parametrize("source", [BearerHeader(), QueryParam()])
    @pytest.mark.parametrize("when", ["before", "below a logger", "after"])
    async def test_a_refusal_carries_the_headers_of_cors(self, services, when, source):
        app = Starlette(routes=[Route("/", requires()(whoami))])
        if when != "after":
            app.add_middleware(OwnCORS, **CORS)
        if when == "below a logger":
            app.add_middleware(GZipMiddleware)
        sources = {BearerHeader(), source}
        install(app, JWTBackend(services.tokens, sources=[*sources]))
        if when == "after":
            app.add_middleware(CORSMiddleware, **CORS)

        for token in ("", services.forged_token()):
            headers = {**ORIGIN, **(bearer(token) if token else {})}
            response = await get(app, "/", headers)
            assert response.status_code == 401
            allowed = response.headers["access-control-allow-origin"]
            assert allowed == "https://app.example"

        async with client_of(app) as client:
            response = await client.options("/", headers=PREFLIGHT)
        assert response.status_code == 200
        assert response.headers["access-control-allow-headers"]

    async def test_no_middleware_of_the_app_sees_the_token_of_a_query(self, services):
        seen = []

        def spy(app):
            async def spying(scope, receive, send):
                seen.append(bytes(scope.get("query_string", b"")))
                await app(scope, receive, send)

            return spying

        app = Starlette(
            routes=[WebSocketRoute("/ws", Echo)],
            middleware=[Middleware(CORSMiddleware), Middleware(spy)],
        )
        installed(app, services)
        await talk(app, query=f"token={services.token()}&page=1")

        assert len(seen) == 1
        assert b"page=1" in seen[0]
        assert b"ey" not in seen[0]

    @pytest.mark.parametrize("when", ["before", "after"])
    async def test_what_counts_answers_is_added_after_ours(self, services, when):
        counted = []

        async def count(request, call_next):
            response = await call_next(request)
            counted.append(response.status_code)
            return response

        app = Starlette(routes=[Route("/", requires()(whoami))])
        if when == "before":
            app.add_middleware(BaseHTTPMiddleware, dispatch=count)
        installed(app, services)
        if when == "after":
            app.add_middleware(BaseHTTPMiddleware, dispatch=count)

        await get(app, "/", bearer(services.forged_token()))
        await get(app, "/", bearer(services.token()))
        assert counted == ([200] if when == "before" else [401, 200])

    async def test_a_middleware_of_the_app_sees_an_answer_and_no_exception(
        self, services
    ):
        async def pass_on(request, call_next):
            response = await call_next(request)
            response.headers["x-seen"] = str(response.status_code)
            return response

        app = Starlette(routes=[Route("/", requires()(whoami))])
        app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
        installed(app, services)
        response = await get(app, "/")

        assert response.headers["x-seen"] == "401"
        assert_refused(response, 401, "unauthenticated", UNKNOWN)

    async def test_what_stands_outside_reads_the_user_afterwards(self, services):
        scopes = []

        def spy(app):
            async def spying(scope, receive, send):
                await app(scope, receive, send)
                scopes.append(scope)

            return spying

        app = installed(Starlette(routes=[Route("/", hello)]), services)
        app.add_middleware(spy)
        await get(app, "/", services.caller())

        assert scopes[0]["user"].id == "ann"


async def say(request, error):
    return JSONResponse({"own": error.code}, status_code=418)


def say_in_a_thread(request, error):
    return JSONResponse({"own": error.code}, status_code=418)


class TestHandlers(Suite):
    """Handlers of the application come first, whenever they are added."""

    @pytest.mark.parametrize("handler", [say, say_in_a_thread])
    @pytest.mark.parametrize("late", [False, True])
    @pytest.mark.parametrize("kind", [AsgiAuthError, AuthError, AuthenticationError])
    async def test_a_handler_for_a_class_above_or_below_wins(
        self, services, kind, late, handler
    ):
        app = Starlette(routes=[Route("/", requires()(whoami))])
        if not late:
            app.add_exception_handler(kind, handler)
        installed(app, services)
        if late:
            app.add_exception_handler(kind, handler)
        response = await get(app, "/")

        assert (response.status_code, response.json()["own"]) == (
            418,
            "unauthenticated",
        )

    async def test_a_handler_for_another_error_leaves_the_rest_to_us(self, services):
        app = Starlette(routes=[Route("/", requires()(whoami))])
        app.add_exception_handler(ExpiredTokenError, say)
        installed(app, services)

        assert_refused(await get(app, "/"), 401, "unauthenticated", UNKNOWN)

    @pytest.mark.parametrize("kind", [Exception, 500])
    async def test_the_page_for_crashes_is_not_shown_for_refusals(self, services, kind):
        async def crashed(request, error):
            return PlainTextResponse("sorry", status_code=500)

        async def misplaced(request):
            raise ConfigurationError("put together wrongly")

        routes = [Route("/", requires()(whoami)), Route("/wrong", misplaced)]
        app = Starlette(routes=routes, exception_handlers={kind: crashed})
        installed(app, services)

        assert_refused(await get(app, "/"), 401, "unauthenticated", UNKNOWN)
        response = await get(app, "/wrong", let_out=False)
        assert (response.status_code, response.text) == (500, "sorry")

    async def test_a_handler_of_the_application_answers_sockets(self, services):
        async def refuse(websocket, error):
            response = JSONResponse({"own": error.code}, status_code=418)
            await websocket.send_denial_response(response)

        async def chat(websocket):
            await current_user(websocket)

        app = Starlette(routes=[WebSocketRoute("/ws", chat)])
        app.add_exception_handler(AuthError, refuse)
        installed(app, services)
        sent = await talk(app)

        assert sent[0]["status"] == 418
        assert json.loads(sent[1]["body"]) == {"own": "unauthenticated"}

    async def test_a_refusal_after_accept_closes_the_socket(self, services):
        async def chat(websocket):
            await websocket.accept()
            requires("orders:read").check(websocket)

        app = installed(Starlette(routes=[WebSocketRoute("/ws", chat)]), services)
        sent = await talk(app, headers=services.caller())

        close = {"type": "websocket.close", "code": 3003}
        assert sent[-1] == {**close, "reason": "insufficient_scope"}

    async def test_a_refusal_in_a_task_group_is_one(self, services):
        async def grouped(request):
            async with anyio.create_task_group() as group:
                group.start_soon(current_user, request)

        app = installed(Starlette(routes=[Route("/", grouped)]), services)

        assert_refused(await get(app, "/"), 401, "unauthenticated", UNKNOWN)


class TestTooLate(Suite):
    """What goes wrong after the answer has begun is never a good answer."""

    @pytest.mark.parametrize("mounted", [False, True])
    async def test_a_stream_that_is_refused_half_way_breaks_off(
        self, services, mounted
    ):
        async def stream(request):
            async def chunks():
                yield b"begun"
                await current_user(request)

            return StreamingResponse(chunks())

        routes = [Route("/stream", stream)]
        if mounted:
            routes = [Mount("/", app=Starlette(routes=routes))]
        app = installed(Starlette(routes=routes), services)

        with pytest.raises((AuthError, RuntimeError)):
            await get(app, "/stream")

    async def test_a_background_task_that_is_refused_is_an_error_of_the_app(
        self, services
    ):
        async def later(request):
            return PlainTextResponse("ok", background=BackgroundTask(check, request))

        async def check(request):
            await current_user(request)

        app = installed(Starlette(routes=[Route("/", later)]), services)

        with pytest.raises((AuthError, RuntimeError)):
            await get(app, "/")
        assert (await get(app, "/", services.caller())).text == "ok"

    async def test_other_runtime_errors_stay_what_they_are(self, services):
        async def broken(request):
            raise RuntimeError("a bug of the application")

        app = installed(Starlette(routes=[Route("/", broken)]), services)

        with pytest.raises(RuntimeError, match="a bug"):
            await get(app, "/")


class TestMounts(Suite):
    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize("deep", [1, 2])
    @pytest.mark.parametrize("between", [False, True])
    async def test_a_guard_in_a_mounted_app_refuses_properly(
        self, services, debug, deep, between
    ):
        async def pass_on(request, call_next):
            return await call_next(request)

        app = Starlette(routes=[Route("/x", requires()(whoami))], debug=debug)
        for _ in range(deep):
            app = Starlette(routes=[Mount("/in", app=app)], debug=debug)
        if between:
            app.add_middleware(BaseHTTPMiddleware, dispatch=pass_on)
        installed(app, services)
        path = "/in" * deep + "/x"

        assert_refused(await get(app, path), 401, "unauthenticated", UNKNOWN)
        assert (await get(app, path, services.caller())).json() == {"user": "ann"}

    async def test_the_handler_of_a_mounted_app_comes_first(self, services):
        inner = Starlette(
            routes=[Route("/x", requires()(whoami))],
            exception_handlers={AuthError: say},
        )
        app = installed(Starlette(routes=[Mount("/in", app=inner)]), services)

        assert (await get(app, "/in/x")).status_code == 418

    async def test_a_mounted_app_may_be_the_only_one_that_is_guarded(self, services):
        inner = installed(Starlette(routes=[Route("/x", requires()(whoami))]), services)
        app = Starlette(routes=[Route("/", hello), Mount("/in", app=inner)])

        assert (await get(app, "/")).text == "hello"
        assert_refused(await get(app, "/in/x"), 401, "unauthenticated", UNKNOWN)
        assert (await get(app, "/in/x", services.caller())).json() == {"user": "ann"}

    async def test_both_may_have_the_middleware(self, services):
        inner = installed(Starlette(routes=[Route("/x", requires()(whoami))]), services)
        routes = [Mount("/in", app=inner), Route("/x", requires()(whoami))]
        app = installed(Starlette(routes=routes), services)

        for path in ("/x", "/in/x"):
            assert_refused(await get(app, path), 401, "unauthenticated", UNKNOWN)
            assert (await get(app, path, services.caller())).status_code == 200

    async def test_a_whole_mount_is_guarded(self, services):
        area = requires("orders:read")(Starlette(routes=[Route("/x", whoami)]))
        app = installed(Starlette(routes=[Mount("/area", app=area)]), services)

        response = await get(app, "/area/x", services.caller())
        assert_refused(response, 403, "insufficient_scope", NO_SCOPE)
        response = await get(app, "/area/x", services.caller("orders:read"))
        assert response.json() == {"user": "ann"}


class TestInject(Suite):
    async def ask(self, services, handler, headers=()):
        app = installed(Starlette(routes=[Route("/", handler)]), services)
        return await get(app, "/", headers)

    @pytest.mark.parametrize("verb", [current_user, get_current_user])
    async def test_a_parameter_may_ask_in_its_default(self, services, verb):
        @inject
        async def handler(request, current_user=Depends(verb)):  # noqa: B008
            return JSONResponse({"user": current_user.email})

        told = await self.ask(services, handler, services.caller())
        assert told.json() == {"user": "ann@example.com"}
        refused = await self.ask(services, handler)
        assert_refused(refused, 401, "unauthenticated", UNKNOWN)

    async def test_a_parameter_may_ask_in_its_annotation(self, services):
        @inject
        def handler(
            request,
            user: Annotated[User, Depends(current_user)],
            caller: Annotated[object, "a note", Depends(current_principal)],
            size: Annotated[int, Depends(lambda request: len(request.url.path))],
        ):
            return JSONResponse([user.id, caller.subject, size])

        told = await self.ask(services, handler, services.caller())
        assert told.json() == ["ann", "ann", 1]

    async def test_a_method_of_an_endpoint_may_ask(self, services):
        class Endpoint(HTTPEndpoint):
            @inject
            async def get(self, request, user=Depends(optional_user)):  # noqa: B008
                return JSONResponse(user and user.id)

        assert (await self.ask(services, Endpoint)).json() is None
        told = await self.ask(services, Endpoint, services.caller())
        assert told.json() == "ann"

    async def test_a_socket_may_ask(self, services):
        @inject
        async def chat(websocket, user=Depends(current_user)):  # noqa: B008
            await websocket.accept()
            await websocket.send_json({"user": user.id})

        app = installed(Starlette(routes=[WebSocketRoute("/ws", chat)]), services)

        sent = await talk(app, headers=services.caller())
        assert sent[1]["type"] == "websocket.send"
        assert (await talk(app))[0]["status"] == 401

    def test_who_asks_for_nothing_is_told(self):
        with pytest.raises(ConfigurationError, match="handler asks for nothing"):

            @inject
            async def handler(request): ...

    async def test_who_gets_no_request_is_told(self):
        @inject
        async def handler(user=Depends(current_user)): ...  # noqa: B008

        with pytest.raises(ConfigurationError, match="the request"):
            await handler()


class TestEndpoints(Suite):
    async def test_the_methods_of_a_class_have_guards_of_their_own(self, services):
        class Orders(HTTPEndpoint):
            @requires()
            async def get(self, request):
                return await whoami(request)

            @requires("orders:write")
            def post(self, request):
                return PlainTextResponse("written")

        app = installed(Starlette(routes=[Route("/", Orders)]), services)
        async with client_of(app, let_out=True) as client:
            assert (await client.get("/", headers=services.caller())).status_code == 200
            refused = await client.post("/", headers=services.caller())
            passed = await client.post("/", headers=services.caller("orders:write"))

        assert refused.status_code == 403
        assert passed.text == "written"

    async def test_starlettes_own_endpoint_of_sockets_is_guarded(self, services):
        app = installed(Starlette(routes=[WebSocketRoute("/ws", Echo)]), services)

        assert (await talk(app))[0]["status"] == 401
        assert_served(await talk(app, headers=services.caller()))

    async def test_a_token_of_the_log_in_form_is_good(self, services):
        app = create_app(services)
        async with client_of(app) as client:
            pair = await log_in(client)
            response = await client.get(
                "/private", headers=bearer(pair["access_token"])
            )

        assert response.json() == {"user": "ann"}


def test_the_test_client_sees_refusals_and_callers():
    services = Services()
    anyio.run(services.add_user)
    with TestClient(create_app(services)) as client:
        headers = services.caller()
        assert client.get("/private").status_code == 401
        assert client.get("/private", headers=headers).json() == {"user": "ann"}
        with pytest.raises(WebSocketDenialResponse) as caught:
            client.websocket_connect("/ws").__enter__()
        assert caught.value.status_code == 401
        with client.websocket_connect("/ws", headers=headers) as socket:
            assert socket.receive_json() == {"user": "ann"}

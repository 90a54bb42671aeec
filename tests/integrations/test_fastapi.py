"""FastAPI: the promises, its documents, and what its own parts make of them."""

from __future__ import annotations

import re
from typing import Annotated

import anyio
import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Depends,
    FastAPI,
    Request,
    Security,
    WebSocket,
)
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPBasic
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

import asgi_auth
from asgi_auth import (
    AuthError,
    BackendChain,
    BearerHeader,
    ConfigurationError,
    Cookie,
    Header,
    JWTBackend,
    Principal,
    QueryParam,
    Subprotocol,
)
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys import APIKeys, MemoryAPIKeys
from asgi_auth.integrations.fastapi import (
    current_principal,
    current_user,
    install,
    optional_user,
    requires,
)
from tests.integrations.acceptance import (
    NO_ROLE,
    NO_SCOPE,
    UNKNOWN,
    AcceptanceSuite,
    OwnHandlers,
    Suite,
    Uninstalled,
    assert_refused,
    assert_served,
    client_of,
    talk,
)
from tests.integrations.apps.fastapi import create_app
from tests.integrations.services import EMAIL, PASSWORD, Services, User, bearer

CurrentUser = Annotated[User, Depends(current_user)]


def _repository(user: CurrentUser):
    return user


class TestFastAPI(AcceptanceSuite, OwnHandlers, Uninstalled):
    create_app = staticmethod(create_app)


def make(services, **options) -> FastAPI:
    app = FastAPI(**options)
    install(app, services.backend, load_user=services.load_user)
    return app


async def get(app, path, headers=()):
    async with client_of(app) as client:
        return await client.get(path, headers=dict(headers))


class TestInstall(Suite):
    def test_it_is_done_once_only(self, services):
        app = make(services)
        with pytest.raises(ConfigurationError, match="once only"):
            install(app, services.backend)

    async def test_it_is_too_late_once_the_app_serves(self, services):
        app = FastAPI()
        await get(app, "/openapi.json")
        with pytest.raises(ConfigurationError, match="has begun to serve"):
            install(app, services.backend)

    async def test_where_all_is_closed_the_docs_can_be_left_open(self, services):
        app = FastAPI()
        open_paths = ["/docs", "/openapi.json"]
        install(app, services.backend, required=True, public_paths=open_paths)

        assert (await get(app, "/docs")).status_code == 200
        assert (await get(app, "/openapi.json")).status_code == 200
        assert (await get(app, "/redoc")).status_code == 401


class TestDependencies(Suite):
    @pytest.mark.parametrize("where", ["app", "router", "include", "route"])
    async def test_a_guard_stands_wherever_dependencies_do(self, services, where):
        guards = [Depends(requires("orders:read"))]
        at = {"app": [], "router": [], "include": [], "route": [], where: guards}
        router = APIRouter(dependencies=at["router"])

        @router.get("/x", dependencies=at["route"])
        def endpoint(user: CurrentUser):
            return {"user": user.id}

        app = FastAPI(dependencies=at["app"])
        install(app, services.backend, load_user=services.load_user)
        app.include_router(router, prefix="/v1", dependencies=at["include"])
        unknown = await get(app, "/v1/x")
        lacking = await get(app, "/v1/x", services.caller())
        passed = await get(app, "/v1/x", services.caller("orders:read"))

        assert_refused(unknown, 401, "unauthenticated", UNKNOWN)
        assert_refused(lacking, 403, "insufficient_scope", NO_SCOPE)
        assert passed.json() == {"user": "ann"}
        (operation,) = app.openapi()["paths"]["/v1/x"].values()
        assert {"bearer": ["orders:read"]} in operation["security"]

    async def test_scopes_of_security_are_demanded_however_deep(self, services):
        app = make(services)

        @app.get("/deep")
        def deep(user: Annotated[User, Security(_repository, scopes=["orders:read"])]):
            return {"user": user.id}

        @app.get("/optional")
        def optional(
            user: Annotated[User, Security(optional_user, scopes=["orders:read"])],
        ):
            return {"user": user.id}

        for path in ("/deep", "/optional"):
            assert_refused(await get(app, path), 401, "unauthenticated", UNKNOWN)
            lacking = await get(app, path, services.caller())
            assert_refused(lacking, 403, "insufficient_scope", NO_SCOPE)
            passed = await get(app, path, services.caller("orders:read"))
            assert passed.json() == {"user": "ann"}
            operation = app.openapi()["paths"][path]["get"]
            assert {"bearer": ["orders:read"]} in operation["security"]
            assert {} not in operation["security"]

    async def test_wildcards_count_for_scopes_of_security_where_they_count_at_all(
        self, services
    ):
        app = make(services)
        for path, guard in {
            "/with": requires(wildcards="jwt"),
            "/without": requires(),
        }.items():
            caller = Security(guard, scopes=["orders:read"])
            app.get(path, dependencies=[caller])(lambda: "passed")

        headers = services.caller("orders:*")
        assert (await get(app, "/with", headers)).json() == "passed"
        assert (await get(app, "/without", headers)).status_code == 403

    async def test_guards_of_one_request_are_told_apart(self, services):
        app = make(services)

        @app.get("/", dependencies=[Depends(requires()), Depends(requires("a"))])
        def endpoint(
            caller: Annotated[Principal, Depends(requires(roles="admin"))],
            same: Annotated[Principal, Depends(current_principal)],
        ):
            return caller is same

        lacking = await get(app, "/", services.caller("a"))
        assert_refused(lacking, 403, "insufficient_scope", NO_ROLE)
        assert (
            await get(app, "/", services.caller(roles=["admin"]))
        ).status_code == 403
        passed = await get(app, "/", services.caller("a", roles=["admin"]))
        assert passed.json() is True

    async def test_a_decorator_and_a_dependency_stack(self, services):
        app = make(services)

        @app.get("/", dependencies=[Depends(requires("orders:read"))])
        @asgi_auth.requires(roles="admin")
        async def endpoint(request: Request, page: int = 1):
            return page

        lacking = await get(app, "/", services.caller("orders:read"))
        assert_refused(lacking, 403, "insufficient_scope", NO_ROLE)
        headers = services.caller("orders:read", roles=["admin"])
        assert (await get(app, "/?page=7", headers)).json() == 7

    @pytest.mark.parametrize("waits", [False, True])
    async def test_a_policy_is_asked(self, services, waits):
        def owns(principal):
            return principal.subject == "ann"

        async def owns_later(principal):
            await anyio.lowlevel.checkpoint()
            return principal.subject == "ann"

        await services.add_user("bob", "bob@example.com")
        app = make(services)
        guard = requires(policy=owns_later if waits else owns)
        app.get("/", dependencies=[Depends(guard)])(lambda: "passed")

        assert (await get(app, "/", services.caller())).json() == "passed"
        bob = bearer(services.token(subject="bob"))
        assert (await get(app, "/", bob)).status_code == 403

    async def test_a_refusal_comes_before_a_verdict_on_the_parameters(self, services):
        app = make(services)
        app.get("/{number}", dependencies=[Depends(current_user)])(_number)

        assert (await get(app, "/x")).status_code == 401
        assert (await get(app, "/x", services.caller())).status_code == 422
        assert (await get(app, "/7", services.caller())).json() == 7

    async def test_tests_may_override_who_is_calling(self, services):
        app = make(services)
        app.get("/")(_name)
        app.dependency_overrides[current_user] = lambda: User("eve", "eve@example.com")

        assert (await get(app, "/")).json() == "eve"

    async def test_the_verbs_can_be_called_with_a_request(self, services):
        app = make(services)

        @app.get("/")
        async def endpoint(request: Request):
            user = await optional_user(request)
            await current_principal(request)
            return user.id

        assert (await get(app, "/", services.caller())).json() == "ann"
        assert (await get(app, "/")).status_code == 401


def _number(number: int):
    return number


async def _name(user: CurrentUser):
    return user.id


class TestSockets(Suite):
    async def test_a_socket_has_guards_and_users(self, services):
        app = make(services)

        @app.websocket("/ws", dependencies=[Depends(requires("orders:read"))])
        async def chat(websocket: WebSocket, user: CurrentUser):
            await websocket.accept()
            await websocket.send_json({"user": user.id})
            await websocket.send_text(await websocket.receive_text())

        assert (await talk(app))[0]["status"] == 401
        assert (await talk(app, headers=services.caller()))[0]["status"] == 403
        assert_served(await talk(app, headers=services.caller("orders:read")))


class TestTooLate(Suite):
    @pytest.mark.parametrize("mounted", [False, True])
    async def test_a_stream_that_is_refused_half_way_breaks_off(
        self, services, mounted
    ):
        inner = FastAPI()

        @inner.get("/stream")
        async def stream(request: Request):
            async def chunks():
                yield b"begun"
                await current_user(request)

            return StreamingResponse(chunks())

        app = inner
        if mounted:
            app = FastAPI()
            app.mount("/", inner)
        install(app, services.backend)

        with pytest.raises((AuthError, RuntimeError)):
            await get(app, "/stream")

    async def test_a_background_task_knows_the_caller(self, services):
        app, done = make(services), []

        @app.get("/")
        def endpoint(user: CurrentUser, tasks: BackgroundTasks):
            tasks.add_task(done.append, user.id)

        assert (await get(app, "/", services.caller())).status_code == 200
        assert done == ["ann"]
        assert (await get(app, "/")).status_code == 401
        assert done == ["ann"]


class TestMounts(Suite):
    async def test_a_dependency_in_a_mounted_app_refuses_properly(self, services):
        inner = FastAPI()
        inner.get("/x")(_name)
        app = make(services)
        app.mount("/in", inner)

        assert_refused(await get(app, "/in/x"), 401, "unauthenticated", UNKNOWN)
        assert (await get(app, "/in/x", services.caller())).json() == "ann"

    def test_the_document_of_an_app_that_is_not_installed_is_good_enough(self):
        app = FastAPI()
        app.get("/", dependencies=[Depends(requires("orders:read", "a/b"))])(_name)
        document = app.openapi()
        names = document["components"]["securitySchemes"]

        assert len(names) == 2
        for name, scheme in names.items():
            assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
            assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


class TestDocument(Suite):
    """OpenAPI tells what the middleware accepts, and what guards demand."""

    def test_every_source_is_a_scheme(self, services):
        sources = [
            BearerHeader(),
            BearerHeader("ApiKey"),
            Header("X-API-Key"),
            Cookie("access"),
            Cookie("legacy"),
            QueryParam("token", http=True),
            QueryParam("ticket"),
            Subprotocol(),
        ]
        app = FastAPI()
        install(
            app, JWTBackend(services.tokens, sources=sources), token_url="auth/login"
        )
        app.get("/", dependencies=[Depends(requires("orders:read"))])(_name)
        document = app.openapi()

        flow = {"tokenUrl": "auth/login", "scopes": {"orders:read": ""}}
        key = {"type": "apiKey", "in": "header"}
        assert document["components"]["securitySchemes"] == {
            "password": {"type": "oauth2", "flows": {"password": flow}},
            "bearer": {"type": "http", "scheme": "bearer"},
            "apikey": {
                **key,
                "name": "Authorization",
                "description": "`ApiKey`, a space, and the credential.",
            },
            "x-api-key": {**key, "name": "X-API-Key"},
            "cookie": {"type": "apiKey", "in": "cookie", "name": "access"},
            "cookie-legacy": {"type": "apiKey", "in": "cookie", "name": "legacy"},
            "query": {"type": "apiKey", "in": "query", "name": "token"},
        }
        operation = document["paths"]["/"]["get"]
        assert [*operation["security"]] == [
            {name: ["orders:read"]}
            for name in document["components"]["securitySchemes"]
        ]
        assert {"200", "401", "403"} <= operation["responses"].keys()

    async def test_a_key_of_a_program_is_a_scheme_and_opens_an_operation(
        self, services
    ):
        keys = APIKeys(MemoryAPIKeys(), prefix="shop")
        by_key = APIKeyBackend(keys, sources=[Header("X-API-Key")])
        by_token = JWTBackend(services.tokens, sources=[Cookie("access")])
        app = FastAPI()
        install(app, BackendChain(by_token, by_key))
        app.get("/", dependencies=[Depends(requires("orders:read"))])(lambda: "in")
        made = await keys.generate("robot", scopes=["orders:read"])
        cookie = f"access={services.token('orders:read')}"

        assert (await get(app, "/", {"X-API-Key": made.text})).json() == "in"
        assert (await get(app, "/", {"Cookie": cookie})).json() == "in"
        assert (await get(app, "/")).status_code == 401
        schemes = app.openapi()["components"]["securitySchemes"]
        assert schemes == {
            "cookie": {"type": "apiKey", "in": "cookie", "name": "access"},
            "x-api-key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }

    def test_scopes_of_all_guards_are_named_at_once(self, services):
        document = create_app(services).openapi()
        paths = {path: item["get"] for path, item in document["paths"].items()}

        assert paths["/public"]["security"][0] == {}
        assert "401" not in paths["/public"]["responses"]
        assert {"bearer": []} in paths["/private"]["security"]
        assert {"bearer": []} in paths["/admin"]["security"]
        for path in ("/orders", "/transfer", "/transfer/reversed"):
            assert {"bearer": ["orders:read"]} in paths[path]["security"]
        assert "x-asgi-auth" not in str(document)

    def test_a_choice_of_scopes_is_not_shown_as_a_demand_for_all(self, services):
        app = make(services)
        app.get("/", dependencies=[Depends(requires("a", "b", any=True))])(_name)

        assert {"bearer": []} in app.openapi()["paths"]["/"]["get"]["security"]

    def test_what_the_app_says_itself_stays(self, services):
        app = make(services)
        app.get("/open")(lambda: None)
        app.get("/theirs", dependencies=[Depends(HTTPBasic())])(lambda: None)
        app.get(
            "/both",
            dependencies=[Depends(current_user), Depends(HTTPBasic(auto_error=False))],
            responses={401: {"description": "Who are you?"}},
        )(lambda: None)
        document = app.openapi()
        both = document["paths"]["/both"]["get"]

        assert "HTTPBasic" in document["components"]["securitySchemes"]
        assert {"HTTPBasic": []} in both["security"]
        assert both["responses"]["401"]["description"] == "Who are you?"
        assert "security" not in document["paths"]["/open"]["get"]
        theirs = document["paths"]["/theirs"]["get"]
        assert theirs["security"] == [{"HTTPBasic": []}]
        assert "401" not in theirs["responses"]

    def test_without_a_scheme_for_http_nothing_is_promised(self, services):
        app = FastAPI()
        install(app, JWTBackend(services.tokens, sources=[QueryParam("token")]))
        app.get("/")(_name)
        document = app.openapi()

        assert "security" not in document["paths"]["/"]["get"]
        assert document["components"]["securitySchemes"] == {}

    def test_an_own_document_is_completed_each_time(self, services):
        app = FastAPI()
        made = app.openapi
        titles = iter(["first", "second"])

        def own():
            app.openapi_schema = None
            return {**made(), "info": {"title": next(titles)}}

        app.openapi = own
        install(app, services.backend)
        app.get("/")(_name)
        first, second = app.openapi(), app.openapi()

        assert (first["info"]["title"], second["info"]["title"]) == ("first", "second")
        for document in (first, second):
            assert document["components"]["securitySchemes"].keys() == {
                "bearer",
                "cookie",
            }

    async def test_routes_that_come_later_are_in_it(self, services):
        app = make(services)
        app.get("/a")(_name)
        assert app.openapi()["paths"].keys() == {"/a"}
        app.get("/b", dependencies=[Depends(requires("b"))])(_name)
        app.openapi_schema = None
        served = (await get(app, "/openapi.json")).json()

        assert {"bearer": ["b"]} in served["paths"]["/b"]["get"]["security"]
        assert {"bearer": []} in served["paths"]["/a"]["get"]["security"]

    async def test_the_form_of_the_authorize_button_logs_in(self, services):
        app = create_app(services)
        form = {
            "grant_type": "password",
            "username": EMAIL,
            "password": PASSWORD,
            "scope": "orders:read",
            "client_id": "",
        }
        basic = {"Authorization": "Basic Og=="}
        async with client_of(app) as client:
            told = await client.post("/auth/login", data=form, headers=basic)
            assert told.status_code == 200
            headers = bearer(told.json()["access_token"])
            response = await client.get("/private", headers=headers)

        assert response.json() == {"user": "ann"}


def test_the_test_client_sees_refusals_and_callers():
    services = Services()
    anyio.run(services.add_user)
    for _ in range(2):
        with TestClient(create_app(services)) as client:
            headers = services.caller()
            assert client.get("/private").status_code == 401
            assert client.get("/private", headers=headers).json() == {"user": "ann"}
            with pytest.raises(WebSocketDenialResponse) as caught:
                client.websocket_connect("/ws").__enter__()
            assert caught.value.status_code == 401
            with client.websocket_connect("/ws", headers=headers) as socket:
                assert socket.receive_json() == {"user": "ann"}

"""The log-in routes beside the app's own, in every adapter: said once."""

from __future__ import annotations

import json
from importlib import import_module

import httpx2
import pytest
from fastapi import FastAPI, Request

from asgi_auth import (
    BearerHeader,
    ConfigurationError,
    JWTBackend,
    KeySet,
    ScopePolicy,
    TokenService,
)
from asgi_auth.accounts import AccountService, MemoryAccounts
from asgi_auth.credentials.site import Site
from asgi_auth.integrations._mounted import settle
from asgi_auth.ratelimit import RateLimiter
from asgi_auth.routes import AuthRoutes
from tests.routes.world import EMAIL, PASSWORD, cheap_hasher

pytestmark = pytest.mark.anyio

TRUSTED = "https://pages.example"


class Shop:
    def __init__(self, **options) -> None:
        self.tokens = TokenService(KeySet.generate("HS256"))
        self.accounts = AccountService(
            MemoryAccounts(),
            self.tokens,
            hasher=cheap_hasher(),
            require_verified=False,
        )
        chosen = {"delivery": "both", "site": Site(trusted_origins=[TRUSTED])}
        self.routes = AuthRoutes(
            self.tokens,
            self.accounts,
            limiter=RateLimiter(insecure_unlimited=True),
            **chosen | options,
        )


def starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def who(request):
        return PlainTextResponse(request.auth.subject)

    return Starlette(routes=[Route("/who", who, methods=["GET", "POST"])])


def fastapi():
    app = FastAPI()

    @app.get("/who")
    @app.post("/who")
    async def who(request: Request) -> str:
        return request.scope["auth"].subject

    return app


def litestar():
    from litestar import Litestar, route
    from litestar.types import Scope

    # Litestar looks names up among those of the module.
    globals()["Scope"] = Scope

    @route("/who", http_method=["GET", "POST"], status_code=200, sync_to_thread=False)
    def who(scope: Scope) -> str:
        return scope["auth"].subject

    return Litestar([who], logging_config=None)


def quart():
    from quart import Quart, request

    app = Quart("shop")

    @app.route("/who", methods=["GET", "POST"])
    async def who():
        return request.scope["auth"].subject

    return app


def nexios():
    nexios = pytest.importorskip("nexios", reason="platform: there is no Nexios")

    app = nexios.NexiosApp()

    async def who(request, response):
        return response.text(request.scope["auth"].subject)

    app.get("/who")(who)
    app.post("/who")(who)
    return app


def plain():
    async def app(scope, receive, send):
        status = 200 if scope["path"].endswith("/who") else 404
        await send({"type": "http.response.start", "status": status, "headers": []})
        body = scope["auth"].subject.encode()
        await send({"type": "http.response.body", "body": body})

    return app


APPS = {
    "starlette": starlette,
    "fastapi": fastapi,
    "litestar": litestar,
    "quart": quart,
    "nexios": nexios,
    "channels": plain,
    "django": plain,
}


def installed(name, shop, **options):
    pytest.importorskip(
        {"channels": "django"}.get(name, name), reason=f"platform: no {name}"
    )
    app = APPS[name]()
    install = import_module(f"asgi_auth.integrations.{name}").install
    return install_result(install(app, shop.tokens, routes=shop.routes, **options), app)


def install_result(result, app):
    return result if callable(result) else app


def client_of(app):
    transport = httpx2.ASGITransport(app=app)
    return httpx2.AsyncClient(transport=transport, base_url="https://shop.example")


@pytest.mark.parametrize("name", APPS)
async def test_the_routes_are_there_public_and_read(name):
    shop = Shop()
    made = await shop.accounts.create(EMAIL, PASSWORD)
    async with client_of(installed(name, shop, required=True)) as client:
        assert (await client.get("/who")).status_code == 401
        asked = {"email": EMAIL, "password": PASSWORD}
        bad = {"authorization": "Bearer x"}
        answer = await client.post("/auth/login", json=asked, headers=bad)
        assert answer.status_code == 200, answer.text
        pair = answer.json()
        headers = {"authorization": f"Bearer {pair['access_token']}"}
        who = await client.get("/who", headers=headers)
        assert made.id in who.text
        assert (await client.get("/auth/me", headers=headers)).json()["id"] == made.id
        again = {"refresh_token": pair["refresh_token"]}
        assert (await client.post("/auth/refresh", json=again)).status_code == 200

        # Cookies are read without a further word, and one origin is trusted by both.
        answer = await client.post("/auth/login", json={**asked, "delivery": "cookie"})
        assert "Path=/auth" in str(answer.headers.get_list("set-cookie"))
        assert made.id in (await client.get("/who")).text
        for path in ("/who", "/auth/refresh"):
            trusted = await client.post(path, headers={"origin": TRUSTED})
            assert trusted.status_code == 200
            foreign = await client.post(
                path, headers={"origin": "https://evil.example"}
            )
            assert foreign.status_code == 403
        assert (await client.get("/auth/nothing")).json()["code"] == "not_found"


async def test_they_may_be_elsewhere_and_paths_of_the_app_stay_its_own():
    shop = Shop(delivery="body")
    app = installed("starlette", shop, at="/api/log-in", public_paths=["/who"])
    async with client_of(app) as client:
        asked = {"email": EMAIL, "password": PASSWORD}
        answer = await client.post("/api/log-in/register", json=asked)
        assert answer.status_code == 201
        assert (await client.post("/auth/register", json=asked)).status_code == 404
        assert (await client.post("/api/log-inner", json=asked)).status_code == 404
        assert (await client.get("/who")).status_code == 200


@pytest.mark.parametrize("name", ["fastapi", "litestar"])
async def test_the_document_of_the_app_has_the_routes(name):
    shop = Shop()
    app = installed(name, shop)
    where = {"fastapi": "/openapi.json", "litestar": "/schema/openapi.json"}[name]
    async with client_of(app) as client:
        document = (await client.get(where)).json()
        assert (await client.get(where)).json() == document
    assert "/who" in document["paths"]
    login = document["paths"]["/auth/login"]["post"]
    reference = login["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    assert reference.rpartition("/")[2] in document["components"]["schemas"]
    security = document["paths"]["/auth/me"]["get"]["security"]
    schemes = document["components"]["securitySchemes"]
    assert all(name in schemes for entry in security for name in entry)
    assert "/auth/client.js" not in document["paths"]


@pytest.mark.parametrize("name", ["fastapi", "litestar"])
async def test_who_authorizes_with_a_password_may_try_the_routes(name):
    """The Authorize button of Swagger serves the operations that name its scheme."""
    shop = Shop()
    app = installed(name, shop, token_url="auth/login")
    where = {"fastapi": "/openapi.json", "litestar": "/schema/openapi.json"}[name]
    async with client_of(app) as client:
        document = (await client.get(where)).json()
        assert (await client.get(where)).json() == document
    schemes = document["components"]["securitySchemes"]
    assert schemes["password"]["flows"]["password"]["tokenUrl"] == "auth/login"
    for path in ("/auth/me", "/auth/sessions", "/auth/logout-all"):
        for operation in document["paths"][path].values():
            assert {"password": []} in operation["security"]
            assert {"bearer": []} in operation["security"]
    assert "security" not in document["paths"]["/auth/login"]["post"]


async def test_schemas_of_one_name_stay_apart():
    shop = Shop()
    settled = settle(shop.tokens, {"routes": shop.routes})
    own = {"title": "UserResponse", "type": "object"}
    document = {"paths": {}, "components": {"schemas": {"UserResponse": own}}}
    settled.describe(document, {})
    schemas = document["components"]["schemas"]
    assert schemas["UserResponse"] == own
    assert "id" in schemas["AuthUserResponse"]["properties"]
    me = document["paths"]["/auth/me"]["get"]["responses"]["200"]
    assert "AuthUserResponse" in json.dumps(me)
    before = json.dumps(document)
    assert json.dumps(settled.describe(document, {})) == before


async def test_a_backend_of_ones_own_must_read_what_the_routes_hand_out():
    shop = Shop(delivery="cookie")
    with pytest.raises(ConfigurationError, match="does not read"):
        settle(JWTBackend(shop.tokens), {"routes": shop.routes})
    backend = JWTBackend(shop.tokens, sources=[*shop.routes.sources, BearerHeader("x")])
    assert settle(backend, {"routes": shop.routes}).backend is backend


@pytest.mark.parametrize("at", ["", "auth", "/auth/", "/"])
async def test_a_place_that_is_none_is_a_mistake(at):
    shop = Shop()
    with pytest.raises(ConfigurationError, match="at must look like"):
        settle(shop.tokens, {"routes": shop.routes, "at": at})


async def test_without_routes_the_service_alone_does():
    shop = Shop()
    settled = settle(shop.tokens, {"required": True})
    assert [source.way for source in settled.backend.sources] == [BearerHeader().way]
    assert settled.options == {"required": True}
    document = {"paths": {}}
    assert settled.describe(document, {}) == {"paths": {}}


@pytest.mark.parametrize("name", ["starlette", "fastapi", "litestar", "nexios"])
async def test_what_stands_around_reads_the_caller_unless_it_may_not(name):
    for policy, is_read in (
        (ScopePolicy(track_current=True), True),
        (ScopePolicy(share=True), True),
        (ScopePolicy(share=False), False),
    ):
        shop = Shop()
        app = installed(name, shop, scope_policy=policy)
        scopes = []

        async def around(scope, receive, send, app=app, scopes=scopes):
            scopes.append(scope)
            await app(scope, receive, send)

        pair = await shop.tokens.issue("7")
        headers = {"authorization": f"Bearer {pair.access_token}"}
        async with client_of(around) as client:
            response = await client.get("/who", headers=headers)

        assert response.text.strip('"') == "7"
        (scope,) = scopes
        assert ("auth" in scope) is is_read

"""The same routes under every framework, and behind the middleware."""

from __future__ import annotations

import fastapi
import litestar
import pytest
import quart
from hypercorn.middleware import DispatcherMiddleware
from litestar.handlers import asgi
from nexios import NexiosApp
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Mount

from asgi_auth import AuthenticationMiddleware, JWTBackend
from tests.routes.world import (
    EMAIL,
    PASSWORD,
    World,
    assert_problem,
    set_cookies,
)

RIGHT = {"email": EMAIL, "password": PASSWORD}


def under_starlette(routes):
    return Starlette(routes=[Mount("/auth", routes)])


def under_http_middleware(routes):
    app = under_starlette(routes)
    app.add_middleware(BaseHTTPMiddleware, dispatch=lambda request, go: go(request))
    return app


def under_fastapi(routes):
    app = fastapi.FastAPI()
    app.mount("/auth", routes)
    return app


def under_litestar(routes):
    @asgi("/auth", is_mount=True, copy_scope=True)
    async def mounted(scope: dict, receive: object, send: object) -> None:
        await routes(scope, receive, send)

    return litestar.Litestar([mounted], openapi_config=None)


def under_nexios(routes):
    app = NexiosApp()
    app.register(routes, "/auth")
    return app


def beside_quart(routes):
    return DispatcherMiddleware({"/auth": routes, "": quart.Quart(__name__)})


def under_plain_asgi(routes):
    async def app(scope, receive, send):
        if scope["path"].startswith("/auth/"):
            await routes(scope, receive, send)

    return app


APPS = {
    "starlette": (under_starlette, {}),
    "starlette-http-middleware": (under_http_middleware, {}),
    "fastapi": (under_fastapi, {}),
    "litestar": (under_litestar, {"prefix": "/auth"}),
    "nexios": (under_nexios, {}),
    "quart": (beside_quart, {}),
    "plain": (under_plain_asgi, {"prefix": "/auth"}),
}


@pytest.mark.parametrize("name", APPS)
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_routes_work_wherever_they_are_mounted(name, named):
    make, options = APPS[name]
    options = {"prefix": "/auth"} if named else options
    world = World(delivery="both", **options)
    await world.add()
    async with world.client(app=make(world.routes)) as client:
        answer = await client.post("/auth/login", json={**RIGHT, "delivery": "cookie"})
        assert answer.status_code == 200, answer.text
        assert set_cookies(answer)["__Secure-refresh"]["path"] == "/auth"
        assert (await client.get("/auth/me")).json()["email"] == EMAIL
        (session,) = (await client.get("/auth/sessions")).json()["sessions"]
        assert (await client.post("/auth/refresh")).status_code == 200
        wrong = await client.post("/auth/login", json={**RIGHT, "password": "no"})
        assert_problem(wrong, 401, "invalid_credentials")
        assert_problem(await client.get("/auth/nothing"), 404, "not_found")
        other = await client.put("/auth/login")
        assert_problem(other, 405, "method_not_allowed")
        broken = await client.post("/auth/login", content=b"{")
        assert_problem(broken, 415, "unsupported_media_type")
        ended = await client.delete(f"/auth/sessions/{session['sid']}")
        assert ended.status_code == 204


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", APPS)
async def test_the_middleware_lets_the_public_routes_through(name):
    make, options = APPS[name]
    world = World(delivery="both", **options)
    await world.add()
    app = AuthenticationMiddleware(
        make(world.routes),
        JWTBackend(world.tokens, sources=world.routes.sources),
        required=True,
        public_paths=world.routes.public_paths("/auth"),
    )
    async with world.client(app=app) as client:
        pair = (await client.post("/auth/login", json=RIGHT)).json()
        await client.post("/auth/login", json={**RIGHT, "delivery": "cookie"})
        assert (await client.get("/auth/me")).status_code == 200
        world.clock.advance(3600)
        client.cookies.clear()
        stale = {"Authorization": f"Bearer {pair['access_token']}"}
        token = {"refresh_token": pair["refresh_token"]}
        answer = await client.post("/auth/refresh", json=token, headers=stale)
        assert answer.status_code == 200
        client.cookies.clear()
        answer = await client.get("/auth/me", headers=stale)
        assert_problem(answer, 401, "token_expired")
        assert_problem(await client.get("/elsewhere"), 401, "unauthenticated")
        assert (await client.post("/auth/logout", headers=stale)).status_code == 204


def test_only_what_needs_no_caller_is_public():
    paths = World().routes.public_paths("/auth/")
    assert "/auth/login" in paths
    assert "/auth/refresh" in paths
    assert "/auth/logout" in paths
    assert not {"/auth/me", "/auth/sessions", "/auth/logout-all"} & set(paths)


async def test_the_routes_run_on_their_own():
    world = World()
    sent = []
    inbox = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive():
        return inbox.pop(0)

    async def send(message):
        sent.append(message["type"])

    await world.routes({"type": "lifespan", "state": {}}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    await world.routes.aclose()


async def test_the_handlers_of_an_app_around_do_not_see_our_refusals():
    seen = []

    async def handle(request, error):
        seen.append(error)
        raise error

    world = World()
    app = Starlette(
        routes=[Mount("/auth", world.routes)],
        exception_handlers={404: handle, Exception: handle},
    )
    async with world.client(app=app) as client:
        assert_problem(await client.get("/auth/me"), 401, "unauthenticated")
        assert_problem(await client.get("/auth/x"), 404, "not_found")
    assert seen == []

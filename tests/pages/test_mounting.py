"""Pages in every framework, with one line each, and the refusals that lead to them."""

from __future__ import annotations

import pytest

from asgi_auth import AuthenticationMiddleware, JWTBackend, requires
from tests.pages.site import PagesWorld, title

PERSON = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin"}


def plain(world):
    async def app(scope, receive, send):
        within = scope["path"].startswith("/auth/")
        notes = requires("notes:read")(answer)
        await (world.pages if within else notes)(scope, receive, send)

    return AuthenticationMiddleware(
        app,
        JWTBackend(world.tokens, sources=world.pages.sources),
        public_paths=world.pages.public_paths("/auth"),
        on_refusal=world.pages.refusals("/auth"),
    )


def channels(world):
    from asgi_auth.integrations.channels import install

    app = requires("notes:read")(answer)
    return install(app, world.tokens, routes=world.pages)


def django(world):
    from asgi_auth.integrations.django import install

    app = requires("notes:read")(answer)
    return install(app, world.tokens, routes=world.pages)


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"notes"})


def starlette(world):
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from asgi_auth.integrations.starlette import install

    @requires("notes:read")
    async def notes(request):
        return PlainTextResponse("notes")

    app = Starlette(routes=[Route("/notes", notes)])
    install(app, world.tokens, routes=world.pages)
    return app


def fastapi(world):
    from fastapi import Depends, FastAPI

    from asgi_auth.integrations.fastapi import install
    from asgi_auth.integrations.fastapi import requires as guard

    app = FastAPI()

    @app.get("/notes", dependencies=[Depends(guard("notes:read"))])
    async def notes():
        return "notes"

    install(app, world.tokens, routes=world.pages)
    return app


def litestar(world):
    from litestar import Litestar, get

    from asgi_auth.integrations.litestar import install
    from asgi_auth.integrations.litestar import requires as guard

    @get("/notes", guards=[guard("notes:read")])
    async def notes() -> str:
        return "notes"

    app = Litestar([notes])
    install(app, world.tokens, routes=world.pages)
    return app


def quart(world):
    from quart import Quart

    from asgi_auth.integrations.quart import install
    from asgi_auth.integrations.quart import requires as guard

    app = Quart(__name__)

    @app.get("/notes")
    @guard("notes:read")
    async def notes():
        return "notes"

    install(app, world.tokens, routes=world.pages)
    return app


def nexios(world):
    from nexios import NexiosApp

    from asgi_auth.integrations.nexios import install
    from asgi_auth.integrations.nexios import requires as guard

    app = NexiosApp()

    @app.get("/notes")
    @guard("notes:read")
    async def notes(request, response):
        return response.text("notes")

    install(app, world.tokens, routes=world.pages)
    return app


EVERYWHERE = [plain, starlette, fastapi, litestar, quart, nexios, channels, django]


@pytest.mark.parametrize("make", EVERYWHERE)
async def test_pages_are_there_in_one_line(make):
    world = PagesWorld(prefix="/auth" if make is plain else "")
    account = await world.add()
    app = make(world)
    async with world.client(app=app, headers=PERSON) as browser:
        refused = await browser.get("/notes")
        assert refused.status_code == 303
        assert refused.headers["location"] == "/auth/log-in?next=%2Fnotes"
        page = await browser.get(refused.headers["location"])
        assert title(page) == "Log in"
        assert 'action="/auth/log-in"' in page.text

        data = {"login": account.email, "password": "violet-otter-42-lamp"}
        data["next"] = "/notes"
        response = await browser.post("/auth/log-in", data=data)
        assert response.headers["location"] == "/notes"
        # Known, and not allowed: a page that says so.
        page = await browser.get("/notes")
        assert (page.status_code, title(page)) == (403, "This did not work")
        assert "You may not see this page." in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
        document = await browser.get("/notes", headers={"sec-fetch-mode": "cors"})
        assert document.headers["content-type"] == "application/problem+json"

        assert (await browser.get("/auth/pages.css")).status_code == 200
        assert (await browser.post("/auth/log-out")).status_code == 303
        assert (await browser.get("/notes")).status_code == 303

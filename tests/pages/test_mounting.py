"""Pages in every framework, with one line each, and the refusals that lead to them."""

from __future__ import annotations

import os

import httpx2
import pytest
from fastapi import Request as FastAPIRequest
from fastapi import Response as FastAPIResponse
from litestar import Request as LitestarRequest
from litestar import Response as LitestarResponse

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    JWTBackend,
    RefusalPolicy,
    requires,
)
from asgi_auth.routes import Cookies
from tests.pages.site import EMAIL, PASSWORD, PagesWorld, set_cookies, title

PERSON = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin"}


def plain(world, **options):
    async def app(scope, receive, send):
        within = scope["path"].startswith("/auth/")
        notes = requires("notes:read")(answer)
        await (world.pages if within else notes)(scope, receive, send)

    inner = AuthenticationMiddleware(
        app,
        JWTBackend(world.tokens, sources=world.pages.sources),
        public_paths=world.pages.public_paths("/auth"),
        refusal_policy=RefusalPolicy(on_refusal=world.pages.refusals("/auth")),
    )
    return world.pages.renewing(inner) if options else inner


def channels(world, **options):
    from asgi_auth.integrations.channels import install

    app = requires("notes:read")(answer)
    return install(app, world.tokens, routes=world.pages, **options)


def django(world, **options):
    from asgi_auth.integrations.django import install

    app = requires("notes:read")(answer)
    return install(app, world.tokens, routes=world.pages, **options)


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"notes"})


def starlette(world, **options):
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse, RedirectResponse
    from starlette.routing import Route

    from asgi_auth.integrations.starlette import install, log_in, log_out

    @requires("notes:read")
    async def notes(request):
        return PlainTextResponse("notes")

    async def enter(request):
        response = RedirectResponse("/notes", 303)
        await log_in(request, response, await world.account())
        return response

    async def leave(request):
        response = RedirectResponse("/", 303)
        await log_out(request, response)
        return response

    app = Starlette(
        routes=[
            Route("/notes", notes),
            Route("/enter", enter, methods=["POST"]),
            Route("/leave", leave, methods=["POST"]),
        ]
    )
    install(app, world.tokens, routes=world.pages, **options)
    return app


def fastapi(world, **options):
    from fastapi import Depends, FastAPI

    from asgi_auth.integrations.fastapi import install, log_in, log_out
    from asgi_auth.integrations.fastapi import requires as guard

    app = FastAPI()

    @app.post("/enter", status_code=303)
    async def enter(request: FastAPIRequest, response: FastAPIResponse) -> None:
        await log_in(request, response, await world.account())

    @app.post("/leave", status_code=303)
    async def leave(request: FastAPIRequest, response: FastAPIResponse) -> None:
        await log_out(request, response)

    @app.get("/notes", dependencies=[Depends(guard("notes:read"))])
    async def notes():
        return "notes"

    install(app, world.tokens, routes=world.pages, **options)
    return app


def litestar(world, **options):
    from litestar import Litestar, get, post

    from asgi_auth.integrations.litestar import install, log_in, log_out
    from asgi_auth.integrations.litestar import requires as guard

    @get("/notes", guards=[guard("notes:read")])
    async def notes() -> str:
        return "notes"

    @post("/enter")
    async def enter(request: LitestarRequest) -> LitestarResponse:
        response = LitestarResponse(None, status_code=303)
        await log_in(request, response, await world.account())
        return response

    @post("/leave")
    async def leave(request: LitestarRequest) -> LitestarResponse:
        response = LitestarResponse(None, status_code=303)
        await log_out(request, response)
        return response

    app = Litestar([notes, enter, leave])
    install(app, world.tokens, routes=world.pages, **options)
    return app


def quart(world, **options):
    from quart import Quart, redirect, request

    from asgi_auth.integrations.quart import install, log_in, log_out
    from asgi_auth.integrations.quart import requires as guard

    app = Quart(__name__)

    @app.post("/enter")
    async def enter():
        response = redirect("/notes", 303)
        await log_in(request, response, await world.account())
        return response

    @app.post("/leave")
    async def leave():
        response = redirect("/", 303)
        await log_out(request, response)
        return response

    @app.get("/notes")
    @guard("notes:read")
    async def notes():
        return "notes"

    install(app, world.tokens, routes=world.pages, **options)
    return app


def nexios(world, **options):
    from nexios import NexiosApp

    from asgi_auth.integrations.nexios import install, log_in, log_out
    from asgi_auth.integrations.nexios import requires as guard

    app = NexiosApp()

    @app.post("/enter")
    async def enter(request, response):
        response.json({}, status_code=303)
        await log_in(request, response, await world.account())
        return response

    @app.post("/leave")
    async def leave(request, response):
        response.json({}, status_code=303)
        await log_out(request, response)
        return response

    @app.get("/notes")
    @guard("notes:read")
    async def notes(request, response):
        return response.text("notes")

    install(app, world.tokens, routes=world.pages, **options)
    return app


EVERYWHERE = [plain, starlette, fastapi, litestar, quart, nexios, channels, django]


@pytest.mark.parametrize("make", EVERYWHERE)
async def test_pages_are_there_in_one_line(make):
    world = PagesWorld(prefix="/auth" if make is plain else "")
    account = await world.add()
    app = make(world)
    kept = {"theme": "dark"}
    async with world.client(app=app, headers=PERSON, cookies=kept) as browser:
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


@pytest.mark.parametrize("make", EVERYWHERE[1:])
async def test_pages_stay_unless_a_policy_words_refusals_itself(make):
    for policy, place in (
        (RefusalPolicy(invalid="anonymous"), "/auth/log-in?next=%2Fnotes"),
        (RefusalPolicy(login_url="/enter"), "/enter?next=%2Fnotes"),
    ):
        world = PagesWorld()
        app = make(world, refusal_policy=policy)
        async with world.client(app=app, headers=PERSON) as browser:
            refused = await browser.get("/notes")
            assert refused.headers["location"] == place
            bad = {"authorization": "Bearer a.b.c"}
            assert (await browser.get("/notes", headers=bad)).status_code == 303


@pytest.mark.parametrize("make", [starlette, fastapi, litestar, quart, nexios])
async def test_handlers_log_users_in_and_out(make):
    world = PagesWorld()
    await world.add()
    app = make(world)
    async with world.client(app=app, headers=PERSON) as browser:
        response = await browser.post("/enter")
        assert response.status_code == 303
        cookies = set_cookies(response)
        assert "Path=/" in cookies["__Host-access"]
        assert "HttpOnly" in cookies["__Secure-refresh"]
        assert (await browser.get("/notes")).status_code == 403
        assert (await browser.post("/auth/refresh")).status_code == 200

        response = await browser.post("/leave")
        assert "Max-Age=0" in set_cookies(response)["__Host-access"]
        assert (await browser.get("/notes")).status_code == 303
        assert await world.tokens.sessions((await world.account()).id) == []


async def test_django_gets_the_cookies_as_its_own():
    from io import BytesIO

    # As other tests have them: whoever is first configures Django for all.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.websocket.django_settings")
    from django.core.handlers.asgi import ASGIRequest
    from django.http import HttpResponse

    from asgi_auth.integrations.django import install, log_in, log_out

    world = PagesWorld()
    account = await world.add()
    responses = []

    async def view(scope, receive, send):
        request, response = ASGIRequest(scope, BytesIO()), HttpResponse()
        if scope["path"] == "/enter":
            await log_in(request, response, account, remember=False)
        else:
            await log_out(request, response)
        responses.append(response)
        await answer(scope, receive, send)

    app = install(view, world.tokens, routes=world.routes)
    async with world.client(app=app, headers=PERSON) as browser:
        await browser.post("/enter")
        await browser.post("/leave")

    entered, left = (response.cookies for response in responses)
    assert entered["__Host-access"].value.count(".") == 2
    assert entered["__Secure-refresh"]["httponly"]
    assert not entered["__Secure-refresh"]["max-age"]
    assert left["__Host-access"]["max-age"] == "0"


@pytest.mark.parametrize("make", EVERYWHERE)
async def test_a_session_goes_on_when_the_access_cookie_has_gone(make):
    world = PagesWorld(prefix="/auth" if make is plain else "")
    await world.add()
    app = make(world, renew=True)
    async with world.client(app=app, headers=PERSON) as browser:
        data = {"login": EMAIL, "password": PASSWORD}
        await browser.post("/auth/log-in", data=data)
        browser.cookies.delete("__Host-access")
        response = await browser.get("/notes")
        assert response.status_code == 403  # Known, and not allowed.
        assert "__Secure-refresh" in set_cookies(response)
        browser.cookies.delete("__Host-access")
        assert (await browser.get("/auth/log-in")).status_code == 303


async def test_cookies_go_out_with_the_crash_page_of_starlette():
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from asgi_auth.integrations.starlette import install

    async def crash(request):
        raise ZeroDivisionError

    async def page(request, error):
        return PlainTextResponse(f"sorry, {request.user.subject}", 500)

    world = PagesWorld()
    account = await world.add()
    handlers = {Exception: page}
    app = Starlette(routes=[Route("/crash", crash)], exception_handlers=handlers)
    install(app, world.tokens, routes=world.pages, renew=True)
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="https://api.example", headers=PERSON
    ) as browser:
        data = {"login": EMAIL, "password": PASSWORD}
        await browser.post("/auth/log-in", data=data)
        browser.cookies.delete("__Host-access")
        response = await browser.get("/crash")
        assert (response.status_code, response.text) == (500, f"sorry, {account.id}")
        assert "__Secure-refresh" in set_cookies(response)


def test_what_cannot_be_renewed_is_said_at_once():
    world = PagesWorld(cookies=Cookies())
    with pytest.raises(ConfigurationError, match="path='/'"):
        plain_install(world, routes=world.pages, renew=True)
    with pytest.raises(ConfigurationError, match="routes="):
        plain_install(world, renew=True)


def plain_install(world, **options):
    from asgi_auth.integrations.django import install

    return install(answer, world.tokens, **options)


@pytest.mark.parametrize("make", [litestar, channels, django])
def test_the_middleware_is_installed_once(make):
    import importlib

    world = PagesWorld()
    app = make(world, renew=True)
    module = importlib.import_module(f"asgi_auth.integrations.{make.__name__}")
    with pytest.raises(ConfigurationError, match="once only"):
        module.install(app, world.tokens, routes=world.pages, renew=True)


def browser_behind_proxy(app):
    """Return a person's browser; a proxy serves the application below ``/app``."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app, root_path="/app"),
        base_url="https://api.example",
        headers=PERSON,
        cookies={"theme": "dark"},
    )


@pytest.mark.parametrize("make", [starlette, fastapi, litestar, quart])
async def test_home_is_the_root_of_the_application_behind_a_proxy(make):
    world = PagesWorld()
    account = await world.add()
    async with browser_behind_proxy(make(world)) as browser:
        page = await browser.get("/app/auth/log-in")
        assert 'class="brand" href="/app/"' in page.text
        assert 'action="/app/auth/log-in"' in page.text
        data = {"login": account.email, "password": PASSWORD}
        response = await browser.post("/app/auth/log-in", data=data)
        assert response.headers["location"] == "/app/"
        refused = await browser.get("/app/notes")
        assert refused.status_code == 403
        assert '<li><a href="/app/">Home</a></li>' in refused.text


@pytest.mark.parametrize("root", ["//evil.example", "/\\evil.example", "/..", "/é"])
async def test_home_is_of_this_origin_whatever_a_server_says(root):
    world = PagesWorld()
    home = world.pages._renderer.home_in({"app_root_path": root})
    assert home in {"/", "/%C3%A9/"}


async def test_a_home_that_is_given_is_taken_as_it_is():
    world = PagesWorld(pages={"home": "/notes"})
    account = await world.add()
    async with browser_behind_proxy(starlette(world)) as browser:
        data = {"login": account.email, "password": PASSWORD}
        response = await browser.post("/app/auth/log-in", data=data)
        assert response.headers["location"] == "/notes"

"""HTMX in a real Chromium: what is refused behind a guard leads to log in, and back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from asgi_auth.integrations.starlette import install, requires
from asgi_auth.routes import Cookies
from tests.browser.conftest import PATIENCE_MS
from tests.pages.site import EMAIL, PASSWORD, PagesWorld

HTMX = Path(os.environ.get("NPM_PEERS", ""), "htmx.org", "dist", "htmx.min.js")
SCRIPT = HTMX.read_bytes() if HTMX.is_file() else b""
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not SCRIPT, reason="NPM_PEERS names no htmx.org"),
]

BOARD = """<!doctype html><html lang=en><title>Board</title>
<script src="/htmx.js"></script><h1>Board</h1>
<button hx-post="/notes" hx-target="#list" hx-swap="beforeend">Add</button>
<ul id=list></ul>"""


async def board(request):
    return HTMLResponse(BOARD)


async def htmx(request):
    return Response(SCRIPT, media_type="text/javascript")


@requires()
async def notes(request):
    return HTMLResponse("<li>a note</li>")


@pytest.fixture
async def world():
    cookies = Cookies(samesite="lax", path="/", insecure_for_localhost=True)
    made = PagesWorld(cookies=cookies)
    made.owner = await made.add()
    return made


@pytest.fixture
async def page(chromium, serve, world):
    app = Starlette(
        routes=[
            Route("/board", board),
            Route("/htmx.js", htmx),
            Route("/notes", notes, methods=["POST"]),
        ]
    )
    install(app, world.tokens, routes=world.pages, renew=True)
    context = await chromium.new_context()
    context.set_default_timeout(PATIENCE_MS)
    tab = await context.new_page()
    await tab.goto(f"{await serve(app)}/board?of=ann")
    yield tab
    await context.close()


async def log_in(page):
    await page.get_by_role("heading", level=1, name="Log in").wait_for()
    await page.locator("[name=login]").fill(EMAIL)
    await page.locator("[name=password]").fill(PASSWORD)
    await page.locator("[name=password]").press("Enter")
    await page.get_by_role("heading", level=1, name="Board").wait_for()


async def test_a_fragment_that_is_refused_leads_to_log_in_and_back_to_the_page(
    page, world
):
    address = page.url
    await page.get_by_role("button", name="Add").click()
    await log_in(page)
    assert page.url == address

    await page.get_by_role("button", name="Add").click()
    await page.get_by_role("listitem").wait_for()

    # Ended from elsewhere: the next click leads to log in again, and changes nothing.
    await world.tokens.revoke_subject(world.owner.id)
    await page.get_by_role("button", name="Add").click()
    await log_in(page)
    assert page.url == address
    assert await page.get_by_role("listitem").count() == 0

"""The pages with a virtual authenticator: all by clicks, and nothing typed twice."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_auth.pages import AuthPages
from asgi_auth.passkeys import Passkeys
from asgi_auth.routes import Cookies
from tests.browser.test_passkeys import plug_in
from tests.routes.world import EMAIL, PASSWORD, World


@pytest.fixture
async def site(serve):
    """Serve pages below /auth at localhost; yield their origin and their world."""
    passkeys = Passkeys("localhost", ["http://localhost"])

    world = World(
        accounts={"send_message": None, "require_verified": False},
        passkeys=passkeys,
        delivery="cookie",
        cookies=Cookies(insecure_for_localhost=True, samesite="lax", path="/"),
    )
    await world.add()

    async def home(request):
        return PlainTextResponse("home")

    pages = AuthPages(world.routes)
    app = Starlette(routes=[Route("/", home), Mount("/auth", pages)])
    origin = (await serve(app)).replace("127.0.0.1", "localhost")
    passkeys.authenticators._origins.append(origin)
    return origin, world


async def log_in(tab, origin):
    await tab.fill("#login", EMAIL)
    await tab.fill("#password", PASSWORD)
    await tab.click("form .primary")
    await tab.wait_for_url(f"{origin}/")


async def log_out(tab, origin):
    await tab.goto(f"{origin}/auth/log-out")
    await tab.click("form button")


async def test_a_user_adds_a_passkey_and_uses_it_wherever_one_is_asked_for(
    site, new_tab
):
    origin, world = site
    tab = await new_tab(f"{origin}/auth/log-in")
    cdp, authenticator = await plug_in(tab)
    await log_in(tab, origin)
    await tab.goto(f"{origin}/auth/account/passkeys")
    await tab.click("[data-passkey] button")
    await tab.wait_for_selector("main li strong")

    # By then the log-in is too old: the passkey itself makes it fresh.
    world.clock.advance(400)
    await tab.click("text=Remove")
    await tab.wait_for_selector("h1:has-text('Is it still you?')")
    await tab.click("[data-passkey] button")
    await tab.wait_for_url(f"{origin}/auth/account/passkeys")
    assert await tab.is_visible("main li strong")

    # The field offers it, and the virtual authenticator takes the offer at once.
    await log_out(tab, origin)
    await tab.wait_for_url(f"{origin}/")
    await tab.goto(f"{origin}/auth/account")
    assert EMAIL in await tab.inner_text("main")

    # Gone before there is a page that could offer it.
    await cdp.send("WebAuthn.clearCredentials", {"authenticatorId": authenticator})
    await log_out(tab, origin)
    await tab.click("[data-passkey] button")
    await tab.wait_for_selector("[role=alert]:has-text('No passkey was used')")

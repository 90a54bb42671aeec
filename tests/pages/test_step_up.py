"""What asks for a second factor, as who has none meets it in a browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pyotp

from asgi_auth import AuthenticationMiddleware, JWTBackend, RefusalPolicy, requires
from tests.pages.site import PASSWORD, PagesWorld, title
from tests.pages.test_factors import hidden
from tests.pages.test_mounting import PERSON, answer
from tests.routes.world import EMAIL

RIGHT = {"login": EMAIL, "password": PASSWORD}


def vault(world, acr="mfa"):
    async def app(scope, receive, send):
        within = scope["path"].startswith("/auth/")
        inner = world.pages if within else requires(acr=acr)(answer)
        if within:
            scope = {**scope, "root_path": "/auth"}
        await inner(scope, receive, send)

    return AuthenticationMiddleware(
        app,
        JWTBackend(world.tokens, sources=world.pages.sources),
        public_paths=world.pages.public_paths("/auth"),
        refusal_policy=RefusalPolicy(on_refusal=world.pages.refusals("/auth")),
    )


def visitor(world):
    headers = {**PERSON, "accept": "text/html"}
    return world.client(app=vault(world), headers=headers, cookies={"theme": "dark"})


async def enter(browser):
    response = await browser.post("/auth/log-in", data=RIGHT)
    assert response.status_code == 303
    refused = await browser.get("/vault")
    assert refused.headers["location"] == "/auth/confirm?acr=mfa&next=%2Fvault"
    return await browser.get(refused.headers["location"])


async def test_who_has_no_second_factor_sets_one_up_and_goes_on():
    world = PagesWorld(factors={})
    await world.add()
    async with visitor(world) as browser:
        sent = await enter(browser)
        place = "/auth/second-factors?needed=1&next=%2Fvault"
        assert sent.headers["location"] == place
        page = await browser.get(place)
        assert "needs a second factor. Set one up" in page.text
        assert ">Go on</a>" not in page.text
        # Longer ago than changes of factors allow: the password brings back here.
        world.clock.advance(301)
        stale = await browser.get("/vault")
        assert stale.status_code == 303
        onward = {"needed": "1", "next": "/vault"}
        page = await browser.post(
            "/auth/second-factors", data={"action": "begin_app", **onward}
        )
        assert urlsplit(page.headers["location"]).path == "/auth/confirm"
        back = parse_qs(urlsplit(page.headers["location"]).query)["next"][0]
        assert back == place
        asked = {"password": PASSWORD, "next": back}
        done = await browser.post("/auth/confirm", data=asked)
        assert done.headers["location"] == place

        page = await browser.post(
            "/auth/second-factors", data={"action": "begin_app", **onward}
        )
        assert (hidden(page, "needed"), hidden(page, "next")) == ("1", "/vault")
        app = pyotp.parse_uri(hidden(page, "uri"))
        fields = {name: hidden(page, name) for name in ("enrolment", "secret", "uri")}
        code = app.at(int(world.clock()))
        data = {"action": "confirm_app", "code": code, **fields, **onward}
        page = await browser.post("/auth/second-factors", data=data)
        assert '<a href="/vault">Go on</a>' in page.text

        world.clock.advance(60)
        refused = await browser.get("/vault")
        page = await browser.get(refused.headers["location"])
        assert title(page) == "Is it still you?"
        asked = {"password": PASSWORD, "code": app.at(int(world.clock()))}
        done = await browser.post("/auth/confirm", data={**asked, "next": "/vault"})
        assert done.headers["location"] == "/vault"
        assert (await browser.get("/vault")).text == "notes"


async def test_where_nobody_can_have_a_second_factor_a_page_ends_the_way():
    world = PagesWorld()
    await world.add()
    async with visitor(world) as browser:
        page = await enter(browser)
        assert (page.status_code, title(page)) == (403, "This did not work")


async def test_the_way_on_leads_to_no_other_site():
    world = PagesWorld(factors={})
    await world.add()
    async with visitor(world) as browser:
        await enter(browser)
        query = {"acr": "mfa", "next": "//evil.example"}
        sent = await browser.get("/auth/confirm", params=query)
        assert sent.headers["location"] == "/auth/second-factors?needed=1"

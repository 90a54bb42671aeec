"""The pages to log in, to register and to log out."""

from __future__ import annotations

import pytest

from asgi_auth.ratelimit import Limits
from asgi_auth.ratelimit.limiter import Limit, RateLimiter
from asgi_auth.routes import RouteShape
from asgi_auth.routes.models import NamedRegisterRequest as _Named
from tests.pages.site import EMAIL, PASSWORD, PagesWorld, faults, set_cookies, title
from tests.routes.world import LOOSE


class Named(_Named):
    """As where users have names."""


async def test_a_user_logs_in_and_arrives_where_the_way_led():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        page = await browser.get("/log-in", params={"next": "/notes?sort=new"})
        assert (page.status_code, title(page)) == (200, "Log in")
        assert 'value="/notes?sort=new"' in page.text
        response = await world.log_in(browser, next="/notes?sort=new")
        assert response.headers["location"] == "/notes?sort=new"
        again = await browser.get("/log-in")
        assert (again.status_code, again.headers["location"]) == (303, "/")


async def test_a_wrong_password_is_said_on_top_and_at_the_field():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        data = {"login": EMAIL, "password": "wrong-otter-42-lamp", "next": "/x"}
        page = await browser.post("/log-in", data=data)
        assert page.status_code == 422
        assert faults(page) == ["Name or password is wrong."]
        assert "<title>Error: Log in" in page.text
        assert 'href="#login"' in page.text
        assert 'aria-invalid="true"' in page.text
        assert f'value="{EMAIL}"' in page.text
        assert 'value="/x"' in page.text
        assert "wrong-otter" not in page.text
        assert not set_cookies(page)


async def test_cookies_that_are_not_to_be_remembered_stay_so_over_a_refresh():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        data = {"login": EMAIL, "password": PASSWORD}
        cookies = set_cookies(await browser.post("/log-in", data=data))
        assert "Max-Age" not in cookies["__Host-access"]
        assert "Max-Age" not in cookies["__Secure-refresh"]
        cookies = set_cookies(await browser.post("/refresh"))
        assert "Max-Age" not in cookies["__Secure-refresh"]
        assert "__Secure-brief" in cookies

        cookies = set_cookies(await world.log_in(browser))
        assert "Max-Age=604800" in cookies["__Secure-refresh"]
        assert "Max-Age=0" in cookies["__Secure-brief"]
        cookies = set_cookies(await browser.post("/refresh"))
        assert "Max-Age=604800" in cookies["__Secure-refresh"]


async def test_a_link_alone_logs_nobody_out():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await browser.get("/log-out")
        assert (page.status_code, title(page)) == (200, "Log out")
        assert (await browser.get("/me")).status_code == 200

        response = await browser.post("/log-out")
        assert response.headers["location"] == "/log-in?done=log_out"
        assert "Max-Age=0" in set_cookies(response)["__Host-access"]
        assert (await browser.get("/me")).status_code == 401
        page = await browser.get(response.headers["location"])
        assert "You are logged out." in page.text
        # Twice, or in another tab: there is nothing left to do.
        assert (await browser.post("/log-out")).status_code == 303


async def test_registering_says_the_same_whether_or_not_there_is_an_account():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        places = []
        for email in (EMAIL, "ben@example.com"):
            data = {"email": email, "password": "amber-fox-17-boat"}
            response = await browser.post("/sign-up", data=data)
            assert response.status_code == 303
            places.append(response.headers["location"])

        assert places[0] == places[1] == "/sign-up?done=register"
        page = await browser.get(places[0])
        assert 'role="status"' in page.text

        data = {"email": "ben@example.com", "password": "short"}
        page = await browser.post("/sign-up", data=data)
        assert page.status_code == 422
        assert 'href="#password"' in page.text


async def test_tries_are_counted_as_everywhere():
    limits = {**LOOSE, "log_in_address": Limit(1, 60)}
    world = PagesWorld(limiter=RateLimiter(limits=Limits(**limits)))
    async with world.browser() as browser:
        data = {"login": EMAIL, "password": "no"}
        assert (await browser.post("/log-in", data=data)).status_code == 422
        page = await browser.post("/log-in", data=data)
        assert page.status_code == 429
        assert int(page.headers["retry-after"]) > 0
        assert faults(page) == ["Too many tries. Please wait, and try again."]


@pytest.mark.parametrize("language", ["de", "de-AT,de;q=0.9,en;q=0.5", "fr, de;q=0.1"])
async def test_a_browser_that_asks_for_german_gets_it(language):
    world = PagesWorld()
    async with world.browser(headers={"accept-language": language}) as browser:
        page = await browser.get("/log-in")
        assert '<html lang="de">' in page.text
        assert title(page) == "Anmelden"


@pytest.mark.parametrize("language", ["", "fr", "de;q=0", ";;;,q=,", "de;q=x", "*"])
async def test_all_others_get_the_first_language(language):
    world = PagesWorld()
    async with world.browser(headers={"accept-language": language}) as browser:
        assert title(await browser.get("/log-in")) == "Log in"


async def test_a_browser_without_cookies_is_told_so():
    world = PagesWorld()
    await world.add()
    data = {"login": EMAIL, "password": PASSWORD, "next": "/notes"}
    async with world.browser(cookies={}) as browser:
        response = await browser.post("/log-in", data=data)
        place = "/log-in?kept=1&next=%2Fnotes"
        assert response.headers["location"] == place
        # Who keeps them goes on.
        response = await browser.get(place)
        assert response.headers["location"] == "/notes"

        browser.cookies.clear()
        page = await browser.get(place)
        assert faults(page) == ["Your browser keeps no cookies: let it."]
        assert 'value="/notes"' in page.text


async def test_a_form_that_is_sent_twice_does_it_once():
    world = PagesWorld()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        await world.log_in(browser)
        data = {"email": "ben@example.com", "password": "amber-fox-17-boat"}
        places = {
            (await browser.post("/sign-up", data=data)).headers["location"]
            for _ in range(2)
        }
        assert len(places) == 1

        await browser.post("/forgot-password", data={"email": EMAIL})
        await world.outbox.drain()
        world.clock.advance(5)
        data = {"token": world.mailbox.token("reset"), "password": "copper-bird-88"}
        assert (await browser.post("/reset-password", data=data)).status_code == 303
        page = await browser.post("/reset-password", data=data)
        assert page.status_code == 422
        assert await world.tokens.sessions(account.id) == []


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "/%5Cevil.example",
        "/\tevil",
        "/%0d%0aSet-Cookie:x",
        "javascript:alert(1)",
        "/" + "x" * 2000,
        "/a/../b",
        "\x00",
    ],
)
async def test_no_trick_leads_elsewhere_after_the_log_in(path):
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        page = await browser.get("/log-in", params={"next": path})
        assert 'name="next"' not in page.text
        data = {"login": EMAIL, "password": PASSWORD, "next": path}
        response = await browser.post("/log-in", data=data)
        if "\x00" in path:
            assert response.status_code == 400
        else:
            assert response.headers["location"] == "/"


async def test_users_with_names_register_with_one():
    world = PagesWorld(shape=RouteShape(register=Named))
    async with world.browser() as browser:
        page = await browser.get("/sign-up")
        assert (
            'name="username" type="text" autocomplete="username" required' in page.text
        )
        assert 'name="email" type="email" autocomplete="email" auto' in page.text


async def test_the_way_back_is_kept_over_a_sign_up():
    world = PagesWorld(accounts={"require_verified": False})
    async with world.browser() as browser:
        page = await browser.get("/log-in", params={"next": "/app/vault?a=1&b=2"})
        way = "next=%2Fapp%2Fvault%3Fa%3D1%26b%3D2"
        assert f'href="/sign-up?{way}"' in page.text
        page = await browser.get(f"/sign-up?{way}")
        assert 'name="next" value="/app/vault?a=1&amp;b=2"' in page.text
        assert f'href="/log-in?{way}"' in page.text
        data = {"email": EMAIL, "password": PASSWORD, "next": "/app/vault?a=1&b=2"}
        answer = await browser.post("/sign-up", data={**data, "password": "x"})
        assert 'name="next" value="/app/vault?a=1&amp;b=2"' in answer.text
        answer = await browser.post("/sign-up", data=data)
        assert answer.headers["location"] == f"/log-in?done=register&{way}"
        page = await browser.get(answer.headers["location"])
        assert 'name="next" value="/app/vault?a=1&amp;b=2"' in page.text


async def test_the_way_back_is_kept_where_a_message_is_on_its_way():
    world = PagesWorld()
    async with world.browser() as browser:
        data = {"email": EMAIL, "password": PASSWORD, "next": "/vault"}
        answer = await browser.post("/sign-up", data=data)
        assert answer.headers["location"] == "/sign-up?done=register&next=%2Fvault"
        page = await browser.get(answer.headers["location"])
        assert 'href="/log-in?next=%2Fvault"' in page.text
        page = await browser.get("/log-in", params={"next": "/vault"})
        assert 'href="/forgot-password?next=%2Fvault"' in page.text
        answer = await browser.post(
            "/forgot-password", data={"email": EMAIL, "next": "/vault"}
        )
        assert answer.headers["location"].endswith("?done=forgot&next=%2Fvault")


@pytest.mark.parametrize("path", ["/sign-up", "/forgot-password"])
async def test_no_trick_leads_elsewhere_over_a_sign_up(path):
    world = PagesWorld()
    async with world.browser() as browser:
        page = await browser.get(path, params={"next": "//evil.example"})
        assert "evil.example" not in page.text
        data = {"email": EMAIL, "password": PASSWORD, "next": "//evil.example"}
        answer = await browser.post(path, data=data)
        assert "evil" not in answer.headers["location"]

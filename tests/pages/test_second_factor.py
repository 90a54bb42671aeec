"""A second factor that the routes ask for is asked for by the pages."""

from __future__ import annotations

from asgi_auth.errors import InvalidCredentialsError
from asgi_auth.routes import Factor, SecondFactorRequiredError
from tests.pages.site import EMAIL, PASSWORD, PagesWorld, faults

WRONG = ["Name or password is wrong."]
NEEDED = ["Enter the code of your second factor as well."]


async def factor(account, code):
    if code is None:
        raise SecondFactorRequiredError
    if code != "123456":
        raise InvalidCredentialsError
    return Factor(amr=("otp",))


async def test_a_code_is_asked_for_after_the_right_password():
    world = PagesWorld(second_factor=factor)
    await world.add()
    async with world.browser() as browser:
        data = {"login": EMAIL, "password": PASSWORD}
        assert 'name="code"' not in (await browser.get("/log-in")).text
        page = await browser.post("/log-in", data=data)
        assert (page.status_code, faults(page)) == (422, NEEDED)
        assert 'autocomplete="one-time-code"' in page.text
        page = await browser.post("/log-in", data={**data, "code": "000000"})
        assert faults(page) == WRONG
        assert 'name="code"' in page.text
        response = await browser.post("/log-in", data={**data, "code": "123456"})
        assert response.status_code == 303

        data = {"password": PASSWORD}
        page = await browser.post("/confirm", data=data)
        assert (page.status_code, faults(page)) == (422, NEEDED)
        response = await browser.post("/confirm", data={**data, "code": "123456"})
        assert response.headers["location"] == "/"


async def test_many_devices_are_shown_page_by_page_and_ended_all():
    world = PagesWorld()
    account = await world.add()
    for _ in range(60):
        await world.tokens.issue(account.id)
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await browser.get("/devices")
        assert page.text.count('name="sid"') == 50
        following = page.text.partition("/devices?after=")[2].partition('"')[0]
        page = await browser.get(f"/devices?after={following}")
        assert page.text.count('name="sid"') == 10
        page = await browser.get("/devices?after=nonsense")
        assert page.status_code == 422
        await browser.post("/devices", data={"all": "1"})
        assert len(await world.tokens.sessions(account.id)) == 1

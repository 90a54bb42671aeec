"""The pages about second factors, as a browser without JavaScript uses them."""

from __future__ import annotations

import re
from html import unescape

import pyotp

from tests.pages.site import PASSWORD, PagesWorld, faults, title
from tests.routes.world import EMAIL

RIGHT = {"login": EMAIL, "password": PASSWORD}


def hidden(page, name) -> str:
    return unescape(re.search(rf'name="{name}" value="(.*?)"', page.text)[1])


def shown_codes(page) -> list[str]:
    return re.findall(r"<li><code>(.*?)</code></li>", page.text)


async def do(browser, action, **fields):
    return await browser.post("/second-factors", data={"action": action, **fields})


async def set_up(world, browser):
    """Set an app up, and return it with the recovery codes."""
    page = await do(browser, "begin_app")
    assert page.status_code == 200
    app = pyotp.parse_uri(hidden(page, "uri"))
    fields = {name: hidden(page, name) for name in ("enrolment", "secret", "uri")}
    page = await do(browser, "confirm_app", code="12", **fields)
    assert (page.status_code, faults(page)) == (
        422,
        ["The code is wrong, or was used before."],
    )
    assert "<svg" in page.text
    page = await do(browser, "confirm_app", code=app.at(int(world.clock())), **fields)
    assert page.status_code == 200
    world.clock.advance(60)
    return app, shown_codes(page)


async def test_a_user_sets_an_app_up_and_logs_in_with_it():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        stranger = await browser.get("/second-factors")
        assert stranger.headers["location"] == "/log-in?next=%2Fsecond-factors"
        await world.log_in(browser)
        page = await browser.get("/second-factors")
        assert title(page) == "Second factors"
        assert "You have none yet." in page.text
        app, codes = await set_up(world, browser)
        assert len(codes) == 10
        page = await browser.get("/second-factors")
        assert ("10 left" in page.text, shown_codes(page)) == (True, [])

    async with world.browser() as browser:
        first = await world.log_in(browser, next="/notes?x=1")
        where = first.headers["location"]
        assert where == "/log-in/code?next=%2Fnotes%3Fx%3D1"
        page = await browser.get(where)
        assert title(page) == "Confirm your log-in"
        assert 'autocomplete="one-time-code"' in page.text
        assert "Send me a code" not in page.text
        fields = {"next": "/notes?x=1", "code": "000000"}
        page = await browser.post("/log-in/code", data=fields)
        assert (page.status_code, faults(page)) == (
            422,
            ["The code is wrong, or was used before."],
        )
        fields |= {"code": app.at(int(world.clock())), "trust": "1"}
        done = await browser.post("/log-in/code", data=fields)
        assert (done.status_code, done.headers["location"]) == (303, "/notes?x=1")
        assert (await browser.get("/me")).status_code == 200

        # From now on the password is enough, here.
        await browser.post("/log-out")
        done = await world.log_in(browser)
        assert done.headers["location"] == "/"


async def test_a_code_by_e_mail_is_sent_from_the_page():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await do(browser, "begin_mail")
        assert "A code is on its way" in page.text
        page = await do(browser, "confirm_mail", code="AAAAAAAA")
        assert page.status_code == 422
        await world.outbox.drain()
        code = world.mailbox.token("code")
        page = await do(browser, "confirm_mail", code=code.lower())
        assert len(shown_codes(page)) == 10

    async with world.browser() as browser:
        first = await world.log_in(browser)
        page = await browser.get(first.headers["location"])
        assert "Send me a code" in page.text
        page = await browser.post("/log-in/code", data={"send": "1", "mail": "1"})
        assert "one is on its way" in page.text
        await world.outbox.drain()
        code = world.mailbox.token("code")
        # What looks at the page uses nothing up.
        await browser.get("/log-in/code", params={"code": code})
        done = await browser.post("/log-in/code", data={"code": code})
        assert done.status_code == 303


async def test_a_log_in_that_is_over_begins_anew():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        for data in ({"code": "123456", "next": "/x"}, {"send": "1", "next": "/x"}):
            over = await browser.post("/log-in/code", data=data)
            assert over.status_code == 303
            assert over.headers["location"] == "/log-in?next=%2Fx"


async def test_a_change_asks_who_is_there_when_the_log_in_is_old_or_weak():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        _, codes = await set_up(world, browser)
        # It has a factor now, and this session has shown none.
        for action in ("renew", "begin_app", "begin_mail", "remove"):
            sent = await do(browser, action, method="totp")
            assert sent.status_code == 303
            assert sent.headers["location"] == ("/confirm?next=%2Fsecond-factors")
        page = await browser.get("/confirm", params={"next": "/second-factors"})
        assert title(page) == "Is it still you?"
        fields = {"next": "/second-factors", "password": PASSWORD}
        wrong = await browser.post("/confirm", data={**fields, "password": "x"})
        assert faults(wrong) == ["The password is wrong."]
        page = await browser.post("/confirm", data=fields)
        assert faults(page) == ["Enter the code of your second factor as well."]
        assert 'name="code"' in page.text
        done = await browser.post("/confirm", data={**fields, "code": codes[0]})
        assert done.headers["location"] == "/second-factors"

        renewed = await do(browser, "renew")
        assert len(shown_codes(renewed)) == 10
        gone = await do(browser, "remove", method="totp")
        assert gone.headers["location"] == "/second-factors?done=factors"
        page = await browser.get(gone.headers["location"])
        assert "It is removed." in page.text
        for fields in ({"action": "x"}, {"action": "remove", "method": "../me"}, {}):
            page = await browser.post("/second-factors", data=fields)
            assert page.status_code == 200


async def test_what_the_form_says_is_shown_as_text():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        evil = '"><script>alert(1)</script>'
        fields = {"enrolment": evil, "secret": evil, "uri": evil * 200, "code": "1"}
        page = await do(browser, "confirm_app", **fields)
        assert page.status_code == 422
        assert "<script>" not in page.text


async def test_pages_for_factors_are_there_only_with_factors():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        assert (await browser.get("/second-factors")).status_code == 404
        assert (await browser.get("/log-in/code")).status_code == 404


async def test_the_pages_speak_german():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser(headers={"accept-language": "de"}) as browser:
        assert title(await browser.get("/log-in/code")) == "Anmeldung bestätigen"
        await world.log_in(browser)
        assert title(await browser.get("/second-factors")) == "Zweite Faktoren"


async def test_a_step_up_has_a_code_sent_by_e_mail():
    world = PagesWorld(factors={})
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        await do(browser, "begin_mail")
        await world.outbox.drain()
        await do(browser, "confirm_mail", code=world.mailbox.token("code"))
        fields = {"next": "/second-factors", "password": PASSWORD}
        page = await browser.post("/confirm", data=fields)
        assert 'name="send"' in page.text
        page = await browser.post("/confirm", data={**fields, "send": "1"})
        assert (page.status_code, faults(page)) == (200, [])
        await world.outbox.drain()
        code = world.mailbox.token("code")
        done = await browser.post("/confirm", data={**fields, "code": code})
        assert done.headers["location"] == "/second-factors"
        assert len(shown_codes(await do(browser, "renew"))) == 10

"""The pages about an account: every one of them, there and back."""

from __future__ import annotations

import re

import pytest

from asgi_auth.stores import Device
from tests.pages.site import EMAIL, PASSWORD, PagesWorld, faults, set_cookies, title

NEW = "amber-fox-17-boat"


def text_of(page) -> str:
    return re.sub(r"\s+", " ", re.sub("<.*?>", " ", page.text))


async def test_a_new_user_confirms_the_address_and_logs_in():
    world = PagesWorld()
    async with world.browser() as browser:
        data = {"email": EMAIL, "password": PASSWORD}
        assert (await browser.post("/sign-up", data=data)).status_code == 303
        await world.outbox.drain()
        token = world.mailbox.token("verify")

        data = {"login": EMAIL, "password": PASSWORD}
        page = await browser.post("/log-in", data=data)
        assert faults(page) == ["Confirm your e-mail address first."]

        page = await browser.get("/verify-email", params={"token": token})
        assert title(page) == "Confirm your e-mail address"
        assert f'value="{token}"' in page.text
        page = await browser.post(
            "/verify-email", data={"token": token, "password": "x"}
        )
        assert (page.status_code, f'value="{token}"' in page.text) == (422, True)
        data = {"token": token, "password": PASSWORD}
        response = await browser.post("/verify-email", data=data)
        assert response.headers["location"] == "/log-in?done=verify"
        page = await browser.get(response.headers["location"])
        assert "You can log in now." in page.text
        await world.log_in(browser)


async def test_a_link_that_is_no_good_is_said():
    world = PagesWorld()
    for path in ("/verify-email", "/confirm-email", "/reset-password"):
        async with world.browser() as browser:
            assert (await browser.get(path)).status_code == 200
            page = await browser.post(path, data={"token": "a.b.c", "password": NEW})
            assert page.status_code == 422
            assert faults(page) == ["This link has been used, or is not complete."]


async def test_a_new_link_is_sent_and_nobody_learns_whether_there_is_an_account():
    world = PagesWorld()
    async with world.browser() as browser:
        await browser.post("/sign-up", data={"email": EMAIL, "password": PASSWORD})
        for email in (EMAIL, "nobody@example.com"):
            data = {"email": email}
            response = await browser.post("/verify-email/resend", data=data)
            assert response.headers["location"] == "/verify-email/resend?done=resend"
        await world.outbox.drain()
        assert world.mailbox.kinds() == ["verify", "verify"]
        page = await browser.post("/verify-email/resend", data={})
        assert page.status_code == 422


async def test_a_forgotten_password_is_replaced_and_all_devices_are_out():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser, world.browser() as other:
        await world.log_in(other)
        for email in (EMAIL, "nobody@example.com"):
            response = await browser.post("/forgot-password", data={"email": email})
            assert response.headers["location"] == "/forgot-password?done=forgot"
        page = await browser.get("/forgot-password?done=forgot")
        assert 'role="status"' in page.text
        await world.outbox.drain()
        token = world.mailbox.token("reset")

        data = {"token": token, "password": "short"}
        page = await browser.post("/reset-password", data=data)
        assert page.status_code == 422
        assert 'href="#password"' in page.text
        data["password"] = NEW
        response = await browser.post("/reset-password", data=data)
        assert response.headers["location"] == "/log-in?done=reset"
        assert (await other.get("/account")).status_code == 303
        await world.log_in(browser, password=NEW)


async def test_the_account_leads_to_all_that_can_be_changed():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await browser.get("/account")
        assert EMAIL in page.text
        paths = re.findall(r'<li><a href="(/[a-z-]+)">', page.text)
        assert paths == [
            "/change-password",
            "/change-email",
            "/devices",
            "/delete-account",
            "/log-out",
        ]
        for path in paths:
            assert (await browser.get(path)).status_code == 200


async def test_a_password_is_changed_after_the_right_one():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        data = {"current": "wrong", "password": NEW}
        page = await browser.post("/change-password", data=data)
        assert faults(page) == ["The password is wrong."]
        assert 'href="#current"' in page.text
        data = {"current": PASSWORD, "password": "password"}
        page = await browser.post("/change-password", data=data)
        assert 'href="#password"' in page.text
        data["password"] = NEW
        response = await browser.post("/change-password", data=data)
        assert response.headers["location"] == "/account?done=password"
        page = await browser.get(response.headers["location"])
        assert "Your password is changed." in page.text


async def test_an_address_is_changed_with_the_link_that_goes_there():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        data = {"email": "new@example.com", "password": "wrong"}
        page = await browser.post("/change-email", data=data)
        assert faults(page) == ["The password is wrong."]
        data = {"email": "no address", "password": PASSWORD}
        page = await browser.post("/change-email", data=data)
        assert 'href="#email"' in page.text
        data["email"] = "new@example.com"
        response = await browser.post("/change-email", data=data)
        assert response.headers["location"] == "/account?done=email"
        await world.outbox.drain()
        data = {"token": world.mailbox.token("change_email"), "password": PASSWORD}
        assert (await browser.get("/confirm-email", params=data)).status_code == 200
        response = await browser.post("/confirm-email", data=data)
        assert response.headers["location"].endswith("?done=confirm_email")
        assert await world.store.find_by_email("new@example.com") is not None


async def test_devices_are_ended_one_by_one_and_all_at_once():
    world = PagesWorld()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        for number in range(3):
            device = Device(label=f"Phone {number}", ip="192.0.2.7")
            await world.tokens.issue(account.id, device=device)
        page = await browser.get("/devices")
        assert text_of(page).count("This device") == 1
        assert page.text.index("This device") < page.text.index("Phone 0")
        sids = re.findall(r'name="sid" value="(.*?)"', page.text)
        assert len(sids) == 3
        response = await browser.post("/devices", data={"sid": sids[0]})
        assert response.headers["location"] == "/devices?done=devices"
        # Twice is once.
        assert (
            await browser.post("/devices", data={"sid": sids[0]})
        ).status_code == 303
        assert len(await world.tokens.sessions(account.id)) == 3
        await browser.post("/devices", data={"all": "1"})
        assert len(await world.tokens.sessions(account.id)) == 1
        page = await browser.get("/devices")
        assert page.status_code == 200
        assert 'name="all"' not in page.text


async def test_devices_with_hostile_names_are_text():
    world = PagesWorld()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        evil = "<img src=x onerror=alert(1)>"
        await world.tokens.issue(account.id, device=Device(label=evil, ip=evil))
        page = await browser.get("/devices")
        assert "<img" not in page.text
        assert "&lt;img src=x" in page.text


@pytest.mark.parametrize("sid", ["", "x", "../me", "a/b", "%2e%2e", "me?x=y", "ä"])
async def test_a_device_that_is_none_is_nothing(sid):
    world = PagesWorld()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        response = await browser.post("/devices", data={"sid": sid})
        assert response.status_code == 303
        assert len(await world.tokens.sessions(account.id)) == 1
        assert (await browser.get("/account")).status_code == 200


async def test_who_confirms_to_be_there_goes_on():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await browser.get("/confirm", params={"next": "/money"})
        assert 'value="/money"' in page.text
        page = await browser.post("/confirm", data={"password": "x", "next": "/money"})
        assert faults(page) == ["The password is wrong."]
        data = {"password": PASSWORD, "next": "/money"}
        response = await browser.post("/confirm", data=data)
        assert response.headers["location"] == "/money"
        assert "__Host-access" in set_cookies(response)
        data["next"] = "//evil.example"
        response = await browser.post("/confirm", data=data)
        assert response.headers["location"] == "/"


async def test_an_account_is_deleted_with_the_password_only():
    world = PagesWorld()
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await browser.post("/delete-account", data={"password": ""})
        assert page.status_code == 422
        assert await world.account() is not None
        response = await browser.post("/delete-account", data={"password": PASSWORD})
        assert response.headers["location"] == "/log-in?done=delete"
        assert "Max-Age=0" in set_cookies(response)["__Host-access"]
        assert await world.account() is None


async def test_names_in_camel_case_are_read_as_well():
    world = PagesWorld(camel_case=True)
    await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        assert "This device" in (await browser.get("/devices")).text


async def test_what_cannot_work_has_no_page():
    world = PagesWorld(
        include=["login", "logout", "me", "sessions"],
        accounts={"require_verified": False, "send_message": None},
    )
    await world.add()
    async with world.browser() as browser:
        page = await browser.get("/log-in")
        assert "<li>" not in page.text
        await world.log_in(browser)
        page = await browser.get("/account")
        assert re.findall(r'<li><a href="(.*?)"', page.text) == ["/devices", "/log-out"]
        assert (await browser.get("/change-password")).status_code == 404

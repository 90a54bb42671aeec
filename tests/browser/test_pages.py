"""A real Chromium walks every page: no scripts, by keyboard, on 320 pixels.

Every page is looked at by axe-core, in light and in dark.
"""

from __future__ import annotations

import re

import pyotp
import pytest

from asgi_auth.pages.registry import PAGES
from asgi_auth.passkeys import Passkeys
from asgi_auth.stores import Device
from tests.browser.conftest import PATIENCE_MS, missing
from tests.browser.people import NARROW, Person, axe_source, site_of
from tests.pages.site import EMAIL, PASSWORD

pytestmark = pytest.mark.timeout(180)
NEW = "amber-fox-17-boat"


@pytest.fixture
async def person(chromium):
    axe = axe_source()
    if axe is None:
        missing("axe-playwright-python is not installed")
    context = await chromium.new_context(java_script_enabled=False, viewport=NARROW)
    context.set_default_timeout(PATIENCE_MS)
    other = await chromium.new_context(viewport=NARROW)
    other.set_default_timeout(PATIENCE_MS)
    yield Person(await context.new_page(), await other.new_page(), axe)
    await context.close()
    await other.close()


async def test_a_new_user_walks_from_the_first_page_to_the_first_log_in(person, serve):
    world, app = site_of()
    origin = await serve(app)
    await person.page.goto(origin)
    await person.at("Log in")
    assert person.page.url.endswith("/auth/log-in?next=%2F")

    await person.press("Make an account")
    await person.at("Make an account")
    await person.fill(email=EMAIL, password="password1")
    await person.page.get_by_role("alert").wait_for()
    await person.at("Make an account")
    # The summary has the focus: Tab goes on from there.
    await person.press(
        "Choose another password: at least 8 characters, not one that is often used, "
        "and not your name."
    )
    await person.page.keyboard.type(PASSWORD)
    await person.page.keyboard.press("Enter")
    await person.page.get_by_role("status").wait_for()
    await world.outbox.drain()

    token = world.mailbox.token("verify")
    await person.page.goto(f"{origin}/auth/verify-email?token={token}")
    await person.at("Confirm your e-mail address")
    await person.press("Send me a new link")
    await person.at("Get a new link")
    await person.page.goto(f"{origin}/auth/verify-email?token={token}")
    await person.fill(password=PASSWORD)
    await person.at("Log in")

    await person.fill(login=EMAIL, password="wrong-otter-42-lamp")
    await person.page.get_by_role("alert").wait_for()
    await person.at("Log in")
    await person.fill(password=PASSWORD)
    await person.page.get_by_role("heading", name="Your notes").wait_for()


async def test_a_forgotten_password_is_replaced(person, serve):
    world, app = site_of()
    await world.add()
    origin = await serve(app)
    await person.page.goto(f"{origin}/auth/log-in")
    await person.press("Forgot your password?")
    await person.at("Forgot your password?")
    await person.fill(email=EMAIL)
    await person.page.get_by_role("status").wait_for()
    await world.outbox.drain()
    token = world.mailbox.token("reset")
    await person.page.goto(f"{origin}/auth/reset-password?token={token}")
    await person.at("Choose a new password")
    await person.fill(password=NEW)
    await person.page.get_by_role("status").wait_for()
    await person.fill(login=EMAIL, password=NEW)
    await person.page.get_by_role("heading", name="Your notes").wait_for()


async def test_an_owner_walks_through_the_account(person, serve):
    world, app = site_of()
    account = await world.add()
    device = Device(label="W" * 64, ip="2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff")
    await world.tokens.issue(account.id, device=device)
    origin = await serve(app)
    await person.page.goto(f"{origin}/auth/account")
    await person.fill(login=EMAIL, password=PASSWORD)
    await person.at("Your account")

    await person.press("Change the password")
    await person.at("Change the password")
    await person.fill(current=PASSWORD, password=NEW)
    await person.page.get_by_role("status").wait_for()
    # What is issued within the second of a revocation is revoked with the rest.
    world.clock.advance(5)
    await world.tokens.issue(account.id, device=device)

    await person.press("Change the e-mail address")
    await person.at("Change the e-mail address")
    await person.fill(email="new@example.com", password=NEW)
    await person.page.get_by_role("status").wait_for()
    await world.outbox.drain()
    token = world.mailbox.token("change_email")
    await person.page.goto(f"{origin}/auth/confirm-email?token={token}")
    await person.at("Confirm your new e-mail address")
    await person.fill(password=NEW)
    await person.page.get_by_role("status").wait_for()

    await person.page.goto(f"{origin}/auth/devices")
    await person.at("Your devices")
    await person.press("Log out on all other devices")
    await person.page.get_by_role("status").wait_for()
    assert len(await world.tokens.sessions(account.id)) == 1

    # What asks for a fresh log-in sends an owner to confirm it, and back.
    world.clock.advance(120)
    await person.page.goto(f"{origin}/money")
    await person.at("Is it still you?")
    await person.fill(password=NEW)
    await person.page.get_by_role("heading", name="Money").wait_for()

    await person.page.goto(f"{origin}/auth/account")
    await person.press("Log out")
    await person.at("Log out")
    await person.press("Log out")
    await person.page.get_by_role("status").wait_for()

    await person.page.goto(f"{origin}/auth/delete-account")
    await person.fill(login="new@example.com", password=NEW)
    await person.at("Delete the account")
    await person.fill(password=NEW)
    await person.page.get_by_role("status").wait_for()
    assert await world.store.find_by_id(account.id) is None


async def test_a_second_factor_is_set_up_and_asked_for(person, serve):
    world, app = site_of(factors={})
    await world.add()
    origin = await serve(app)
    texts = next(page for page in PAGES if page.name == "factors").texts["en"]
    await person.page.goto(f"{origin}/auth/second-factors")
    await person.fill(login=EMAIL, password=PASSWORD)
    await person.at("Second factors")
    await person.press(texts["begin_app"])
    await person.page.get_by_text(texts["scan"]).wait_for()
    await person.at("Second factors")
    secret = await person.page.locator("input[name=uri]").get_attribute("value")
    await person.fill(code=pyotp.parse_uri(secret).at(int(world.clock())))
    await person.page.get_by_text(texts["codes"]).wait_for()
    await person.at("Second factors")

    await person.page.context.clear_cookies()
    await person.page.goto(f"{origin}/auth/log-in")
    await person.fill(login=EMAIL, password=PASSWORD)
    await person.at("Confirm your log-in")


async def test_a_page_of_a_refusal_is_without_fault(person, serve):
    from starlette.routing import Route

    from asgi_auth.integrations.starlette import requires

    @requires("admin")
    async def admin(request):
        raise AssertionError

    world, app = site_of()
    app.router.routes.append(Route("/admin", admin))
    await world.add()
    origin = await serve(app)
    await person.page.goto(f"{origin}/admin")
    await person.fill(login=EMAIL, password=PASSWORD)
    await person.at("This did not work")


async def test_passkeys_are_listed_without_scripts(person, serve):
    passkeys = Passkeys("localhost", ["http://localhost"])
    world, app = site_of(passkeys=passkeys)
    await world.add()
    origin = await serve(app)
    await person.page.goto(f"{origin}/auth/account/passkeys")
    await person.fill(login=EMAIL, password=PASSWORD)
    await person.at("Passkeys")


def test_the_walks_come_by_every_page():
    """Each page's heading is waited for above: a new page needs a walk."""
    from pathlib import Path

    walks = Path(__file__).read_text("utf-8")
    headings = set(re.findall(r'person\.at\("(.*?)"\)', walks))
    assert {page.texts["en"]["title"] for page in PAGES} <= headings

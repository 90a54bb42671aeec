from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from tests.browser.test_passkeys import plug_in
from tests.cli.demo_server import EMAIL, PASSWORD, running_demo

TTL = 6  # Seconds: the client replaces tokens after half of it.
LOADED = "body[data-ready]"
TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
REFUSAL = "Failed to load resource: the server responded with a status of 4"


@pytest.fixture(scope="module")
def demo():
    with running_demo("--access-ttl", str(TTL)) as running:
        yield running


@dataclass
class Watch:
    """What all windows of a visitor do that they must not."""

    faults: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def hear(self, message) -> None:
        # The browser notes each 401 of a route that refuses, as it should.
        if message.type in {"error", "warning"} and REFUSAL not in message.text:
            self.faults.append(message.text)

    def over(self, context) -> None:
        context.on("console", self.hear)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        context.on("page", self.follow)

    def follow(self, page) -> None:
        page.on("request", self.note)
        page.on("websocket", self.note)

    def note(self, sent) -> None:
        self.hosts.add(urlsplit(sent.url).netloc)


@pytest.fixture
async def visit(demo, chromium):
    """Visit the page with a browser that has never been there: ``await visit()``."""
    contexts = []
    watch = Watch()

    async def come(**settings):
        context = await chromium.new_context(**settings)
        context.set_default_timeout(10_000)
        contexts.append(context)
        watch.over(context)
        page = await context.new_page()
        await page.goto(demo.origin)
        await page.wait_for_selector(LOADED)
        return page

    yield come
    for context in contexts:
        await context.close()
    assert watch.faults == []
    assert watch.hosts == {urlsplit(demo.origin).netloc}


async def log_in(page):
    await page.click("#login .primary")
    await page.wait_for_selector("#devices li")


async def register(page, email):
    await page.fill("#email", email)
    await page.fill("#password", "otter-lamp-77-moss")
    await page.click("text=Register")
    await page.wait_for_selector("#devices li")


async def second_window(page):
    async with page.context.expect_page() as opened:
        await page.click("#second-window")
    other = await opened.value
    await other.wait_for_selector("#people li:nth-child(2)")
    await page.wait_for_selector("#people li:nth-child(2)")
    return other


async def say(page, text):
    await page.fill("#text", text)
    await page.press("#text", "Enter")


async def test_a_visitor_registers_and_calls_guarded_routes(visit):
    page = await visit()
    await register(page, "ada@example.com")

    assert await page.inner_text("#who") == "ada@example.com"
    await page.click("#call-orders")
    await page.wait_for_selector("#route-answer >> text=200")
    assert '"for": "ada"' in await page.inner_text("#route-answer")

    await page.click("#call-admin")
    await page.wait_for_selector("#route-answer >> text=403")
    answer = await page.inner_text("#route-answer")
    assert 'Bearer error="insufficient_scope"' in answer
    assert '"roles": ["admin"]' in answer

    await page.click("#call-anonymous")
    await page.wait_for_selector("#route-answer >> text=401")
    assert '"code": "unauthenticated"' in await page.inner_text("#route-answer")


async def test_a_taken_address_and_a_wrong_password_are_told(visit):
    page = await visit()
    await page.click("text=Register")
    await page.wait_for_selector("#login-problem:not([hidden])")

    await page.fill("#password", "not the password")
    await page.click("#login .primary")
    await page.wait_for_selector("#log >> text=401")
    assert await page.is_visible("#login-problem")
    assert await page.is_hidden("#logged-in")


async def test_tokens_are_shown_decoded_and_never_whole(visit):
    page = await visit()
    await log_in(page)

    header, payload, signature = await page.locator("#access .part").all_inner_texts()
    assert "at+jwt" in header
    assert "ES256" in header
    assert "orders:read" in payload
    assert "64 bytes" in signature
    await page.click("#step-tokens summary")
    assert "rt+jwt" in await page.inner_text("#refresh")
    await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = 1)")
    seen = await page.inner_text("body")
    assert TOKEN.search(seen) is None
    assert PASSWORD not in seen
    assert "eyJhbGciOi…" in seen


async def test_tokens_are_replaced_before_they_end_and_the_socket_lives_on(visit):
    page = await visit()
    await log_in(page)
    first = await page.inner_text("#access")

    await page.wait_for_selector("#log .event >> text=Both tokens were replaced")
    assert await page.inner_text("#access") != first
    await page.wait_for_selector("#log >> text=WS → auth")
    assert await page.inner_text("#socket-state") == "open"


async def test_a_new_role_comes_with_the_next_refresh(visit):
    page = await visit()
    await register(page, "boss@example.com")
    await page.click("[data-room=admins]")
    await page.wait_for_selector("#messages >> text=forbidden_room")
    await page.check("#admin")
    await page.wait_for_selector("text=Your access token has the role now.")

    await page.click("#call-admin")
    await page.wait_for_selector("#route-answer >> text=200")
    await page.wait_for_selector("#log >> text=WS ← auth")
    await page.click("[data-room=admins]")
    await page.wait_for_selector("[data-room=admins][aria-pressed=true]")


async def test_two_windows_chat_until_one_revokes_the_other(visit):
    page = await visit()
    await register(page, "two@example.com")
    other = await second_window(page)
    assert "#" not in other.url
    await say(page, "hello there")
    await other.wait_for_selector(".said:not(.mine) >> text=hello there")
    await say(other, "and back")
    await page.wait_for_selector(".said:not(.mine) >> text=and back")

    await page.click("button[aria-label='Revoke Teal window']")
    await other.wait_for_selector("#banner:not([hidden])")
    banner = await other.inner_text("#banner")
    assert "This window was logged out." in banner
    assert "3000 token_revoked" in banner
    assert await other.is_visible("#logged-out")
    await page.wait_for_selector("#people li:only-child")
    assert await page.locator("#devices li").count() == 1
    assert await page.inner_text("#socket-state") == "open"


async def test_log_out_everywhere_ends_every_window(visit):
    page = await visit()
    await register(page, "all@example.com")
    other = await second_window(page)
    await page.click("#logout-all")

    await page.wait_for_selector("#logged-out:not([hidden])")
    await other.wait_for_selector("#banner:not([hidden])")
    assert await page.is_hidden("#banner")


ATTACKS = {
    "expired": ('401 Bearer error="invalid_token"', "token_expired", "at+jwt"),
    "forged": ('401 Bearer error="invalid_token"', "invalid_token", '["admin"]'),
    "none": ('401 Bearer error="invalid_token"', "invalid_token", '"none"'),
    "refresh-as-access": ("401 Bearer", "invalid_token", "rt+jwt"),
    "reuse": ('401 Bearer error="invalid_token"', "token_reused", "rt+jwt"),
    "foreign-origin": ("403 ", "cross_origin", "at+jwt"),
}


async def test_each_attack_is_refused_with_its_challenge(visit):
    page = await visit()
    await log_in(page)
    await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = 1)")
    for name, (told, code, token) in ATTACKS.items():
        row = page.locator(f"[data-attack={name}]")
        await row.locator("button").click()
        await row.locator(".answer").wait_for()
        status, _, challenge = told.partition(" ")
        assert await row.locator("h3 .pill").inner_text() == f"refused, {status}"
        answer = await row.locator(".answer").text_content()
        assert challenge in answer
        assert f'"code": "{code}"' in answer
        assert token in answer
        assert "HTTP/1.1" in answer
        assert TOKEN.search(answer) is None

    assert await page.locator("#log .event.bad").count() == 0


async def test_one_can_log_in_with_the_keyboard_alone(visit):
    page = await visit()
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.className") == "skip"
    for _ in range(10):
        await page.keyboard.press("Tab")
        if await page.evaluate("document.activeElement.id") == "email":
            break
    await page.keyboard.press("ControlOrMeta+A")
    await page.keyboard.type(EMAIL)
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#devices li")

    assert await page.evaluate("document.activeElement.id") == "h-login"
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "logout"
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert await page.evaluate(outline) == "solid"
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#logged-out:not([hidden])")
    assert await page.evaluate("document.activeElement.id") == "email"


async def test_it_fits_a_phone(visit):
    page = await visit(viewport={"width": 360, "height": 740})
    await log_in(page)
    await page.click("#call-admin")
    await page.click("[data-attack=reuse] button")
    await page.wait_for_selector("[data-attack=reuse] .answer")
    await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = 1)")

    assert await page.evaluate("document.documentElement.scrollWidth") == 360


async def test_the_theme_follows_the_system_until_one_is_chosen(visit):
    page = await visit(color_scheme="dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = await page.evaluate(paper)
    assert await page.get_attribute("#theme", "aria-pressed") == "true"
    await page.click("#theme")
    light = await page.evaluate(paper)
    assert light != dark
    await page.reload()
    assert await page.evaluate(paper) == light


async def test_every_control_has_a_name(visit):
    page = await visit()
    await log_in(page)
    nameless = await page.evaluate("""() =>
        [...document.querySelectorAll("button, input, summary")]
            .filter((e) => !(e.ariaLabel || e.innerText || e.labels?.length))
            .map((e) => e.outerHTML)""")
    assert nameless == []


async def test_a_visitor_adds_a_passkey_and_logs_in_with_it(demo, new_tab):
    tab = await new_tab(demo.origin)
    await tab.wait_for_selector(LOADED)
    await log_in(tab)
    assert await tab.is_hidden("#passkey-row")
    await tab.click("#passkey-link")
    await tab.wait_for_url("http://localhost:*/")
    await tab.wait_for_selector(LOADED)
    await plug_in(tab)
    await log_in(tab)
    await tab.click("#passkey-add")
    await tab.wait_for_selector("#passkey-hint:has-text('Added')")
    await tab.click("#logout")
    await tab.click("#passkey-login")
    await tab.wait_for_selector("#logged-in:not([hidden])")
    await tab.wait_for_selector("#devices li:has-text('this window')")
    assert await tab.is_hidden("#login-problem")

"""The page about passkeys, and what the pages to log in have for them."""

from __future__ import annotations

from dataclasses import replace

from asgi_auth.passkeys import Passkey, Passkeys
from tests.pages.site import EMAIL, PagesWorld, faults, title

PAGE = "/account/passkeys"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class PasskeyPages(PagesWorld):
    """Pages of users who may have passkeys."""

    def __init__(self, **options) -> None:
        self.passkeys = Passkeys("api.example", ["https://api.example"])
        super().__init__(passkeys=self.passkeys, **options)

    async def give(self, account, name="Key <ring>", passkey_id="p1") -> None:
        passkey = Passkey(
            id=passkey_id,
            subject=account.id,
            handle="aGFuZGxl",
            public_key=b"",
            name=name,
            is_synced=True,
            created_at=self.clock(),
            last_used_at=self.clock(),
        )
        await self.passkeys.store.add(passkey)

    async def names(self, account) -> list[str]:
        return [each.name for each in await self.passkeys.list(account.id)]


async def test_the_pages_to_log_in_offer_passkeys_and_run_no_other_script():
    world = PasskeyPages(factors={})
    await world.add()
    async with world.browser() as browser:
        for path in ("/log-in?next=/orders%3Fa%3D1", "/log-in/code"):
            page = await browser.get(path)
            assert page.headers["content-security-policy"] == POLICY
            assert page.text.count("<script") == 1
            assert '<script type="module" src="/passkeys.js">' in page.text
            assert "data-passkey=" in page.text
        page = await browser.get("/log-in?next=/orders%3Fa%3D1")
        assert 'autocomplete="username webauthn"' in page.text
        assert 'data-next="/orders?a=1"' in page.text
        evil = await browser.get("/log-in?next=https://evil.example")
        assert 'data-next="/"' in evil.text

        await world.log_in(browser)
        page = await browser.get("/confirm")
        assert 'data-passkey="confirm"' in page.text
        script = await browser.get("/passkeys.js")
        assert script.headers["content-type"].startswith("text/javascript")
        known = {"if-none-match": script.headers["etag"]}
        assert (await browser.get("/passkeys.js", headers=known)).status_code == 304


async def test_without_passkeys_no_page_speaks_of_them():
    world = PagesWorld()
    async with world.browser() as browser:
        page = await browser.get("/log-in")
        assert "passkey" not in page.text
        assert "webauthn" not in page.text
        assert (await browser.get(PAGE)).status_code == 404


async def test_a_user_lists_names_and_removes_passkeys_without_a_script():
    world = PasskeyPages()
    account = await world.add()
    async with world.browser() as browser:
        assert (await browser.get(PAGE)).headers["location"].startswith("/log-in?")
        await world.log_in(browser)
        assert "You have none yet." in (await browser.get(PAGE)).text
        await world.give(account)
        page = await browser.get(PAGE)
        assert title(page) == "Passkeys"
        assert "Key &lt;ring&gt;" in page.text
        assert "<ring>" not in page.text
        assert "It is synced" in page.text
        assert 'data-confirm="/confirm?next=%2Faccount%2Fpasskeys"' in page.text

        named = {"action": "rename", "id": "p1", "name": "Red key"}
        done = await browser.post(PAGE, data=named)
        assert done.headers["location"] == f"{PAGE}?done=passkeys"
        assert await world.names(account) == ["Red key"]
        bad = await browser.post(PAGE, data={**named, "name": ""})
        assert bad.status_code == 422
        assert faults(bad)

        removed = {"action": "remove", "id": "p1"}
        for _ in range(2):
            done = await browser.post(PAGE, data=removed)
            assert done.headers["location"] == f"{PAGE}?done=passkeys"
        assert await world.names(account) == []
        assert (await browser.get("/account")).text.count(PAGE) == 1


async def test_the_last_way_in_stays_and_the_page_says_so():
    world = PasskeyPages()
    account = await world.add()
    async with world.browser(headers={"accept-language": "de"}) as browser:
        await world.log_in(browser)
        await world.give(account)
        stored = await world.store.find_by_email(EMAIL)
        await world.store.update(replace(stored, password_hash=None))
        page = await browser.post(PAGE, data={"action": "remove", "id": "p1"})
        assert page.status_code == 422
        assert faults(page)[0].startswith("Das ist der einzige Weg")
        assert await world.names(account) == ["Key <ring>"]


async def test_who_logged_in_long_ago_confirms_before_a_passkey_goes():
    world = PasskeyPages()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        await world.give(account)
        world.clock.advance(301)
        page = await browser.post(PAGE, data={"action": "remove", "id": "p1"})
        assert page.headers["location"] == "/confirm?next=%2Faccount%2Fpasskeys"
        assert await world.names(account) == ["Key <ring>"]


async def test_a_foreign_page_removes_no_passkey():
    world = PasskeyPages()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        await world.give(account)
        foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        data = {"action": "remove", "id": "p1"}
        page = await browser.post(PAGE, data=data, headers=foreign)
        assert page.status_code == 403
        assert await world.names(account) == ["Key <ring>"]


async def test_who_needs_a_second_factor_reads_that_and_goes_on_with_a_passkey():
    world = PasskeyPages()
    account = await world.add()
    way = {"needed": "1", "next": "/vault"}
    async with world.browser() as browser:
        await world.log_in(browser)
        page = await browser.get(PAGE, params=way)
        assert "needs a second factor. Set one up" in page.text
        assert ">Go on</a>" not in page.text
        await world.give(account)
        page = await browser.get(PAGE, params=way)
        assert '<a href="/vault">Go on</a>' in page.text
        assert '<input type="hidden" name="next" value="/vault">' in page.text
        elsewhere = await browser.get("/devices", params=way)
        assert "needs a second factor" not in elsewhere.text

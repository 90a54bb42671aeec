"""Log-ins elsewhere, as a browser without JavaScript uses them."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urlencode

import pytest

from asgi_auth.credentials.site import Site
from asgi_auth.identities import (
    Client,
    Identities,
    IDTokenPolicy,
    MemoryIdentities,
    OAuthProvider,
    OIDCProvider,
)
from asgi_auth.keys import Transport
from tests.identities.op import CLIENT, ISSUER, SECRET, FakeOP
from tests.pages.site import PagesWorld, faults, title

pytestmark = pytest.mark.anyio


class Elsewhere(PagesWorld):
    """Pages with buttons for two providers."""

    def __init__(self, **options) -> None:
        super().__init__(
            identities=self._make,
            site=Site(public_url="https://api.example"),
            **options,
        )

    def _make(self, tokens, accounts):
        self.op = FakeOP(self.clock)
        return Identities(
            OIDCProvider(
                "op",
                ISSUER,
                Client(id=CLIENT, secret=SECRET),
                label="Shop & Co",
                id_token_policy=IDTokenPolicy(trust_addresses=True),
                transport=Transport(self.op.fetch),
                clock=self.clock,
            ),
            OAuthProvider.github("id", "secret"),
            tokens=tokens,
            accounts=accounts,
            store=MemoryIdentities(),
            error_page="/provider",
            clock=self.clock,
        )

    async def back(self, browser, answer, **more):
        """Go on to the provider, log in there, and come back."""
        assert answer.status_code == 200, answer.text
        assert "form-action 'none'" in answer.headers["content-security-policy"]
        came = self.op.authorize(leads_to(answer)) | more
        came = {name: value for name, value in came.items() if value is not None}
        return await browser.get(f"/providers/op/callback?{urlencode(came)}")

    async def come_in(self, browser, **fields):
        answer = await browser.post("/provider", data={"provider": "op", **fields})
        return await self.back(browser, answer)


def leads_to(answer) -> str:
    return unescape(re.search(r'content="0;url=([^"]*)"', answer.text)[1])


async def test_the_page_to_log_in_has_buttons_that_lead_in():
    world = Elsewhere()
    async with world.browser() as browser:
        page = await browser.get("/log-in?next=/orders")
        assert "Log in with Shop &amp; Co" in page.text
        assert "Log in with GitHub" in page.text
        form = re.search(
            r'<form[^>]*action="/provider".*?</form>', page.text, re.DOTALL
        )
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[0]))
        assert fields == {"provider": "op", "next": "/orders"}
        answer = await world.come_in(browser, **fields)
        assert leads_to(answer) == "/orders"
        assert "ann@example.com" in (await browser.get("/account")).text


async def test_who_is_refused_reads_why():
    world = Elsewhere()
    world.op.email = {}
    async with world.browser() as browser:
        answer = await world.come_in(browser)
        page = await browser.get(leads_to(answer))
        assert title(page) == "Log in elsewhere"
        assert faults(page)[0].startswith("No account is linked")
        assert "Log in with GitHub" in page.text
        page = await browser.get("/provider?error=<script>")
        assert "<script" not in page.text
        german = {"accept-language": "de"}
        page = await browser.get("/provider?error=provider_denied", headers=german)
        assert faults(page) == ["Sie wurden dort nicht angemeldet."]
        assert faults(await browser.get("/provider")) == []


@pytest.mark.parametrize("name", ["nobody", "", "../login", "a/b", "op?x", "ö"])
async def test_an_unknown_provider_leads_nowhere(name):
    world = Elsewhere()
    async with world.browser() as browser:
        page = await browser.post("/provider", data={"provider": name})
        assert page.status_code == 422
        assert faults(page) == ["There is no such log-in."]


async def test_a_provider_that_is_down_is_an_error_page():
    world = Elsewhere()
    world.op.down = {"*"}
    async with world.browser() as browser:
        page = await browser.post("/provider", data={"provider": "op"})
        assert page.status_code == 503
        assert "not available" in page.text


async def test_no_foreign_page_leads_to_a_provider():
    world = Elsewhere()
    foreign = {"sec-fetch-site": "cross-site"}
    async with world.browser(headers=foreign) as browser:
        page = await browser.post("/provider", data={"provider": "op"})
        assert page.status_code == 403


async def test_a_user_links_and_unlinks_on_a_page():
    world = Elsewhere()
    await world.add("bob@example.com")
    world.op.email = {"email": "elsewhere@example.com"}
    async with world.browser() as browser:
        await world.log_in(browser, login="bob@example.com")
        page = await browser.get("/linked-log-ins")
        assert "No log-in elsewhere" in page.text
        link = {"action": "link", "provider": "op"}
        answer = await browser.post("/linked-log-ins", data=link)
        answer = await world.back(browser, answer)
        assert leads_to(answer) == "/linked-log-ins"
        page = await browser.get("/linked-log-ins")
        assert "Shop &amp; Co (elsewhere@example.com)" in page.text

        name = re.search(r'name="id" value="([^"]*)"', page.text)[1]
        world.clock.advance(301)
        unlink = {"action": "unlink", "id": name}
        answer = await browser.post("/linked-log-ins", data=unlink)
        assert answer.headers["location"] == "/confirm?next=%2Flinked-log-ins"
        confirm = await browser.get(answer.headers["location"])
        assert "Log in again with Shop &amp; Co" in confirm.text
        assert 'name="fresh"' in confirm.text
        world.op.claims = {"auth_time": int(world.clock())}
        await world.come_in(browser, fresh="1", next="/linked-log-ins")
        answer = await browser.post("/linked-log-ins", data=unlink)
        assert answer.headers["location"] == "/linked-log-ins?done=identities"
        page = await browser.post("/linked-log-ins", data={**unlink, "id": "../me"})
        assert faults(page) == ["This log-in is not linked to your account."]


async def test_the_last_way_in_is_kept_on_the_page():
    world = Elsewhere()
    async with world.browser() as browser:
        await world.come_in(browser)
        page = await browser.get("/linked-log-ins")
        name = re.search(r'name="id" value="([^"]*)"', page.text)[1]
        unlink = {"action": "unlink", "id": name}
        page = await browser.post("/linked-log-ins", data=unlink)
        assert faults(page)[0].startswith("This is your only way")


async def test_a_second_factor_is_asked_for_on_its_page():
    world = Elsewhere(factors={})
    async with world.browser() as browser:
        path = "/provider?error=second_factor_required&next=%2Forders"
        answer = await browser.get(path)
        assert answer.headers["location"] == "/log-in/code?next=%2Forders"
        answer = await browser.get("/provider?error=second_factor_required")
        assert answer.headers["location"] == "/log-in/code"


async def test_without_providers_there_are_no_such_pages():
    world = PagesWorld()
    async with world.browser() as browser:
        assert (await browser.get("/provider")).status_code == 404
        assert "Log in with" not in (await browser.get("/log-in")).text

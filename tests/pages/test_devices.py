"""More devices than fit on a page."""

from __future__ import annotations

from tests.pages.site import PagesWorld


async def test_many_devices_are_shown_page_by_page_and_ended_all():
    world = PagesWorld()
    account = await world.add()
    async with world.browser() as browser:
        await world.log_in(browser)
        world.clock.advance(5)  # The oldest come first: this device is among them.
        for _ in range(60):
            await world.tokens.issue(account.id)
        page = await browser.get("/devices")
        assert page.text.count('name="sid"') == 49
        following = page.text.partition("/devices?after=")[2].partition('"')[0]
        page = await browser.get(f"/devices?after={following}")
        assert page.text.count('name="sid"') == 11
        page = await browser.get("/devices?after=nonsense")
        assert page.status_code == 422
        await browser.post("/devices", data={"all": "1"})
        assert len(await world.tokens.sessions(account.id)) == 1

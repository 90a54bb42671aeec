"""Takes the screenshots of the pages for the documentation.

From the top of the repository: ``python -m tests.browser.page_screenshots``
"""

from __future__ import annotations

import asyncio
import shutil

from playwright.async_api import Browser, async_playwright

from asgi_auth.stores import Device
from tests.browser.conftest import BROWSERS, SWITCHES, serving
from tests.browser.people import site_of
from tests.browser.screenshots import beside_each_other
from tests.pages.site import EMAIL, PASSWORD

PHONE = {"width": 400, "height": 660}


async def take_all(browser: Browser) -> None:
    world, app = site_of()
    account = await world.add()
    phone = Device(label="Ann's phone", ip="192.0.2.17")
    await world.tokens.issue(account.id, device=phone)
    pictures = []
    async with serving(app) as origin:
        for scheme in ("light", "dark"):
            context = await browser.new_context(
                viewport=PHONE, color_scheme=scheme, java_script_enabled=False
            )
            page = await context.new_page()
            await page.goto(f"{origin}/auth/log-in?next=/auth/devices")
            if scheme == "light":
                await page.fill("#login", EMAIL)
                await page.fill("#password", "wrong")
                await page.click("button")
                await page.get_by_role("alert").wait_for()
            pictures.append(await page.screenshot())
            await page.fill("#login", EMAIL)
            await page.fill("#password", PASSWORD)
            await page.click("button")
            await page.get_by_role("heading", name="Your devices").wait_for()
            if scheme == "dark":
                pictures.append(await page.screenshot())
            await context.close()

    await beside_each_other(browser, pictures, "pages.png")


async def main() -> None:
    path = next(filter(None, map(shutil.which, BROWSERS)))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=SWITCHES)
        await take_all(browser)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())

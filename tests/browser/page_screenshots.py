"""Takes the screenshots of the pages for the documentation.

From the top of the repository: ``python -m tests.browser.page_screenshots``
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
from pathlib import Path

import pyotp
from fastapi.openapi.docs import get_swagger_ui_html
from playwright.async_api import Browser, Page, async_playwright
from starlette.staticfiles import StaticFiles

from asgi_auth.stores import Device
from tests.browser.conftest import BROWSERS, SWAGGER_UI, SWITCHES, serving
from tests.browser.people import site_of
from tests.browser.screenshots import FOLDER, beside_each_other
from tests.integrations.apps.fastapi import create_app
from tests.integrations.services import Services
from tests.pages.site import EMAIL, PASSWORD

PHONE = {"width": 400, "height": 660}
DIALOG = {"width": 800, "height": 600}
EVERY_WAY = FOLDER.parents[1] / "how-to" / "every-way-to-log-in.md"


async def fill_in(page: Page) -> None:
    await page.fill("#login", EMAIL)
    await page.fill("#password", PASSWORD)
    await page.click("button")


async def every_way(browser: Browser) -> None:
    """The page to log in of the guide's own example, and one to set up an app."""
    source = re.search(r"```python\n(.*?)```", EVERY_WAY.read_text("utf-8"), re.DOTALL)
    example: dict = {}
    exec(source[1], example)
    async with serving(example["app"]) as origin:
        page = await browser.new_page(viewport=PHONE, color_scheme="light")
        await page.goto(f"{origin}/auth/log-in")
        pictures = [await page.screenshot()]

    world, app = site_of("Shop", factors={})
    await world.add()
    async with serving(app) as origin:
        page = await browser.new_page(viewport=PHONE, color_scheme="light")
        await page.goto(f"{origin}/auth/second-factors")
        await fill_in(page)
        await page.get_by_role("heading", name="Second factors").wait_for()
        await page.get_by_role("button", name="app").click()
        await page.locator("svg").first.wait_for()
        pictures.append(await page.screenshot())

        uri = await page.locator("input[name=uri]").get_attribute("value")
        code = pyotp.parse_uri(uri).at(int(world.clock()))
        await page.fill("#code", code)
        await page.get_by_role("button", name="Confirm").click()
        await page.get_by_text("recovery codes").first.wait_for()
        await page.context.clear_cookies()
        await page.goto(f"{origin}/auth/log-in")
        await fill_in(page)
        await page.get_by_role("heading", name="Confirm your log-in").wait_for()
        pictures.append(await page.screenshot())

    await beside_each_other(browser, pictures, "every-way.png")


async def swagger(browser: Browser) -> None:
    """The Authorize button of FastAPI's own documentation."""
    spec = importlib.util.find_spec("drf_spectacular_sidecar")
    services = Services()
    await services.add_user()
    app = create_app(services, docs_url=None)
    app.mount("/assets", StaticFiles(directory=Path(spec.origin).parent / SWAGGER_UI))

    @app.get("/docs", include_in_schema=False)
    def docs():
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Orders",
            swagger_js_url="assets/swagger-ui-bundle.js",
            swagger_css_url="assets/swagger-ui.css",
        )

    async with serving(app) as origin:
        page = await browser.new_page(viewport=DIALOG)
        await page.goto(f"{origin}/docs")
        await page.locator(".btn.authorize").first.click()
        await page.locator("#oauth_username").first.fill(EMAIL)
        await page.locator("#oauth_password").first.fill(PASSWORD)
        await page.locator(".modal-ux-content").evaluate("box => box.scrollTo(0, 0)")
        await page.screenshot(path=FOLDER / "swagger.png")


async def devices(browser: Browser) -> None:
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
        for take in (devices, every_way, swagger):
            await take(browser)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main())

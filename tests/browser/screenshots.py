"""Takes the screenshots of the documentation, anew and from the real page.

From the top of the repository: ``python -m tests.browser.screenshots``
"""

from __future__ import annotations

import asyncio
import base64
import shutil
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from tests.browser.conftest import BROWSERS, SWITCHES
from tests.cli.demo_server import running_demo

FOLDER = Path(__file__).parents[2] / "docs" / "_static" / "screenshots"
DESKTOP = {"width": 1280, "height": 860}
PHONE = {"width": 360, "height": 740}


async def visit(browser: Browser, origin: str, **settings) -> Page:
    context = await browser.new_context(**settings)
    page = await context.new_page()
    await page.goto(origin)
    await page.wait_for_selector("body[data-ready]")
    return page


async def log_in(page: Page) -> None:
    await page.click("#login .primary")
    await page.wait_for_selector("#devices li")
    await page.mouse.move(0, 0)


async def still(page: Page) -> None:
    """Wait until nothing moves or glows any more."""
    await page.wait_for_timeout(400)


async def show(page: Page, selector: str, margin: int = 16) -> None:
    script = "([s, m]) => scrollTo(0, document.querySelector(s).offsetTop - m)"
    await page.evaluate(script, [selector, margin])
    await still(page)


async def light(browser: Browser, origin: str) -> None:
    page = await visit(browser, origin, viewport=DESKTOP, color_scheme="light")
    await log_in(page)
    await page.click("#call-orders")
    await page.click("#call-admin")
    await page.wait_for_selector("#route-answer >> text=403")
    await show(page, "#step-tokens")
    await page.screenshot(path=FOLDER / "demo-light.png")
    await page.click("#logout-all")
    await page.context.close()


async def dark(browser: Browser, origin: str) -> None:
    page = await visit(browser, origin, viewport=DESKTOP, color_scheme="dark")
    await log_in(page)
    await page.click("[data-attack=reuse] button")
    await page.wait_for_selector("[data-attack=reuse] .answer")
    await show(page, "#step-attacks")
    await page.mouse.move(0, 0)
    await page.screenshot(path=FOLDER / "demo-dark.png")
    await page.click("#logout-all")
    await page.context.close()


async def phone(browser: Browser, origin: str) -> None:
    page = await visit(browser, origin, viewport=PHONE, device_scale_factor=1.5)
    await log_in(page)
    await show(page, "#step-login", 70)
    await page.screenshot(path=FOLDER / "demo-phone.png")
    await page.click("#logout-all")
    await page.context.close()


async def chat(browser: Browser, origin: str) -> None:
    page = await visit(browser, origin, viewport={"width": 600, "height": 660})
    await log_in(page)
    async with page.context.expect_page() as opened:
        await page.click("#second-window")
    other = await opened.value
    await other.set_viewport_size({"width": 600, "height": 660})
    await page.wait_for_selector("#people li:nth-child(2)")
    for window, text in ((page, "Hello from the first window"), (other, "And back")):
        await window.fill("#text", text)
        await window.press("#text", "Enter")
        await window.wait_for_selector(f"#messages >> text={text}")
    await page.wait_for_selector("#messages >> text=And back")
    pictures = []
    for window in (page, other):
        await window.evaluate("document.activeElement.blur()")
        await show(window, "#step-chat")
        pictures.append(await window.screenshot())
    await beside_each_other(browser, pictures)
    await page.context.close()


async def beside_each_other(
    browser: Browser, pictures: list[bytes], name: str = "demo-chat.png"
) -> None:
    encoded = [base64.b64encode(picture).decode() for picture in pictures]
    images = "".join(f"<img src='data:image/png;base64,{data}'>" for data in encoded)
    style = "body{margin:0;display:flex;gap:16px;background:#c9c7c1;padding:16px}"
    page = await browser.new_page(viewport={"width": 1248, "height": 692})
    await page.set_content(f"<style>{style}</style>{images}")
    await page.screenshot(path=FOLDER / name)


async def take_all() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = next(filter(None, map(shutil.which, BROWSERS)))
    with running_demo() as demo:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=found, args=SWITCHES
            )
            for take in (light, dark, phone, chat):
                await take(browser, demo.origin)
            await browser.close()


if __name__ == "__main__":
    asyncio.run(take_all())

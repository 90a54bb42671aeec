"""A site with pages, and a person with a keyboard, a narrow screen and no scripts."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from asgi_auth.integrations.starlette import install, requires
from asgi_auth.routes import Cookies
from tests.pages.site import PagesWorld

NARROW = {"width": 320, "height": 640}
MOST_TABS = 25


@requires()
async def home(request):
    return HTMLResponse(
        "<!doctype html><html lang=en><title>Notes</title><h1>Your notes</h1>"
        '<a href="/auth/account">Account</a>'
    )


def site_of(brand="Acme", **options):
    """Return a world, and the application with its pages."""
    cookies = Cookies(samesite="lax", path="/", insecure_for_localhost=True)
    world = PagesWorld(cookies=cookies, pages={"brand": brand}, **options)

    @requires(max_age=60, clock=world.clock)
    async def money(request):
        return HTMLResponse("<!doctype html><title>Money</title><h1>Money</h1>")

    app = Starlette(routes=[Route("/", home), Route("/money", money)])
    install(app, world.tokens, routes=world.pages, renew=True)
    return world, app


def axe_source() -> str | None:
    """Return axe-core: that of ``AXE_CORE``, or what the package for tests brings."""
    named = os.environ.get("AXE_CORE")
    if named:
        return Path(named).read_text("utf-8")

    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        return None

    return Path(spec.origin).with_name("axe.min.js").read_text("utf-8")


class Person:
    """Uses one page by keyboard.

    Args:
        page: A tab whose scripts are off.
        twin: A tab whose scripts are on, for axe-core.
        axe: The source of axe-core.
    """

    def __init__(self, page, twin, axe: str) -> None:
        self.page = page
        self.twin = twin
        self.axe = axe
        self.seen: list[str] = []

    async def at(self, heading: str) -> None:
        """Check that a page is there, fits, and is without an accessibility fault."""
        await self.page.get_by_role("heading", level=1, name=heading).wait_for()
        width = await self.page.evaluate("document.documentElement.scrollWidth")
        assert width <= NARROW["width"], f"{heading} is {width} pixels wide"
        self.seen.append(heading)
        await self.judge(heading)

    async def judge(self, heading: str) -> None:
        """Run axe-core on a twin of the page, whose scripts are on, in both colours."""
        html, url = await self.page.content(), self.page.url

        async def repeat(route) -> None:
            await route.fulfill(body=html, content_type="text/html; charset=utf-8")

        await self.twin.route(url, repeat)
        await self.twin.goto(url)
        await self.twin.unroute(url)
        await self.twin.evaluate(self.axe)
        for scheme in ("light", "dark"):
            await self.twin.emulate_media(color_scheme=scheme)
            result = await self.twin.evaluate("axe.run()")
            faults = [
                (fault["id"], node["html"])
                for fault in result["violations"]
                for node in fault["nodes"]
            ]
            assert not faults, f"{heading} in {scheme}: {faults}"

    async def tab_to(self, name: str) -> None:
        """Press Tab until the focus is on a field, a link or a button of this name."""
        script = (
            "(() => { const e = document.activeElement;"
            "return [e.name || '', (e.textContent || '').trim()]; })()"
        )
        for _ in range(MOST_TABS):
            await self.page.keyboard.press("Tab")
            if name in await self.page.evaluate(script):
                return

        msg = f"no Tab leads to {name!r} on {self.page.url}"
        raise AssertionError(msg)

    async def fill(self, **fields: str) -> None:
        """Type into fields, and send the form with Enter."""
        for name, value in fields.items():
            await self.tab_to(name)
            await self.page.keyboard.type(value)
        await self.page.keyboard.press("Enter")

    async def press(self, name: str) -> None:
        """Go to a link or a button, and press Enter."""
        await self.tab_to(name)
        await self.page.keyboard.press("Enter")

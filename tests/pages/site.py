"""An application with pages, and short ways through it."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from html import unescape

from asgi_auth.pages import AuthPages
from asgi_auth.routes import Cookies
from tests.routes.world import EMAIL, PASSWORD, World

FORM = {"content-type": "application/x-www-form-urlencoded"}
OWN = {"origin": "https://api.example"}


class PagesWorld(World):
    """Pages in front of the routes of a world.

    Args:
        pages: Options of the pages.
        options: Of the world.
    """

    def __init__(self, *, pages=None, **options) -> None:
        options.setdefault("delivery", "cookie")
        options.setdefault("cookies", Cookies(samesite="lax", path="/"))
        super().__init__(**options)
        self.pages = AuthPages(self.routes, **(pages or {}))

    @asynccontextmanager
    async def browser(self, **options):
        """Visit the pages as a browser does."""
        headers = {"sec-fetch-site": "same-origin", "accept": "text/html"}
        headers |= options.pop("headers", {})
        options.setdefault("cookies", {"theme": "dark"})
        async with self.client(app=self.pages, headers=headers, **options) as client:
            yield client

    async def account(self):
        """Return the account of the one user."""
        return await self.store.find_by_email(EMAIL)

    async def log_in(self, browser, **fields):
        data = {"login": EMAIL, "password": PASSWORD, "remember": "1", **fields}
        response = await browser.post("/log-in", data=data)
        assert response.status_code == 303, response.text
        return response


def title(response) -> str:
    return unescape(re.search(r"<h1>(.*?)</h1>", response.text)[1])


def faults(response) -> list[str]:
    """Return what the summary of faults says."""
    summary = re.search(r'<div class="faults".*?</div>', response.text, re.DOTALL)
    if summary is None:
        return []

    items = re.findall(r"<li>(.*?)</li>", summary[0], re.DOTALL)
    return [unescape(re.sub("<.*?>", "", item)) for item in items]


def set_cookies(response) -> dict[str, str]:
    """Return the cookies that a response sets, by name, whole."""
    lines = response.headers.get_list("set-cookie")
    return {line.partition("=")[0]: line for line in lines}

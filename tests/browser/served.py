"""The site of the browser's tests in a server's own process, and how a test steers it.

Not each server knows lifespan: the account is there after the first question.
"""

from __future__ import annotations

import gc

from starlette.responses import JSONResponse

from asgi_auth.lifetime.lifetime import Lifetime
from tests.browser.site import Site


def look() -> None:
    """Let every open stream look at the clock, as its timer would."""
    for each in gc.get_objects():
        if issubclass(type(each), Lifetime) and each.scope is not None:
            each.wait()


class SteeredSite(Site):
    """A site with paths below ``/steer/``, which say what became of it."""

    async def __call__(self, scope, receive, send) -> None:
        if not scope.get("path", "").startswith("/steer/"):
            await super().__call__(scope, receive, send)
            return

        match scope["path"].removeprefix("/steer/"):
            case "begin":
                await self.world.add()
            case "age":
                self.age()
                look()
            case "end":
                await self.end_sessions()

        seen = {"listeners": self.listeners, "tickets": self.hits["/auth/ticket"]}
        await JSONResponse(seen)(scope, receive, send)


app = SteeredSite()

"""The page to log out: a link alone must not do it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["LOG_OUT"]


async def _log_out(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show()

    # Who is logged out already gets what was wanted.
    await visit.call("POST", "/logout", {})
    return visit.go("log_in", done="log_out")


LOG_OUT: Final = Page(
    name="log_out",
    path="/log-out",
    handler=_log_out,
    needs=frozenset({"logout"}),
    in_menu=True,
    texts={
        "en": {
            "title": "Log out",
            "text": "Do you want to log out on this device?",
            "button": "Log out",
            "done": "You are logged out.",
        },
        "de": {
            "title": "Abmelden",
            "text": "Möchten Sie sich auf diesem Gerät abmelden?",
            "button": "Abmelden",
            "done": "Sie sind abgemeldet.",
        },
    },
)

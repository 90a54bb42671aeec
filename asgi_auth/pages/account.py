"""The page about the account: who one is, and the way to all that can be changed."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["ACCOUNT"]


async def _account(visit: Visit) -> Response:
    return visit.show()


ACCOUNT: Final = Page(
    name="account",
    path="/account",
    handler=_account,
    guarded=True,
    texts={
        "en": {
            "title": "Your account",
            "logged_in": "You are logged in as",
            "unverified": "This e-mail address is not confirmed yet.",
            "menu": "What you can do",
        },
        "de": {
            "title": "Ihr Konto",
            "logged_in": "Sie sind angemeldet als",
            "unverified": "Diese E-Mail-Adresse ist noch nicht bestätigt.",
            "menu": "Was Sie tun können",
        },
    },
)

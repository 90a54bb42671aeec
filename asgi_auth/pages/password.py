"""The page to change the password."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["PASSWORD"]

_TO_BLAME: Final = {"wrong_password": "current", "password_refused": "password"}


async def _password(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show()

    body = {
        "current_password": visit.fields.get("current", ""),
        "new_password": visit.fields.get("password", ""),
    }
    outcome = await visit.call("POST", "/password/change", body)
    if not outcome.is_good:
        return visit.refuse(outcome.about_password(), _TO_BLAME)

    return visit.go("account", done="password")


PASSWORD: Final = Page(
    name="password",
    path="/change-password",
    handler=_password,
    needs=frozenset({"password_change"}),
    guarded=True,
    in_menu=True,
    texts={
        "en": {
            "title": "Change the password",
            "text": "You will be logged out on all other devices.",
            "current": "Password until now",
            "password": "New password",
            "hint": "At least 8 characters. A few words together are a good choice.",
            "button": "Change the password",
            "done": "Your password is changed.",
        },
        "de": {
            "title": "Passwort ändern",
            "text": "Sie werden auf allen anderen Geräten abgemeldet.",
            "current": "Bisheriges Passwort",
            "password": "Neues Passwort",
            "hint": "Mindestens 8 Zeichen. Gut sind ein paar Wörter hintereinander.",
            "button": "Passwort ändern",
            "done": "Ihr Passwort ist geändert.",
        },
    },
)

"""The page to make an account."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["REGISTER"]

_TO_BLAME: Final = {
    "invalid_email": "email",
    "invalid_username": "username",
    "account_exists": "email",
    "password_refused": "password",
}


async def _register(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show() if visit.user is None else visit.leave(visit.next)

    # An empty field is none: where users have names, an address may be left out.
    known = visit.page.facts["fields"]
    body = {name: text for name, text in visit.fields.items() if name in known and text}
    outcome = await visit.call("POST", "/register", body)
    if not outcome.is_good:
        return visit.refuse(outcome, _TO_BLAME)

    # 202: a message is on its way, whether or not there was an account before.
    is_ready = outcome.status == 201  # noqa: PLR2004
    name = "log_in" if is_ready else "register"
    return visit.go(name, done="register", keeps_way=True)


REGISTER: Final = Page(
    name="register",
    path="/sign-up",
    handler=_register,
    needs=frozenset({"register"}),
    facts={"fields": ("email", "password"), "required": ("email", "password")},
    texts={
        "en": {
            "title": "Make an account",
            "username": "User name",
            "email": "E-mail address",
            "password": "Password",
            "hint": "At least 8 characters. A few words together are a good choice.",
            "button": "Make an account",
            "log_in": "I have an account",
            "done": "Look into your mailbox if a message is needed; then log in.",
        },
        "de": {
            "title": "Konto anlegen",
            "username": "Benutzername",
            "email": "E-Mail-Adresse",
            "password": "Passwort",
            "hint": "Mindestens 8 Zeichen. Gut sind ein paar Wörter hintereinander.",
            "button": "Konto anlegen",
            "log_in": "Ich habe ein Konto",
            "done": "Sehen Sie in Ihr Postfach; danach können Sie sich anmelden.",
        },
    },
)

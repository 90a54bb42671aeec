"""The pages for a forgotten password: ask for a message, and choose a new one."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["FORGOT", "RESET"]


async def _forgot(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show()

    body = {"email": visit.fields.get("email", "")}
    outcome = await visit.call("POST", "/password/forgot", body)
    if not outcome.is_good:
        return visit.refuse(outcome, {"invalid_email": "email"})

    return visit.go("forgot", done="forgot", keeps_way=True)


FORGOT: Final = Page(
    name="forgot",
    path="/forgot-password",
    handler=_forgot,
    needs=frozenset({"password_forgot"}),
    texts={
        "en": {
            "title": "Forgot your password?",
            "text": "We send you a link to choose a new one.",
            "email": "E-mail address",
            "button": "Send a link",
            "log_in": "Back to log in",
            "done": "If there is an account with this address, a message comes soon.",
        },
        "de": {
            "title": "Passwort vergessen?",
            "text": "Wir senden Ihnen einen Link, um ein neues zu wählen.",
            "email": "E-Mail-Adresse",
            "button": "Link senden",
            "log_in": "Zurück zur Anmeldung",
            "done": "Wenn es ein Konto mit dieser Adresse gibt, kommt eine Nachricht.",
        },
    },
)


async def _reset(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show(token=visit.query("token") or "")

    token = visit.fields.get("token", "")
    body = {"token": token, "password": visit.fields.get("password", "")}
    outcome = await visit.call("POST", "/password/reset", body)
    if not outcome.is_good:
        return visit.refuse(outcome, {"password_refused": "password"}, token=token)

    return visit.go("log_in", done="reset")


RESET: Final = Page(
    name="reset",
    path="/reset-password",
    handler=_reset,
    needs=frozenset({"password_forgot"}),
    texts={
        "en": {
            "title": "Choose a new password",
            "text": "You will be logged out on all your devices.",
            "password": "New password",
            "hint": "At least 8 characters. A few words together are a good choice.",
            "button": "Set the password",
            "forgot": "Send me a new link",
            "done": "Your new password is set. Log in with it.",
        },
        "de": {
            "title": "Neues Passwort wählen",
            "text": "Sie werden auf allen Geräten abgemeldet.",
            "password": "Neues Passwort",
            "hint": "Mindestens 8 Zeichen. Gut sind ein paar Wörter hintereinander.",
            "button": "Passwort setzen",
            "forgot": "Neuen Link anfordern",
            "done": "Ihr neues Passwort gilt. Melden Sie sich damit an.",
        },
    },
)

"""The pages to change the e-mail address, and to confirm the new one."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["CONFIRM_EMAIL", "EMAIL"]

_TO_BLAME: Final = {"wrong_password": "password", "invalid_email": "email"}


async def _email(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show()

    body = {name: visit.fields.get(name, "") for name in ("email", "password")}
    outcome = await visit.call("POST", "/email/change", body)
    if not outcome.is_good:
        return visit.refuse(outcome.about_password(), _TO_BLAME)

    return visit.go("account", done="email")


EMAIL: Final = Page(
    name="email",
    path="/change-email",
    handler=_email,
    needs=frozenset({"email_change"}),
    guarded=True,
    in_menu=True,
    texts={
        "en": {
            "title": "Change the e-mail address",
            "text": "We send a link to the new address. Until then nothing changes.",
            "email": "New e-mail address",
            "password": "Password",
            "button": "Send a link",
            "done": "Look into the mailbox of the new address.",
        },
        "de": {
            "title": "E-Mail-Adresse ändern",
            "text": "Wir senden einen Link an die neue Adresse.",
            "email": "Neue E-Mail-Adresse",
            "password": "Passwort",
            "button": "Link senden",
            "done": "Sehen Sie in das Postfach der neuen Adresse.",
        },
    },
)


async def _confirm_email(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show(token=visit.query("token") or "")

    token = visit.fields.get("token", "")
    body = {"token": token, "password": visit.fields.get("password", "")}
    outcome = await visit.call("POST", "/email/confirm", body)
    if not outcome.is_good:
        return visit.refuse(outcome, {"invalid_credentials": "password"}, token=token)

    place = "log_in" if visit.user is None else "account"
    return visit.go(place, done="confirm_email")


CONFIRM_EMAIL: Final = Page(
    name="confirm_email",
    path="/confirm-email",
    handler=_confirm_email,
    needs=frozenset({"email_change"}),
    texts={
        "en": {
            "title": "Confirm your new e-mail address",
            "text": "Enter your password, so that we know it is you.",
            "password": "Password",
            "button": "Confirm",
            "done": "Your e-mail address is changed.",
        },
        "de": {
            "title": "Neue E-Mail-Adresse bestätigen",
            "text": "Geben Sie Ihr Passwort ein, damit wir wissen, dass Sie es sind.",
            "password": "Passwort",
            "button": "Bestätigen",
            "done": "Ihre E-Mail-Adresse ist geändert.",
        },
    },
)

"""The page to prove again to be there, before something that matters (step-up)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["CONFIRM"]


async def _confirm(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show(asks_code=False, mails=False)

    if "send" in visit.fields:
        # For the try before: its cookie says which code is asked for.
        outcome = await visit.call("POST", "/login/factor/email", {})
        if outcome.is_good:
            return visit.show(asks_code=True, mails=True)

        return visit.refuse(outcome, asks_code=True, mails=True)

    body = {"password": visit.fields.get("password", "")}
    if code := visit.fields.get("code"):
        body["code"] = code

    outcome = await visit.call("POST", "/reauthenticate", body)
    if outcome.is_good:
        return visit.leave(visit.next)

    asks_code = outcome.code == "second_factor_required" or "code" in visit.fields
    mails = "email" in outcome.data.get("methods", ())
    fields = {
        "wrong_password": "password",
        "second_factor_required": "code",
        "invalid_code": "code",
    }
    return visit.refuse(
        outcome.about_password(), fields, asks_code=asks_code, mails=mails
    )


CONFIRM: Final = Page(
    name="confirm",
    path="/confirm",
    handler=_confirm,
    needs=frozenset({"reauthenticate"}),
    guarded=True,
    texts={
        "en": {
            "title": "Is it still you?",
            "text": "Enter your password to go on.",
            "password": "Password",
            "code": "Code of your second factor",
            "send": "Send me a code by e-mail",
            "button": "Go on",
        },
        "de": {
            "title": "Sind Sie es noch?",
            "text": "Geben Sie Ihr Passwort ein, um fortzufahren.",
            "password": "Passwort",
            "code": "Code Ihres zweiten Faktors",
            "send": "Einen Code per E-Mail senden",
            "button": "Weiter",
        },
    },
)

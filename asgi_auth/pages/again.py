"""The page that asks for the password once more, before something serious."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["AGAIN"]


async def _again(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show(asks_code=False, mails=False)

    body = {"password": visit.fields.get("password", "")}
    if code := visit.fields.get("code"):
        body["code"] = code

    outcome = await visit.call("POST", "/reauthenticate", body)
    if outcome.is_good:
        return visit.leave(visit.next)

    needs_code = outcome.code == "second_factor_required" or "code" in visit.fields
    mails = "email" in outcome.data.get("methods", ())
    if mails and "send" in visit.fields:
        await visit.call("POST", "/login/factor/email", {})

    fields = {
        "invalid_credentials": "password",
        "second_factor_required": "code",
        "invalid_code": "code",
    }
    return visit.refuse(outcome, fields, asks_code=needs_code, mails=mails)


AGAIN: Final = Page(
    name="again",
    path="/log-in/again",
    handler=_again,
    needs=frozenset({"reauthenticate"}),
    guarded=True,
    texts={
        "en": {
            "title": "Is it still you?",
            "text": "To go on, enter your password once more.",
            "password": "Password",
            "code": "Code of your second factor",
            "button": "Go on",
        },
        "de": {
            "title": "Sind Sie es noch?",
            "text": "Geben Sie noch einmal Ihr Passwort ein, um fortzufahren.",
            "password": "Passwort",
            "code": "Code Ihres zweiten Faktors",
            "button": "Weiter",
        },
    },
)

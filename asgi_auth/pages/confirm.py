"""The page to prove again to be there, before something that matters (step-up)."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.errors import AuthorizationError
from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["CONFIRM"]


async def _confirm(visit: Visit) -> Response:
    if not visit.submitted:
        place = await _place_to_set_up(visit) if visit.query("acr") else None
        if place is None:
            return visit.show(asks_code=False, mails=False)

        return visit.leave(visit.url(place, needed="1", **visit.way))

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


async def _place_to_set_up(visit: Visit) -> str | None:
    """Return the page to set up a second factor; ``None``: the user has one.

    Raises:
        AuthorizationError: Nobody can have one here.
    """
    kinds = [kind for kind in ("factors", "passkeys") if visit.offers(kind)]
    for kind in kinds:
        outcome = await visit.call("GET", f"/{kind}")
        if outcome.data.get(kind):
            return None

    if kinds:
        return kinds[0]

    # What the application asks itself, it knows.
    if visit.offers("login_factor"):
        return None

    raise AuthorizationError


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

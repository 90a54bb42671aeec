"""The pages to confirm an address with the link of a message, or to get a new one."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["RESEND", "VERIFY"]


async def _verify(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show(token=visit.query("token") or "")

    token = visit.fields.get("token", "")
    body = {"token": token, "password": visit.fields.get("password", "")}
    outcome = await visit.call("POST", "/verify", body)
    if not outcome.is_good:
        return visit.refuse(outcome, {"invalid_credentials": "password"}, token=token)

    return visit.go("log_in", done="verify")


VERIFY: Final = Page(
    name="verify",
    path="/verify-email",
    handler=_verify,
    needs=frozenset({"verify"}),
    texts={
        "en": {
            "title": "Confirm your e-mail address",
            "text": "Enter the password that you chose, so that we know it is you.",
            "password": "Password",
            "button": "Confirm",
            "resend": "Send me a new link",
            "done": "Your e-mail address is confirmed. You can log in now.",
        },
        "de": {
            "title": "E-Mail-Adresse bestätigen",
            "text": "Geben Sie das Passwort ein, das Sie gewählt haben.",
            "password": "Passwort",
            "button": "Bestätigen",
            "resend": "Neuen Link anfordern",
            "done": "Ihre E-Mail-Adresse ist bestätigt. Sie können sich anmelden.",
        },
    },
)


async def _resend(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show()

    body = {"email": visit.fields.get("email", "")}
    outcome = await visit.call("POST", "/verify/resend", body)
    if not outcome.is_good:
        return visit.refuse(outcome, {"invalid_email": "email"})

    return visit.go("resend", done="resend")


RESEND: Final = Page(
    name="resend",
    path="/verify-email/resend",
    handler=_resend,
    needs=frozenset({"verify"}),
    texts={
        "en": {
            "title": "Get a new link",
            "email": "E-mail address",
            "button": "Send a link",
            "done": "If this address needs to be confirmed, a message is on its way.",
        },
        "de": {
            "title": "Neuen Link anfordern",
            "email": "E-Mail-Adresse",
            "button": "Link senden",
            "done": "Wenn die Adresse zu bestätigen ist, kommt gleich eine Nachricht.",
        },
    },
)

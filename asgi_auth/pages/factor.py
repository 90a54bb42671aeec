"""The second step of a log-in: the page that takes a code."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["FACTOR"]

# The log-in is over, or never began: it begins anew.
_OVER: Final = {"invalid_token", "token_expired", "token_revoked"}


async def _factor(visit: Visit) -> Response:
    mails = (
        visit.fields.get("mail") if visit.submitted else visit.query("mail")
    ) == "1"
    if not visit.submitted:
        return visit.show(mails=mails, sent=False)

    if "send" in visit.fields:
        outcome = await visit.call("POST", "/login/factor/email", {})
        if outcome.is_good:
            return visit.show(mails=mails, sent=True)
    else:
        body = {
            "code": visit.fields.get("code", ""),
            "trust_device": "trust" in visit.fields,
        }
        outcome = await visit.call("POST", "/login/factor", body)
        if outcome.is_good:
            return visit.leave(visit.next)

    if outcome.code in _OVER:
        return visit.leave(visit.url("log_in", **visit.way))

    fields = {"invalid_code": "code", "invalid_credentials": "code"}
    return visit.refuse(outcome, fields, mails=mails, sent=False)


FACTOR: Final = Page(
    name="factor",
    path="/log-in/code",
    handler=_factor,
    needs=frozenset({"login_factor"}),
    texts={
        "en": {
            "title": "Confirm your log-in",
            "code": "Code",
            "hint": "From your authenticator app, from a mail, or a recovery code.",
            "trust": "Do not ask for a code on this device for some time",
            "button": "Log in",
            "send": "Send me a code by e-mail",
            "sent": "If codes by e-mail are set up, one is on its way.",
            "error.invalid_code": "The code is wrong, or was used before.",
        },
        "de": {
            "title": "Anmeldung bestätigen",
            "code": "Code",
            "hint": (
                "Aus Ihrer Authenticator-App, aus einer E-Mail, oder ein "
                "Wiederherstellungscode."
            ),
            "trust": "Auf diesem Gerät eine Zeit lang nicht nach einem Code fragen",
            "button": "Anmelden",
            "send": "Einen Code per E-Mail senden",
            "sent": "Wenn Codes per E-Mail eingerichtet sind, ist einer unterwegs.",
            "error.invalid_code": "Der Code ist falsch oder schon verbraucht.",
        },
    },
)

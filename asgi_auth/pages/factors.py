"""The page where users set second factors up, and remove them.

What it shows once, a secret or recovery codes, is in the answer to a form, which no
browser keeps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import segno
from starlette.responses import Response

from asgi_auth.pages.inward import Outcome
from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["FACTORS"]

_NOTHING: Final[Mapping[str, Any]] = {"enrolment": None, "codes": (), "sent": False}
_STEP_UP: Final = "insufficient_user_authentication"
_MOST_URI: Final = 1024


async def _factors(visit: Visit) -> Response:
    if not visit.submitted:
        return await _show(visit)

    handler = _ACTIONS.get(visit.fields.get("action", ""))
    return await _show(visit) if handler is None else await handler(visit)


async def _show(visit: Visit, fault: Outcome | None = None, **values: Any) -> Response:
    """Render the list of the user's factors, and what an action has brought."""
    if fault is not None and fault.code == _STEP_UP:
        return visit.leave(
            visit.url("confirm", next=visit.url("factors", **visit.onward))
        )

    outcome = await visit.call("GET", "/factors")
    context = {
        **_NOTHING,
        "entries": outcome.data.get("factors", ()),
        "mails": visit.offers("factor_email"),
        **values,
    }
    if fault is None:
        return visit.show(**context)

    return visit.refuse(fault, {"invalid_code": "code"}, **context)


async def _begin_app(visit: Visit) -> Response:
    outcome = await visit.call("POST", "/factors/totp")
    if not outcome.is_good:
        return await _show(visit, outcome)

    return await _show(visit, enrolment=_with_code(outcome.data))


async def _confirm_app(visit: Visit) -> Response:
    shown = {name: visit.fields.get(name, "") for name in ("secret", "uri")}
    token = visit.fields.get("enrolment", "")
    body = {"enrolment": token, "code": visit.fields.get("code", "")}
    outcome = await visit.call("POST", "/factors/totp/confirm", body)
    if outcome.is_good:
        return await _show(visit, codes=outcome.data["recovery_codes"])

    enrolment = _with_code({**shown, "enrolment": token})
    return await _show(visit, outcome, enrolment=enrolment)


async def _begin_mail(visit: Visit) -> Response:
    outcome = await visit.call("POST", "/factors/email")
    fault = None if outcome.is_good else outcome
    return await _show(visit, fault, sent=outcome.is_good)


async def _confirm_mail(visit: Visit) -> Response:
    body = {"code": visit.fields.get("code", "")}
    outcome = await visit.call("POST", "/factors/email/confirm", body)
    if outcome.is_good:
        return await _show(visit, codes=outcome.data["recovery_codes"])

    return await _show(visit, outcome, sent=True)


async def _renew(visit: Visit) -> Response:
    outcome = await visit.call("POST", "/factors/recovery")
    if not outcome.is_good:
        return await _show(visit, outcome)

    return await _show(visit, codes=outcome.data["recovery_codes"])


async def _remove(visit: Visit) -> Response:
    method = visit.fields.get("method", "")
    if method not in {"totp", "email", "recovery"}:
        return await _show(visit)

    outcome = await visit.call("DELETE", f"/factors/{method}")
    if outcome.is_good:
        return visit.go("factors", done="factors")

    return await _show(visit, outcome)


_ACTIONS: Final[Mapping[str, Callable[[Visit], Awaitable[Response]]]] = {
    "begin_app": _begin_app,
    "confirm_app": _confirm_app,
    "begin_mail": _begin_mail,
    "confirm_mail": _confirm_mail,
    "renew": _renew,
    "remove": _remove,
}


def _with_code(data: Mapping[str, Any]) -> dict[str, str]:
    """Return an enrolment with its QR code, as SVG."""
    # It comes back with the form: of other letters, fewer fit into a code.
    uri = str(data["uri"]).encode("ascii", "ignore").decode()[:_MOST_URI]
    code = segno.make(uri, micro=False)
    return {
        "qr": code.svg_inline(scale=5, dark="#000", light="#fff"),
        "uri": uri,
        "secret": str(data["secret"]),
        "enrolment": str(data["enrolment"]),
    }


FACTORS: Final = Page(
    name="factors",
    path="/second-factors",
    handler=_factors,
    needs=frozenset({"factors", "reauthenticate"}),
    guarded=True,
    in_menu=True,
    texts={
        "en": {
            "title": "Second factors",
            "text": "With a second factor, a stolen password alone opens nothing.",
            "none": "You have none yet.",
            "done": "It is removed.",
            "totp": "Authenticator app",
            "email": "Codes by e-mail",
            "recovery": "Recovery codes",
            "left": "left",
            "remove": "Remove",
            "begin_app": "Set up an authenticator app",
            "scan": "Scan this with the app, or type the secret in:",
            "qr": "QR code for an authenticator app",
            "code": "Code",
            "confirm": "Confirm",
            "begin_mail": "Set up codes by e-mail",
            "sent": "A code is on its way to your address.",
            "renew": "Make new recovery codes",
            "codes": (
                "Your recovery codes. Each logs you in once if nothing else does. Keep "
                "them in a safe place: they are not shown again."
            ),
        },
        "de": {
            "title": "Zweite Faktoren",
            "text": "Mit einem zweiten Faktor öffnet ein gestohlenes Passwort nichts.",
            "none": "Sie haben noch keinen.",
            "done": "Er ist entfernt.",
            "totp": "Authenticator-App",
            "email": "Codes per E-Mail",
            "recovery": "Wiederherstellungscodes",
            "left": "übrig",
            "remove": "Entfernen",
            "begin_app": "Authenticator-App einrichten",
            "scan": "Scannen Sie das mit der App, oder tippen Sie das Geheimnis ab:",
            "qr": "QR-Code für eine Authenticator-App",
            "code": "Code",
            "confirm": "Bestätigen",
            "begin_mail": "Codes per E-Mail einrichten",
            "sent": "Ein Code ist unterwegs an Ihre Adresse.",
            "renew": "Neue Wiederherstellungscodes",
            "codes": (
                "Ihre Wiederherstellungscodes. Jeder meldet Sie einmal an, wenn nichts "
                "anderes geht. Verwahren Sie sie sicher: Sie werden nicht noch einmal "
                "gezeigt."
            ),
        },
    },
)

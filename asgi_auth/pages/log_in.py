"""The page to log in."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["LOG_IN"]


async def _log_in(visit: Visit) -> Response:
    if not visit.submitted:
        if visit.user is not None:
            return visit.leave(visit.next)

        if visit.query("kept") is not None:
            return visit.refuse("no_cookies", asks_code=False)

        return visit.show(asks_code=False)

    name = visit.fields.get("login", "")
    body = {
        "email" if "@" in name else "username": name,
        "password": visit.fields.get("password", ""),
        "delivery": "cookie",
        "remember": "remember" in visit.fields,
    }
    if code := visit.fields.get("code"):
        body["code"] = code

    outcome = await visit.call("POST", "/login", body)
    if outcome.is_good:
        return _arrive(visit)

    if outcome.code == "second_factor_required" and visit.offers("login_factor"):
        query = visit.way
        if "email" in outcome.data.get("methods", ()):
            query["mail"] = "1"

        return visit.leave(visit.url("factor", **query))

    needs_code = outcome.code == "second_factor_required" or "code" in visit.fields
    fields = {"invalid_credentials": "login", "second_factor_required": "code"}
    return visit.refuse(outcome, fields, asks_code=needs_code)


def _arrive(visit: Visit) -> Response:
    """Go on; by this page once more, where it is not known that cookies are kept."""
    if "cookie" in visit.request.headers:
        return visit.leave(visit.next)

    return visit.leave(visit.url("log_in", kept="1", **visit.way))


LOG_IN: Final = Page(
    name="log_in",
    path="/log-in",
    handler=_log_in,
    needs=frozenset({"login"}),
    texts={
        "en": {
            "title": "Log in",
            "login": "E-mail address or user name",
            "password": "Password",
            "code": "Code of your second factor",
            "remember": "Stay logged in on this device",
            "button": "Log in",
            "register": "Make an account",
            "forgot": "Forgot your password?",
            "error.no_cookies": "Your browser keeps no cookies: let it.",
        },
        "de": {
            "title": "Anmelden",
            "login": "E-Mail-Adresse oder Benutzername",
            "password": "Passwort",
            "code": "Code Ihres zweiten Faktors",
            "remember": "Auf diesem Gerät angemeldet bleiben",
            "button": "Anmelden",
            "register": "Konto anlegen",
            "forgot": "Passwort vergessen?",
            "error.no_cookies": "Ihr Browser behält keine Cookies. Erlauben Sie sie.",
        },
    },
)

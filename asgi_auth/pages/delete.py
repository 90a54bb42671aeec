"""The page to delete the account, for good."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["DELETE"]


async def _delete(visit: Visit) -> Response:
    if not visit.submitted:
        return visit.show()

    # Always with the password here, also after a fresh log-in.
    body = {"password": visit.fields.get("password", "")}
    outcome = await visit.call("DELETE", "/me", body)
    if not outcome.is_good:
        fields = {"wrong_password": "password"}
        return visit.refuse(outcome.about_password(), fields)

    return visit.go("log_in", done="delete")


DELETE: Final = Page(
    name="delete",
    path="/delete-account",
    handler=_delete,
    needs=frozenset({"delete"}),
    guarded=True,
    in_menu=True,
    texts={
        "en": {
            "title": "Delete the account",
            "text": "This cannot be undone. You are logged out on all devices.",
            "password": "Password",
            "button": "Delete the account for good",
            "done": "Your account is deleted.",
        },
        "de": {
            "title": "Konto löschen",
            "text": "Das lässt sich nicht rückgängig machen.",
            "password": "Passwort",
            "button": "Konto endgültig löschen",
            "done": "Ihr Konto ist gelöscht.",
        },
    },
)

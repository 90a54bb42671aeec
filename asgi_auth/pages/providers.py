"""The pages about log-ins at identity providers, made for those that the routes have.

A form leads to the provider by a page, and not by a redirect: so the policy of the
pages needs to name no other site.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.responses import Response

from asgi_auth.identities import Identities
from asgi_auth.pages.inward import Outcome
from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["provider_pages"]

_STEP_UP: Final = "insufficient_user_authentication"
_NEEDS: Final = frozenset({"providers"})


async def _provider(visit: Visit) -> Response:
    """Lead to a provider, or say why a log-in there has failed."""
    if visit.submitted:
        body = _body_of(visit, visit.next)
        name = _name_of(visit)
        outcome = await visit.call("POST", f"/providers/{name}/start", body)
        if outcome.is_good:
            return visit.depart(str(outcome.data["url"]))

        return visit.refuse(outcome)

    code = visit.query("error")
    if code == "second_factor_required" and visit.offers("login_factor"):
        return visit.leave(visit.url("factor", **visit.way))

    return visit.show() if code is None else visit.refuse(code)


async def _identities(visit: Visit) -> Response:
    """Show what is linked, link and unlink."""
    if not visit.submitted:
        return await _show(visit)

    if visit.fields.get("action") == "unlink":
        name = visit.fields.get("id", "")
        outcome = await visit.call("DELETE", f"/identities/{_plain(name)}")
        if outcome.is_good:
            return visit.go("identities", done="identities")
    else:
        body = _body_of(visit, visit.url("identities"))
        path = f"/providers/{_name_of(visit)}/link"
        outcome = await visit.call("POST", path, body)
        if outcome.is_good:
            return visit.depart(str(outcome.data["url"]))

    return await _show(visit, outcome)


async def _show(visit: Visit, fault: Outcome | None = None) -> Response:
    if fault is not None and fault.code == _STEP_UP:
        return visit.leave(visit.url("confirm", next=visit.url("identities")))

    listed = await visit.call("GET", "/identities")
    entries = listed.data.get("identities", ())
    if fault is None:
        return visit.show(entries=entries)

    return visit.refuse(fault, entries=entries)


def _body_of(visit: Visit, target: str | None) -> dict[str, Any]:
    body: dict[str, Any] = {} if target is None else {"next": target}
    return {**body, "fresh": True} if "fresh" in visit.fields else body


def _name_of(visit: Visit) -> str:
    return _plain(visit.fields.get("provider", ""))


def _plain(name: str) -> str:
    """Return what can be one segment of a path, or what no provider is called."""
    is_plain = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_plain else "-"


_EN: Final = {
    "error.link_required": (
        "No account is linked to this log-in. Log in another way, and link it in your "
        "account."
    ),
    "error.provider_denied": "You were not logged in there.",
    "error.invalid_callback": "The log-in was not completed. Please begin again.",
    "error.identity_taken": "Another account is linked to this log-in.",
    "error.unknown_provider": "There is no such log-in.",
    "error.unknown_identity": "This log-in is not linked to your account.",
    "error.last_way_in": "This is your only way to log in. Add another one first.",
}
_DE: Final = {
    "error.link_required": (
        "Mit dieser Anmeldung ist kein Konto verknüpft. Melden Sie sich anders an, und "
        "verknüpfen Sie sie in Ihrem Konto."
    ),
    "error.provider_denied": "Sie wurden dort nicht angemeldet.",
    "error.invalid_callback": (
        "Die Anmeldung wurde nicht beendet. Bitte beginnen Sie noch einmal."
    ),
    "error.identity_taken": "Mit dieser Anmeldung ist ein anderes Konto verknüpft.",
    "error.unknown_provider": "Diese Anmeldung gibt es nicht.",
    "error.unknown_identity": "Diese Anmeldung ist nicht mit Ihrem Konto verknüpft.",
    "error.last_way_in": (
        "Sonst können Sie sich nicht mehr anmelden. Richten Sie erst etwas anderes ein."
    ),
}


def provider_pages(identities: Identities | None) -> Sequence[Page]:
    """Return the pages about log-ins elsewhere; none where there are none.

    Args:
        identities: Those of the routes.
    """
    if identities is None:
        return ()

    facts = {"providers": identities.providers}
    provider = Page(
        name="provider",
        path="/provider",
        handler=_provider,
        needs=_NEEDS,
        facts=facts,
        inserts={"log_in": "provider_buttons.html", "confirm": "provider_again.html"},
        texts={
            "en": {
                "title": "Log in elsewhere",
                "log_in": "Log in with",
                "again": "Log in again with",
                **_EN,
            },
            "de": {
                "title": "Anderswo anmelden",
                "log_in": "Anmelden mit",
                "again": "Noch einmal anmelden mit",
                **_DE,
            },
        },
    )
    linked = Page(
        name="identities",
        path="/linked-log-ins",
        handler=_identities,
        needs=_NEEDS | {"reauthenticate"},
        guarded=True,
        in_menu=True,
        facts=facts,
        texts={
            "en": {
                "title": "Linked log-ins",
                "none": "No log-in elsewhere is linked to your account.",
                "link": "Link",
                "unlink": "Unlink",
                "done": "It is no longer linked.",
            },
            "de": {
                "title": "Verknüpfte Anmeldungen",
                "none": "Mit Ihrem Konto ist keine andere Anmeldung verknüpft.",
                "link": "Verknüpfen:",
                "unlink": "Lösen",
                "done": "Sie ist nicht mehr verknüpft.",
            },
        },
    )
    return provider, linked

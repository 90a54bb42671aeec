"""The page about passkeys, and what other pages show to log in with one.

To list, name and remove them needs no script; to make and to use one does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from asgi_auth.pages.inward import Outcome
from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["PASSKEYS"]

_STEP_UP: Final = "insufficient_user_authentication"
_GONE: Final = "unknown_passkey"


async def _passkeys(visit: Visit) -> Response:
    if not visit.submitted:
        return await _show(visit)

    path = f"/passkeys/{quote(visit.fields.get('id', ''), safe='')}"
    if visit.fields.get("action") == "remove":
        outcome = await visit.call("DELETE", path)
    else:
        outcome = await visit.call("POST", path, {"name": visit.fields.get("name", "")})

    if outcome.code == _STEP_UP and visit.offers("reauthenticate"):
        back = visit.url("passkeys", **visit.onward)
        return visit.leave(visit.url("confirm", next=back))

    # One that is gone is removed: that is what was wanted.
    if outcome.is_good or outcome.code == _GONE:
        return visit.go("passkeys", done="passkeys")

    return await _show(visit, outcome)


async def _show(visit: Visit, fault: Outcome | None = None) -> Response:
    outcome = await visit.call("GET", "/passkeys")
    entries = [_entry_of(each) for each in outcome.data.get("passkeys", ())]
    if fault is None:
        return visit.show(entries=entries)

    return visit.refuse(fault, entries=entries)


def _entry_of(passkey: Mapping[str, Any]) -> dict[str, Any]:
    made, made_at = _time(passkey["created_at"])
    used, used_at = _time(passkey.get("last_used_at"))
    return {
        "id": passkey["id"],
        "name": passkey["name"],
        "synced": passkey["synced"],
        "made": made,
        "made_at": made_at,
        "used": used,
        "used_at": used_at,
    }


def _time(seconds: float | None) -> tuple[str, str]:
    """Return a time for people, and for machines."""
    if seconds is None:
        return "", ""

    time = datetime.fromtimestamp(seconds, UTC)
    return time.strftime("%Y-%m-%d %H:%M UTC"), time.strftime("%Y-%m-%dT%H:%MZ")


PASSKEYS: Final = Page(
    name="passkeys",
    path="/account/passkeys",
    handler=_passkeys,
    needs=frozenset({"passkeys", "client"}),
    guarded=True,
    in_menu=True,
    scripts=True,
    inserts={
        "log_in": "passkey_log_in.html",
        "factor": "passkey_factor.html",
        "confirm": "passkey_confirm.html",
    },
    texts={
        "en": {
            "title": "Passkeys",
            "text": (
                "A passkey logs you in without a password: with your finger, your "
                "face or the PIN of your device."
            ),
            "none": "You have none yet.",
            "noscript": "To add a passkey, allow scripts in your browser.",
            "made": "Made",
            "used": "Last used",
            "synced": "It is synced to your other devices.",
            "name": "Name",
            "rename": "Rename",
            "remove": "Remove",
            "done": "It is saved.",
            "add": "Add a passkey",
            "log_in": "Log in with a passkey",
            "factor": "Use a passkey",
            "confirm": "Use a passkey",
            "cancelled": "No passkey was used.",
            "exists": "This device has a passkey of yours already.",
            "refused": "This passkey cannot be used here.",
            "too_many": "There are too many passkeys: remove one first.",
            "unsupported": "This browser cannot do that with passkeys.",
            "other": "That did not work; try again later.",
            "error.last_way_in": (
                "This is the only way to log in: add another one first."
            ),
        },
        "de": {
            "title": "Passkeys",
            "text": (
                "Ein Passkey meldet Sie ohne Passwort an: mit Finger, Gesicht oder der "
                "PIN Ihres Geräts."
            ),
            "none": "Sie haben noch keinen.",
            "noscript": "Um einen Passkey anzulegen, erlauben Sie Skripte im Browser.",
            "made": "Angelegt",
            "used": "Zuletzt benutzt",
            "synced": "Er wird mit Ihren anderen Geräten abgeglichen.",
            "name": "Name",
            "rename": "Umbenennen",
            "remove": "Entfernen",
            "done": "Es ist gespeichert.",
            "add": "Passkey anlegen",
            "log_in": "Mit Passkey anmelden",
            "factor": "Passkey benutzen",
            "confirm": "Passkey benutzen",
            "cancelled": "Es wurde kein Passkey benutzt.",
            "exists": "Dieses Gerät hat schon einen Passkey von Ihnen.",
            "refused": "Dieser Passkey kann hier nicht benutzt werden.",
            "too_many": "Es sind zu viele Passkeys: entfernen Sie erst einen.",
            "unsupported": "Dieser Browser kann das mit Passkeys nicht.",
            "other": "Das hat nicht geklappt; versuchen Sie es später noch einmal.",
            "error.last_way_in": (
                "Das ist der einzige Weg, sich anzumelden: legen Sie erst einen "
                "anderen an."
            ),
        },
    },
)

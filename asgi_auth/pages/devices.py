"""The page about devices: where one is logged in, and the way to end that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from asgi_auth.pages.page import Page
from asgi_auth.pages.visit import Visit

__all__ = ["DEVICES"]

_PAGE: Final = "50"


async def _devices(visit: Visit) -> Response:
    if visit.submitted:
        return await _end(visit)

    after = visit.query("after")
    query = {"limit": _PAGE} if after is None else {"limit": _PAGE, "after": after}
    outcome = await visit.call("GET", "/sessions", query=query)
    if not outcome.is_good:
        return visit.refuse(outcome, devices=[], following=None)

    devices = [_entry_of(session) for session in outcome.data["sessions"]]
    # This device first: the others are what one may not know.
    devices.sort(key=lambda device: not device["current"])
    return visit.show(devices=devices, following=outcome.data.get("next"))


async def _end(visit: Visit) -> Response:
    if "all" in visit.fields:
        return await _end_others(visit)

    sid = quote(visit.fields.get("sid", ""), safe="")
    # One that has ended in between is ended: that is what was wanted.
    await visit.call("DELETE", f"/sessions/{sid}")
    return visit.go("devices", done="devices")


async def _end_others(visit: Visit) -> Response:
    """End all other sessions, page by page: each page that is ended makes room."""
    while True:
        outcome = await visit.call("GET", "/sessions", query={"limit": _PAGE})
        if not outcome.is_good:
            return visit.go("log_in")

        sessions = outcome.data["sessions"]
        others = [session["sid"] for session in sessions if not session["current"]]
        if not others:
            return visit.go("devices", done="devices")

        for sid in others:
            ended = await visit.call("DELETE", f"/sessions/{quote(sid, safe='')}")
            if not ended.is_good and ended.code != "not_found":
                return visit.go("devices")


def _entry_of(session: Mapping[str, Any]) -> dict[str, Any]:
    device = session["device"]
    used = datetime.fromtimestamp(session["last_used_at"], UTC)
    return {
        "sid": session["sid"],
        "current": session["current"],
        "name": device.get("label") or device.get("name"),
        "ip": device.get("ip"),
        "used": used.strftime("%Y-%m-%d %H:%M UTC"),
        "used_at": used.strftime("%Y-%m-%dT%H:%MZ"),
    }


DEVICES: Final = Page(
    name="devices",
    path="/devices",
    handler=_devices,
    needs=frozenset({"sessions"}),
    guarded=True,
    in_menu=True,
    texts={
        "en": {
            "title": "Your devices",
            "current": "This device",
            "unknown": "Unknown device",
            "used": "Last used",
            "end": "Log out",
            "end_others": "Log out on all other devices",
            "more": "More devices",
            "done": "The devices are logged out.",
        },
        "de": {
            "title": "Ihre Geräte",
            "current": "Dieses Gerät",
            "unknown": "Unbekanntes Gerät",
            "used": "Zuletzt benutzt",
            "end": "Abmelden",
            "end_others": "Auf allen anderen Geräten abmelden",
            "more": "Weitere Geräte",
            "done": "Die Geräte sind abgemeldet.",
        },
    },
)

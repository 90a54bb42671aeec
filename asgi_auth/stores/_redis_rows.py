"""How :class:`~asgi_auth.stores.redis.RedisStore` writes its records as text.

It asks no server. Scripts read the numbers in front, and never the JSON behind them.
"""

from __future__ import annotations

import json
from typing import Any

from asgi_auth.stores.entries import Entries
from asgi_auth.stores.records import Device, Place, Revocation, Session

__all__ = [
    "microseconds",
    "moment",
    "pack",
    "pack_owner",
    "pack_place",
    "pack_revocation",
    "text",
    "unpack",
    "unpack_revocations",
]


def microseconds(seconds: float) -> int:
    """Round to a whole number, which Lua's numbers hold exactly."""
    return round(seconds * 1_000_000)


def moment(seconds: float | None) -> str:
    """Write a time; an empty text leaves it to the server's clock."""
    return "" if seconds is None else str(microseconds(seconds))


def text(answer: str | bytes) -> str:
    """Read an answer of a client that decodes, or of one that does not."""
    return answer if isinstance(answer, str) else answer.decode("ascii")


def pack(*values: Any, device: Device) -> str:
    """Write what never changes in a session: the order is that of :func:`unpack`."""
    return _json([*values, device.label, device.ip, device.user_agent])


def pack_owner(issuer: str, subject: str) -> str:
    """Write what :func:`pack` begins with, so that a script can see whose a row is."""
    return _json([issuer, subject])[:-1] + ","


def pack_place(place: Place) -> str:
    """Write the name of a session in both indexes: see ``create.lua``."""
    return f"{microseconds(place.created_at):016d}:{place.sid}"


def unpack(sid: str, row: str | bytes) -> Session:
    """Read the row of a session: see ``create.lua``."""
    seq, *times, client, logged_in, rest = text(row).split(" ", 7)
    times.append(logged_in)
    created, rotated, idle, expires, auth = (int(time) / 1e6 for time in times)
    issuer, subject, acr, amr, claims, label, ip, user_agent = json.loads(rest)
    return Session(
        sid=sid,
        issuer=issuer,
        subject=subject,
        seq=int(seq),
        created_at=created,
        rotated_at=rotated,
        idle_expires_at=idle,
        expires_at=expires,
        auth_time=auth,
        rotated_by=None if client == "-" else client,
        acr=acr,
        amr=tuple(amr),
        claims=claims,
        device=Device(label=label, ip=ip, user_agent=user_agent),
    )


def pack_revocation(entry: Revocation) -> str:
    """Write an entry without its times, which the script puts in front."""
    return _json([entry.kind, entry.issuer, entry.value])[1:-1]


def unpack_revocations(page: str | bytes, *, now: int) -> Entries:
    """Read those of a page of entries that live at *now*: see ``publish.lua``."""
    # One call and one list for all of them: a window may have a million.
    fields = iter(json.loads(page))
    return Entries(
        (kind, issuer, value, at / 1e6, expires / 1e6)
        for at, expires, kind, issuer, value in zip(*[fields] * 5, strict=True)
        if expires > now
    )


def _json(value: Any) -> str:
    """Serialise as ASCII, which also carries lone surrogates of hostile clients."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)

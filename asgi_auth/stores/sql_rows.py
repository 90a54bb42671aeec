"""How :class:`~asgi_auth.stores.sql.SQLStore` writes its records. It runs nothing."""

from __future__ import annotations

import json
from typing import Any

from asgi_auth._drivers.sql import sa
from asgi_auth.stores.records import Device, Session

__all__ = ["read_session", "to_json"]


def to_json(value: object) -> str:
    """Write a value that may be anything in JSON but not a number.

    Raises:
        ValueError: It holds a number that JSON does not have.
        TypeError: It holds something else.
    """
    return json.dumps(value, allow_nan=False)


def read_session(row: sa.Row[Any]) -> Session:
    """Return the session of a row."""
    return Session(
        sid=row.sid,
        issuer=row.issuer,
        subject=row.subject,
        seq=row.seq,
        created_at=row.created_at,
        rotated_at=row.rotated_at,
        idle_expires_at=row.idle_expires_at,
        expires_at=row.expires_at,
        auth_time=row.auth_time,
        acr=row.acr,
        amr=tuple(json.loads(row.amr)),
        claims=json.loads(row.claims),
        device=Device(**json.loads(row.device)),
        revoked_at=row.revoked_at,
        rotated_by=row.rotated_by,
    )

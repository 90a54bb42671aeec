"""Ask whether a session goes on, and what it grants by now, for a socket that is open.

Nothing is rotated and nothing is signed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from asgi_auth._clock import system_clock
from asgi_auth._frozen import FrozenDict, freeze
from asgi_auth.errors import ExpiredTokenError
from asgi_auth.principal import Principal
from asgi_auth.sessions.refresher import Refresher
from asgi_auth.sessions.revoker import Revoker
from asgi_auth.tokens.verified import roles_of, scopes_of

__all__ = ["SessionRenewal"]


class SessionRenewal:
    """Reports on the session behind a principal.

    Args:
        revoker: Finds the session.
        refresher: Renews what its subject is granted.
        interval: Seconds after which to ask again; as long as an access token lives.
    """

    __slots__ = ("_interval", "_refresher", "_revoker")

    def __init__(self, revoker: Revoker, refresher: Refresher, interval: float) -> None:
        self._revoker = revoker
        self._refresher = refresher
        self._interval = interval

    async def __call__(self, principal: Principal) -> tuple[Principal, float]:
        """Return the principal as a refresh would make it, and when to ask again.

        Raises:
            ExpiredTokenError: The session has ended.
            UnknownSubjectError: The user is gone; the session is revoked.
            UnavailableError: It cannot be known at the moment.
        """
        session = await self._revoker.find(principal.session_id or "")
        if session is None or session.subject != principal.subject:
            msg = "the session has ended"
            raise ExpiredTokenError(msg)

        grant = await self._refresher.renewed_grant(session.subject, session.sid)
        renewed = principal if grant is None else _with_grant(principal, grant)
        due_at = (self._revoker.now() or system_clock()) + self._interval
        return renewed, min(session.idle_expires_at, session.expires_at, due_at)


def _with_grant(principal: Principal, grant: Mapping[str, Any]) -> Principal:
    rest = {name: principal.claims[name] for name in principal.claims.keys() - _GRANTED}
    granted: FrozenDict = freeze({**rest, **grant})
    return replace(
        principal,
        claims=granted,
        scopes=scopes_of(granted.get("scope", "")),
        roles=roles_of(granted.get("roles", ())),
    )


_GRANTED = frozenset({"scope", "roles"})

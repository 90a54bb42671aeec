"""Open sessions, and keep a subject to as many as it may have.

Nothing is signed here, and no password is checked.
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any

from asgi_auth.sessions.lifetimes import SessionPolicy
from asgi_auth.sessions.revoker import Revoker
from asgi_auth.stores.base import Store
from asgi_auth.stores.records import NewSession, Session, subject_tag

__all__ = ["Opener"]


class Opener:
    """Opens the sessions of one issuer.

    Args:
        store: Keeps them.
        revoker: Ends the longest unused where there are too many.
        policy: How long they live, and how many a subject may have.
        issuer: Whose tokens; empty where they have no ``iss``.
    """

    __slots__ = ("_issuer", "_policy", "_revoker", "_store")

    def __init__(
        self,
        store: Store,
        revoker: Revoker,
        policy: SessionPolicy,
        *,
        issuer: str,
    ) -> None:
        self._store = store
        self._revoker = revoker
        self._policy = policy
        self._issuer = issuer

    async def open(self, subject: str, **facts: Any) -> Session:
        """Open a session with a new, unguessable id.

        Args:
            subject: Whose.
            facts: As a :class:`~asgi_auth.stores.records.NewSession` has them.

        Raises:
            UnavailableError: The store is down.
        """
        policy = self._policy
        new = NewSession(
            sid=f"{subject_tag(self._issuer, subject)}.{token_urlsafe(16)}",
            issuer=self._issuer,
            subject=subject,
            idle_ttl=min(policy.refresh_ttl, policy.session_ttl),
            ttl=policy.session_ttl,
            **facts,
        )
        session = await self._store.create(new, now=self._revoker.now())
        self._revoker.report("session.created", subject, session.sid)
        if policy.max_sessions is not None:
            # Be it the one that was just opened: log-ins that come at once agree on
            # the order, so that the newest is ended by none of them.
            await self._revoker.end_surplus(subject, keep=policy.max_sessions)

        return session

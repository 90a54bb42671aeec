"""Open sessions, and keep a subject to as many as it may have.

Nothing is signed here, and nobody's password is checked.
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import Any

from asgi_auth.errors import ConfigurationError
from asgi_auth.sessions.lifetimes import Lifetimes
from asgi_auth.sessions.revoker import Revoker
from asgi_auth.stores.base import Store
from asgi_auth.stores.records import Session, subject_tag

__all__ = ["Opener"]


class Opener:
    """Opens the sessions of one issuer.

    Args:
        store: Keeps them.
        revoker: Ends the longest unused where there are too many.
        lifetimes: How long they live.
        issuer: Whose tokens; empty where they have no ``iss``.
        max_sessions: How many a subject may have, or ``None``.

    Raises:
        ConfigurationError: *max_sessions* is less than 1.
    """

    __slots__ = ("_issuer", "_lifetimes", "_max_sessions", "_revoker", "_store")

    def __init__(
        self,
        store: Store,
        revoker: Revoker,
        lifetimes: Lifetimes,
        *,
        issuer: str,
        max_sessions: int | None,
    ) -> None:
        if max_sessions is not None and max_sessions < 1:
            msg = "max_sessions must be at least 1, or None."
            raise ConfigurationError(msg)

        self._store = store
        self._revoker = revoker
        self._lifetimes = lifetimes
        self._issuer = issuer
        self._max_sessions = max_sessions

    async def open(self, subject: str, **facts: Any) -> Session:
        """Open a session with a new, unguessable id.

        Args:
            subject: Whose.
            facts: As :meth:`~asgi_auth.stores.base.SessionStore.create` takes them.

        Raises:
            UnavailableError: The store is down.
        """
        session = await self._store.create(
            sid=f"{subject_tag(self._issuer, subject)}.{token_urlsafe(16)}",
            issuer=self._issuer,
            subject=subject,
            idle_ttl=min(self._lifetimes.idle, self._lifetimes.session),
            ttl=self._lifetimes.session,
            now=self._revoker.now(),
            **facts,
        )
        self._revoker.tell("session.created", subject, session.sid)
        if self._max_sessions is not None:
            # Be it the one that was just opened: log-ins that come at once agree on
            # the order, so that the newest is ended by none of them.
            await self._revoker.end_surplus(subject, keep=self._max_sessions)

        return session

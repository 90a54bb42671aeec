"""The sessions of one subject: list them, find one, end one or all.

Who may see or end them is not asked here.
"""

from __future__ import annotations

from collections.abc import Sequence

from asgi_auth.sessions.lifetimes import check_page
from asgi_auth.sessions.revoker import Revoker
from asgi_auth.stores.records import SESSIONS_PAGE, Place, Session
from asgi_auth.tokens.claims import UserId, subject_of

__all__ = ["SubjectSessions"]


class SubjectSessions:
    """What a :class:`~asgi_auth.sessions.TokenService` knows of a subject's devices."""

    _revoker: Revoker

    async def sessions(
        self, subject: UserId, *, after: Place | None = None, limit: int = SESSIONS_PAGE
    ) -> Sequence[Session]:
        """Return a page of a subject's sessions, the oldest first.

        Args:
            subject: Whose.
            after: The ``place`` of the last session of the page before.
            limit: How many, at most 1000. Only the last page has fewer.

        Raises:
            ConfigurationError: *limit* is out of bounds.
            UnavailableError: The store is down.
        """
        check_page(limit)
        owner = subject_of(subject)
        return await self._revoker.sessions(owner, after=after, limit=limit)

    async def session(self, sid: str, subject: UserId) -> Session | None:
        """Return a live session of a subject; ``None`` also for another's.

        Raises:
            UnavailableError: The store is down.
        """
        session, owner = await self._revoker.find(sid), subject_of(subject)
        return session if session is not None and session.subject == owner else None

    async def revoke_session(self, sid: str) -> None:
        """End one session; its access tokens are refused within a second everywhere.

        Raises:
            UnavailableError: The store is down.
        """
        await self._revoker.end_if_live(sid)

    async def revoke_subject(self, subject: UserId, *, keep: str | None = None) -> None:
        """Log a subject out everywhere, or everywhere but on one device.

        It ends page after page of sessions. One that is cut off can be repeated, and
        goes on with what is left.

        Args:
            subject: Whom.
            keep: The ``sid`` of the session that goes on.

        Raises:
            UnavailableError: The store is down.
        """
        await self._revoker.end_subject(subject_of(subject), keep=keep)

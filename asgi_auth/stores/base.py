"""What a store must be able to do. Prove yours with ``StoreContract``.

Every verb is atomic, and raises :class:`~asgi_auth.errors.UnavailableError` within
3 seconds when the store is down. ``now`` is the caller's clock; with ``None`` the
store's own time counts, so that workers with skewed clocks agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from asgi_auth.stores.records import (
    SESSIONS_PAGE,
    Feed,
    NewSession,
    Place,
    Revocation,
    Rotation,
    Session,
)

__all__ = ["OnceStore", "RevocationStore", "SessionStore", "Store"]


class SessionStore(Protocol):
    """Keeps one row per log-in."""

    async def create(self, new: NewSession, *, now: float | None = None) -> Session:
        """Open a session with counter 0.

        Args:
            new: What it begins with.
            now: The caller's time, or ``None`` for the store's.

        Raises:
            ValueError: The sid is taken, or a text cannot be stored.
        """
        ...

    async def rotate(
        self,
        sid: str,
        seq: int,
        *,
        idle_ttl: float,
        grace: float,
        client: str | None = None,
        now: float | None = None,
    ) -> Rotation:
        """Advance the counter from *seq*, or report why not: one atomic step.

        ``seq`` current, or ahead of it because the store was put back to an earlier
        state: the counter becomes ``seq + 1``, ``rotated_at`` becomes the present and
        ``idle_expires_at`` becomes ``min(now + idle_ttl, expires_at)``. ``seq`` the
        last one, at most *grace* seconds after ``rotated_at``: ``retried``, unless
        *client* and ``rotated_by`` are both known and differ. Else see
        :class:`~asgi_auth.stores.records.Rotation`.

        Args:
            sid: Which session.
            seq: The counter of the token that came.
            idle_ttl: Seconds that it lives without another refresh.
            grace: Seconds in which the last token counts as a client's repeat.
            client: A digest of who refreshes, at most 64 of ``0-9a-f``; it becomes
                ``rotated_by``.
            now: The caller's time, or ``None`` for the store's.
        """
        ...

    async def find(self, sid: str, *, now: float | None = None) -> Session | None:
        """Return a live session, or ``None`` where there is none of this id."""
        ...

    async def sessions(
        self,
        issuer: str,
        subject: str,
        *,
        after: Place | None = None,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[Session]:
        """Return a page of the subject's live sessions, by ``created_at`` and ``sid``.

        A page costs what is in it, however many sessions there are beside or were
        revoked. A session that lives all the time is on exactly one page.

        Args:
            issuer: Who issues its tokens.
            subject: Whose sessions.
            after: The place of the last session of the page before, which need not be
                there any more.
            limit: How many there are on a page. Only the last one has fewer.
            now: The caller's time, or ``None`` for the store's.
        """
        ...

    async def surplus(
        self,
        issuer: str,
        subject: str,
        *,
        keep: int,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[str]:
        """Name the live sessions of a subject beyond the *keep* that end last.

        What ends first by itself, by ``idle_expires_at``, comes first: the session
        that was not used for the longest time. Of two that end at once, the older one.
        It changes nothing, and must be cheap where there is no surplus.

        Args:
            issuer: Who issues its tokens.
            subject: Whose sessions.
            keep: How many may stay.
            limit: How many sids it returns at most.
            now: The caller's time, or ``None`` for the store's.
        """
        ...

    async def close(self, sids: Sequence[str], *, now: float | None = None) -> None:
        """End sessions for good; unknown and ended ones are passed over."""
        ...


class RevocationStore(Protocol):
    """Passes on what is revoked, to every process."""

    async def publish(
        self,
        entries: Sequence[Revocation],
        *,
        ttl: float,
        now: float | None = None,
    ) -> None:
        """Add entries, all or none.

        The store stamps each with ``at`` = the present and ``expires_at`` =
        ``at + ttl``, whatever these fields hold.
        """
        ...

    async def feed(
        self, cursor: str | None, *, wait: float, now: float | None = None
    ) -> Feed:
        """Read a page of what came after *cursor*; ``None`` begins the whole window.

        Nothing that was committed before the call is missed by who reads on while
        there is ``more``. Expired entries are left out. A page costs what is in it,
        whatever else is stored.

        A cursor serves for as long as its reader lives. One that the store does not
        know any more, or not yet, begins the window as ``None`` does, and the page
        says ``restarted``: a store that was put back to an earlier state must not let
        its readers wait for numbers that it has given out before.

        Args:
            cursor: From the last :class:`~asgi_auth.stores.records.Feed`.
            wait: Seconds to wait at most while there is nothing new.
            now: The caller's time, or ``None`` for the store's.
        """
        ...


class OnceStore(Protocol):
    """Knows what was used, so that it is used once by all processes together."""

    async def once(
        self, space: str, key: str, *, ttl: float, now: float | None = None
    ) -> bool:
        """Use up a key; return whether it was there to be used: one atomic step.

        Of all who ask for a key within *ttl* seconds, one gets ``True``. Any text is a
        key, also one that no database can store: keep
        :func:`~asgi_auth.stores.records.once_name`. A key must never be forgotten
        early: a store without space for it raises.

        Args:
            space: What kind of key it is, so that two kinds do not meet.
            key: What may be used once, such as a ``jti``.
            ttl: Seconds for which it counts as used. With 0 this only looks: what
                asks afterwards is not affected.
            now: The caller's time, or ``None`` for the store's.

        Raises:
            UnavailableError: It is not known, or the answer was lost; the key may be
                used.
        """
        ...


class Store(SessionStore, RevocationStore, OnceStore, Protocol):
    """Keeps sessions, what is revoked and what is used up, for a token service."""

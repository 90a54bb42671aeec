"""End sessions and tokens, everywhere.

What is revoked is published first and closed then, so that a crash in between errs on
the safe side. Who may end what is not asked here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from anyio import CancelScope
from anyio.lowlevel import checkpoint

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import UnavailableError
from asgi_auth.events import Event, Events
from asgi_auth.revocation import RevocationList
from asgi_auth.sessions.lifetimes import LONGEST_LINK
from asgi_auth.stores.base import Store
from asgi_auth.stores.records import SESSIONS_PAGE, Place, Revocation, Session
from asgi_auth.tokens.verified import VerifiedToken

__all__ = ["Revoker"]

Entry = tuple[Literal["jti", "sid", "subject", "all"], str]


class Revoker:
    """Publishes revocations of one issuer, closes its sessions and reports it.

    Args:
        store: Keeps sessions and passes revocations on.
        revocations: This process's copy, which learns at once.
        issuer: Whose tokens; empty where they have no ``iss``.
        ttl: Seconds after which no token can be left that an entry could hit.
        session_ttl: Seconds that a session lives in any case.
        events: Gets what is reported.
        clock: Returns Unix seconds, or ``None``: the store's time counts.
    """

    __slots__ = (
        "_clock",
        "_events",
        "_issuer",
        "_revocations",
        "_session_ttl",
        "_store",
        "_ttl",
    )

    def __init__(
        self,
        store: Store,
        revocations: RevocationList,
        *,
        issuer: str,
        ttl: float,
        session_ttl: float,
        events: Events,
        clock: Clock | None,
    ) -> None:
        self._store = store
        self._revocations = revocations
        self._issuer = issuer
        self._ttl = ttl
        self._session_ttl = session_ttl
        self._events = events
        self._clock = clock

    async def publish(
        self, entries: Sequence[Entry], *, ttl: float | None = None
    ) -> None:
        """Make entries known to every process.

        Args:
            entries: Kind and value of each.
            ttl: Seconds that they are needed, if not the usual ones.

        Raises:
            UnavailableError: The store is down.
        """
        revoked = [
            Revocation(kind=kind, issuer=self._issuer, value=value)
            for kind, value in entries
        ]
        lifetime = self._ttl if ttl is None else ttl
        await self._store.publish(revoked, ttl=lifetime, now=self.now())
        await self._revocations.read()

    async def revoke(
        self, kind: Literal["access", "refresh"], token: VerifiedToken
    ) -> None:
        """Revoke an access token, or a refresh token with its session.

        One that is revoked already costs no write.

        Raises:
            UnavailableError: The store is down.
        """
        if kind == "refresh" and token.session_id is not None:
            await self.end_if_live(token.session_id)
        elif token.token_id is not None and self._is_news("jti", token.token_id):
            await self.publish([("jti", token.token_id)])

    async def sessions(
        self, subject: str, *, after: Place | None = None, limit: int = SESSIONS_PAGE
    ) -> Sequence[Session]:
        """Return a page of a subject's sessions, the oldest first.

        Raises:
            UnavailableError: The store is down.
        """
        return await self._store.sessions(
            self._issuer, subject, after=after, limit=limit, now=self.now()
        )

    async def end_subject(self, subject: str, *, keep: str | None) -> None:
        """End all sessions and tokens of a subject, but for one session.

        It works page by page, and lets others run in between, also where the store
        is in memory. Whoever repeats it after an interruption goes on with what is
        left.

        Raises:
            UnavailableError: The store is down.
        """
        page = await self.sessions(subject)
        await self.publish([("subject", subject)], ttl=LONGEST_LINK)
        while page:
            sids = [session.sid for session in page if session.sid != keep]
            await self.end(sids, "session.revoked", subject)
            if len(page) < SESSIONS_PAGE:
                break

            await checkpoint()
            page = await self.sessions(subject, after=page[-1].place)

    async def end_surplus(self, subject: str, *, keep: int) -> None:
        """End the sessions of a subject beyond *keep* that were not used the longest.

        A page of them at most: who has more loses them over the next log-ins.

        Raises:
            UnavailableError: The store is down.
        """
        sids = await self._store.surplus(
            self._issuer, subject, keep=keep, now=self.now()
        )
        await self.end(sids, "session.revoked", subject)

    async def end_all(self) -> None:
        """End all that was issued up to now.

        Raises:
            UnavailableError: The store is down.
        """
        await self.publish([("all", "")], ttl=self._session_ttl)

    async def find(self, sid: str) -> Session | None:
        """Return a live session of this issuer, or ``None``.

        Raises:
            UnavailableError: The store is down.
        """
        session = await self._store.find(sid, now=self.now())
        if session is None or session.issuer != self._issuer:
            return None

        return session

    async def end_if_live(self, sid: str) -> None:
        """End a session that there is; others cost no write, and make no event.

        Whoever holds one of its tokens may ask for that as often as they like, also
        after its end.

        Raises:
            UnavailableError: The store is down.
        """
        if not self._is_news("sid", sid):
            return

        session = await self.find(sid)
        if session is not None:
            await self.end([sid], "session.revoked", session.subject)

    def _is_news(self, kind: Literal["jti", "sid"], value: str) -> bool:
        entry = Revocation(kind=kind, issuer=self._issuer, value=value)
        # What is held at all is held for as long as any token may need it.
        return not self._revocations.holds(entry)

    async def end(
        self,
        sids: Sequence[str],
        event: str,
        subject: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """End sessions; harmless to repeat.

        Args:
            sids: Which.
            event: What to call it to the listener.
            subject: Whose they are, if that is known.
            detail: Further facts for the listener.

        Raises:
            UnavailableError: The store is down.
        """
        if not sids:
            return

        entries: list[Entry] = [("sid", sid) for sid in sids]
        # Once it is known, it is done, also if no caller waits for it any more.
        with CancelScope(shield=True):
            await self.publish(entries)
            try:
                await self._store.close(sids, now=self.now())
            except UnavailableError:
                # The rows may outlive the entries: these must then last as long.
                await self.publish(entries, ttl=self._session_ttl)
                raise

        for sid in sids:
            self.report(event, subject, sid, detail)

    def report(
        self,
        name: str,
        subject: str | None,
        sid: str | None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Emit an event."""
        event = Event(
            name=name,
            at=(self._clock or system_clock)(),
            issuer=self._issuer or None,
            subject=subject,
            session_id=sid,
            detail=detail or {},
        )
        self._events.emit(event)

    def now(self) -> float | None:
        """Return what the verbs of a store take as ``now``."""
        return None if self._clock is None else self._clock()

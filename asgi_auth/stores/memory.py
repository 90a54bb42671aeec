"""The store of a single process: everything is in its memory, and ends with it.

It shares nothing with other processes: with several workers use SQL or Redis.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush, nsmallest
from itertools import islice

from asgi_auth._clock import Clock, system_clock
from asgi_auth.errors import ConfigurationError
from asgi_auth.stores.memory_feed import MemoryFeed
from asgi_auth.stores.memory_once import MemoryOnce
from asgi_auth.stores.records import (
    SESSIONS_PAGE,
    Feed,
    NewSession,
    Place,
    Revocation,
    Rotation,
    Session,
)
from asgi_auth.stores.rotation import judge
from asgi_auth.stores.text import check_storable

__all__ = ["MemoryStore"]

# Each new session pays for at most so many old ones.
_SWEEP_AT_ONCE = 8


class MemoryStore:
    """Keeps sessions and revocations in memory. Satisfies ``Store``.

    Threads and event loops may share it. It cleans up as it goes, and starts no task.
    Waiting in :meth:`feed` needs asyncio; the rest runs on any event loop.

    Args:
        max_sessions: How many sessions it holds. When it is full, the session that
            ended first makes way, and if none has ended, the one that was refreshed
            the longest ago: its user has to log in again.
        retention: Seconds for which an ended session is still known.
        clock: Its own time, used where a verb is not given ``now``.

    Raises:
        ConfigurationError: *max_sessions* is not positive, or *retention* is negative.
    """

    def __init__(
        self,
        max_sessions: int = 100_000,
        *,
        retention: float = 86400.0,
        clock: Clock = system_clock,
    ) -> None:
        if max_sessions < 1 or retention < 0:
            msg = "max_sessions must be 1 or more, and retention 0 or more seconds"
            raise ConfigurationError(msg)

        self._max_sessions = max_sessions
        self._retention = retention
        self._clock = clock
        self._lock = threading.Lock()
        # In the order of their last refresh, the oldest first.
        self._rows: dict[str, _Row] = {}
        # What is not revoked, the oldest first.
        self._subjects: dict[tuple[str, str], list[Place]] = {}
        # (when it ends, sid). A refresh leaves its entry too early, to be put right
        # when it comes up; an entry without a session is passed over.
        self._ends: list[tuple[float, str]] = []
        self._feed = MemoryFeed()
        self._once = MemoryOnce()

    def __repr__(self) -> str:
        """Show how full it is."""
        return f"MemoryStore({len(self._rows)} of {self._max_sessions} sessions)"

    async def ping(self) -> None:
        """Do nothing: it always serves."""

    async def create(self, new: NewSession, *, now: float | None = None) -> Session:
        """Open a session with counter 0. See ``Store.create``.

        Raises:
            ValueError: The sid is taken, or a string cannot be stored.
            TypeError: The claims are not JSON values.
        """
        new.check_storable()
        now = self._time(now)
        session = Session(
            sid=new.sid,
            issuer=new.issuer,
            subject=new.subject,
            seq=0,
            created_at=now,
            rotated_at=now,
            idle_expires_at=now + min(new.idle_ttl, new.ttl),
            expires_at=now + new.ttl,
            auth_time=now if new.auth_time is None else new.auth_time,
            acr=new.acr,
            amr=tuple(new.amr),
            device=new.device,
        )
        row = _Row(session, json.dumps(dict(new.claims), allow_nan=False))
        with self._lock:
            self._make_room(now)
            self._insert(row)

        return row.copy()

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
        """Advance the counter from *seq*, or report why not. See ``Store.rotate``."""
        with self._lock:
            now = self._time(now)
            row = self._rows.get(sid)
            if row is None:
                return Rotation("refused")

            outcome = judge(row.session, seq, grace=grace, client=client, now=now)
            if outcome in {"rotated", "restored"}:
                row.advance(seq, now, idle_ttl, client)
                self._rows[sid] = self._rows.pop(sid)

            return Rotation(outcome, row.copy())

    async def find(self, sid: str, *, now: float | None = None) -> Session | None:
        """Return a live session, or ``None``. See ``Store.find``."""
        with self._lock:
            row = self._rows.get(sid)
            is_live = row is not None and self._time(now) < row.ends_at
            return row.copy() if row is not None and is_live else None

    async def sessions(
        self,
        issuer: str,
        subject: str,
        *,
        after: Place | None = None,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[Session]:
        """Return a page of the live sessions. See ``Store.sessions``."""
        with self._lock:
            now = self._time(now)
            places = self._subjects.get((issuer, subject), [])
            start = 0 if after is None else bisect_right(places, after)
            rows = (self._rows[places[i].sid] for i in range(start, len(places)))
            live = (row.copy() for row in rows if now < row.ends_at)
            return list(islice(live, limit))

    async def surplus(
        self,
        issuer: str,
        subject: str,
        *,
        keep: int,
        limit: int = SESSIONS_PAGE,
        now: float | None = None,
    ) -> Sequence[str]:
        """Name the live sessions that are too many. See ``Store.surplus``."""
        with self._lock:
            now = self._time(now)
            places = self._subjects.get((issuer, subject), [])
            if len(places) <= keep:
                return []

            ends = [(self._rows[place.sid].ends_at, place) for place in places]
            live = [end for end in ends if now < end[0]]
            surplus = nsmallest(min(max(len(live) - keep, 0), limit), live)
            return [place.sid for _, place in surplus]

    async def close(self, sids: Sequence[str], *, now: float | None = None) -> None:
        """End sessions for good; unknown and ended ones are passed over."""
        with self._lock:
            now = self._time(now)
            for sid in sids:
                row = self._rows.get(sid)
                if row is not None and now < row.ends_at:
                    self._unlist(row.session)
                    row.session = replace(row.session, revoked_at=now)
                    heappush(self._ends, (now, sid))

    async def publish(
        self,
        entries: Sequence[Revocation],
        *,
        ttl: float,
        now: float | None = None,
    ) -> None:
        """Add entries, all or none, and wake who waits. See ``Store.publish``.

        Raises:
            ValueError: A string cannot be stored.
        """
        for entry in entries:
            check_storable(issuer=entry.issuer, value=entry.value)

        self._feed.publish(entries, ttl=ttl, now=self._time(now))

    def subscribe(
        self, listener: Callable[[Sequence[Revocation], float], None]
    ) -> None:
        """Call *listener* with entries as they are published, the living ones first.

        Within one process no reader has to wait in :meth:`feed`. The listener must be
        the method of an object; it is held weakly.
        """
        self._feed.subscribe(listener, now=self._clock())

    async def feed(
        self, cursor: str | None, *, wait: float, now: float | None = None
    ) -> Feed:
        """Read what was published since *cursor*. See ``Store.feed``.

        The whole window is answered at once, even if it is empty.
        """
        if cursor is not None and wait > 0:
            await self._feed.news(cursor, wait)

        return self._feed.read(cursor, now=self._time(now))

    async def once(
        self, space: str, key: str, *, ttl: float, now: float | None = None
    ) -> bool:
        """Use up a key; return whether it was there. See ``Store.once``.

        Raises:
            UnavailableError: It holds 200 000 keys that still count.
        """
        return self._once.use(space, key, ttl=ttl, now=self._time(now))

    def _time(self, now: float | None) -> float:
        return self._clock() if now is None else now

    def _insert(self, row: _Row) -> None:
        session = row.session
        if session.sid in self._rows:
            msg = "a session with this sid exists"
            raise ValueError(msg)

        self._rows[session.sid] = row
        owner = (session.issuer, session.subject)
        insort(self._subjects.setdefault(owner, []), session.place)
        heappush(self._ends, (row.ends_at, session.sid))

    def _make_room(self, now: float) -> None:
        for _ in range(_SWEEP_AT_ONCE):
            if not self._drop_ended(now - self._retention):
                break

        if len(self._rows) >= self._max_sessions and not self._drop_ended(now):
            self._drop(next(iter(self._rows)))

        # Entries of dropped sessions stay until they come up: not too many of them.
        if len(self._ends) > 2 * self._max_sessions + _SWEEP_AT_ONCE:
            self._ends = [(row.ends_at, sid) for sid, row in self._rows.items()]
            heapify(self._ends)

    def _drop_ended(self, before: float) -> bool:
        """Drop the session that ended first, if it ended at or before *before*."""
        while self._ends and self._ends[0][0] <= before:
            _, sid = heappop(self._ends)
            row = self._rows.get(sid)
            if row is None:
                continue

            if row.ends_at <= before:
                self._drop(sid)
                return True

            heappush(self._ends, (row.ends_at, sid))

        return False

    def _drop(self, sid: str) -> None:
        self._unlist(self._rows.pop(sid).session)

    def _unlist(self, session: Session) -> None:
        if session.revoked_at is not None:
            return

        owner = (session.issuer, session.subject)
        places = self._subjects[owner]
        del places[bisect_left(places, session.place)]
        if not places:
            del self._subjects[owner]


class _Row:
    """A session, with its claims as text: what callers get, they may change."""

    __slots__ = ("_claims", "session")

    def __init__(self, session: Session, claims: str) -> None:
        self.session = session
        self._claims = claims

    @property
    def ends_at(self) -> float:
        session = self.session
        if session.revoked_at is not None:
            return session.revoked_at

        return min(session.idle_expires_at, session.expires_at)

    def advance(
        self, seq: int, now: float, idle_ttl: float, client: str | None = None
    ) -> None:
        self.session = replace(
            self.session,
            seq=seq + 1,
            rotated_at=now,
            rotated_by=client,
            idle_expires_at=min(now + idle_ttl, self.session.expires_at),
        )

    def copy(self) -> Session:
        return replace(self.session, claims=json.loads(self._claims))

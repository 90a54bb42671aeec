"""The local copy of what is revoked, so that a verdict costs a look-up and no I/O.

One list a process, fed by a store: directly where the store is in memory, else by a
task that reads along, which needs asyncio. The list only ever grows and expires; a
reload removes nothing. It never guesses: a copy that may be old is first caught up.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from threading import Lock
from weakref import WeakKeyDictionary

from asgi_auth._drivers.per_loop import may_go_on
from asgi_auth.errors import RevokedTokenError, UnavailableError
from asgi_auth.stores.base import RevocationStore
from asgi_auth.stores.records import Revocation

__all__ = ["RevocationList", "uptime"]

_logger = logging.getLogger("asgi_auth")

_KINDS = frozenset({"jti", "sid", "subject", "all"})
_CATCH_UP = 1.0
_WAIT = 1.0
_SWEEP = 60.0


# Seconds that go on while the machine sleeps, where it can tell them.
if hasattr(time, "CLOCK_BOOTTIME"):
    uptime: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
else:  # pragma: no cover - not Linux
    uptime = time.monotonic


class _Revoked:
    """What is revoked of one issuer: each name with its entry."""

    __slots__ = ("all", "jti", "sid", "subject")

    def __init__(self) -> None:
        self.jti: dict[str, Revocation] = {}
        self.sid: dict[str, Revocation] = {}
        self.subject: dict[str, Revocation] = {}
        self.all: dict[str, Revocation] = {}

    def add(self, entry: Revocation) -> bool:
        table: dict[str, Revocation] = getattr(self, entry.kind)
        known = table.get(entry.value)
        if known is None:
            table[entry.value] = entry
            return True

        # Of two, neither the later time nor the longer life may be lost.
        latest = max(known.at, entry.at)
        longest = max(known.expires_at, entry.expires_at)
        table[entry.value] = replace(entry, at=latest, expires_at=longest)
        return entry.at > known.at

    def sweep(self, now: float) -> None:
        for table in (self.jti, self.sid, self.subject, self.all):
            for name, entry in [*table.items()]:
                if entry.expires_at <= now:
                    table.pop(name, None)


class RevocationList:
    """Says which tokens are revoked.

    Attributes:
        fresh_until: The :data:`uptime` up to which verdicts need no other look.
        version: Goes up with each entry: a token that was cleared at this version
            need not be looked up again.

    Args:
        store: Where revocations are published.
        max_staleness: Seconds that the copy may be old; then it is caught up, within
            1 second, before the next verdict.
        insecure_accept_stale: Give verdicts from an old copy while the store is down,
            instead of answering 503.
    """

    __slots__ = (
        "__weakref__",
        "_accept_stale",
        "_by_issuer",
        "_catching_up",
        "_cursor",
        "_feeders",
        "_listeners",
        "_lock",
        "_max_staleness",
        "_store",
        "_swept_at",
        "fresh_until",
        "version",
    )

    def __init__(
        self,
        store: RevocationStore,
        *,
        max_staleness: float = 5.0,
        insecure_accept_stale: bool = False,
    ) -> None:
        self._store = store
        self._max_staleness = max_staleness
        self._accept_stale = insecure_accept_stale
        self._by_issuer: dict[str, _Revoked] = {}
        self._cursor: str | None = None
        self._lock = Lock()
        self._swept_at = uptime()
        self.fresh_until = float("-inf")
        self.version = 0
        loops = WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Task[None]]
        self._feeders = loops()
        self._catching_up = loops()
        self._listeners: set[Callable[[Revocation], None]] = set()
        subscribe = getattr(store, "subscribe", None)
        if subscribe is not None:
            # A store in this process tells directly: the copy is never old.
            self.fresh_until = float("inf")
            subscribe(self._apply)

    async def ensure_fresh(self) -> None:
        """Catch up if the copy is old: one read for all who wait.

        Raises:
            UnavailableError: The store is down.
        """
        if uptime() <= self.fresh_until:
            return

        loop = asyncio.get_running_loop()
        self._start_feeder(loop)
        task = self._catching_up.get(loop)
        if task is None or task.done():
            task = self._catching_up[loop] = loop.create_task(self._catch_up())

        try:
            await asyncio.shield(task)
        except UnavailableError:
            # What was never loaded is no old copy: it is none.
            if not self._accept_stale or self.fresh_until == float("-inf"):
                raise

    def keep_fresh(self) -> None:
        """Read along in the running loop, also while nobody asks for a verdict."""
        if self.fresh_until != float("inf"):
            self._start_feeder(asyncio.get_running_loop())

    async def read(self) -> None:
        """Read at once what is new, for instance what this process has published.

        Raises:
            UnavailableError: The store is down.
        """
        if self.fresh_until != float("inf"):
            await self._read(wait=0)

    def check(
        self,
        issuer: str | None,
        *,
        session_id: str | None,
        token_id: str | None,
        subject: str,
        issued_at: float,
    ) -> None:
        """Pass, or raise.

        Args:
            issuer: The token's ``iss``.
            session_id: Its ``sid``.
            token_id: Its ``jti``.
            subject: Its ``sub``.
            issued_at: Its ``iat``, in Unix seconds.

        Raises:
            RevokedTokenError: An entry of the list hits it.
        """
        revoked = self._by_issuer.get(issuer or "")
        if revoked is None:
            return

        if session_id is None:
            entry = revoked.subject.get(subject)
            hit = entry is not None and issued_at <= entry.at
        else:
            hit = session_id in revoked.sid

        if hit or token_id in revoked.jti or issued_at <= self.all_before(issuer):
            raise RevokedTokenError

    def all_before(self, issuer: str | None) -> float:
        """Return the time up to which all of *issuer* is revoked, or minus infinity."""
        revoked = self._by_issuer.get(issuer or "")
        entry = None if revoked is None else revoked.all.get("")
        return float("-inf") if entry is None else entry.at

    def subscribe(self, listener: Callable[[Revocation], None]) -> Callable[[], None]:
        """Call *listener* with each new entry; return how to stop that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def aclose(self) -> None:
        """Stop reading along in the running loop."""
        task = self._feeders.pop(asyncio.get_running_loop(), None)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _start_feeder(self, loop: asyncio.AbstractEventLoop) -> None:
        task = self._feeders.get(loop)
        if task is None or task.done():
            self._feeders[loop] = loop.create_task(self._feed())

    async def _feed(self) -> None:
        """Read along for as long as the loop lives."""
        pause = 0.1
        while may_go_on():
            try:
                await self._read(wait=_WAIT)
                pause = 0.1
            except UnavailableError:
                # What was missed meanwhile is unknown: read the whole window again.
                self._cursor = None
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
            except Exception:
                _logger.exception("reading the revocations failed")
                self._cursor = None
                await asyncio.sleep(2.0)

    async def _catch_up(self) -> None:
        try:
            async with asyncio.timeout(_CATCH_UP):
                await self._read(wait=0)
        except TimeoutError:
            msg = "the revocations could not be read in time"
            raise UnavailableError(msg) from None

    async def _read(self, *, wait: float) -> None:
        # The copy is as old as the question, not as the answer: a process may have
        # been suspended in between.
        asked_at = uptime()
        cursor = self._cursor
        feed = await self._store.feed(cursor, wait=wait)
        self._apply(feed.entries, feed.now)
        self._cursor = feed.cursor
        self.fresh_until = max(self.fresh_until, asked_at + self._max_staleness)

    def _apply(self, entries: Iterable[Revocation], now: float) -> None:
        for entry in entries:
            if entry.kind not in _KINDS:
                # A newer version of this package may share the store.
                _logger.warning("a revocation of an unknown kind is passed over")
                continue

            revoked = self._by_issuer.setdefault(entry.issuer, _Revoked())
            with self._lock:
                is_news = revoked.add(entry)
                self.version += is_news

            if is_news:
                for listener in [*self._listeners]:
                    listener(entry)

        if uptime() - self._swept_at > _SWEEP:
            self._swept_at = uptime()
            for revoked in [*self._by_issuer.values()]:
                revoked.sweep(now)

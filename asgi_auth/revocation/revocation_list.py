"""The local copy of what is revoked, so that a verdict costs a look-up and no I/O.

One list a process, fed by a store: directly where the store is in memory, else by a
task that reads along, which needs asyncio. The list only ever grows and expires; a
reload removes nothing. It never guesses: a copy that may be old is first caught up.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from asgi_auth._clock import Clock
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError, RevokedTokenError, UnavailableError
from asgi_auth.revocation.reader import FeedReader
from asgi_auth.revocation.register import Register
from asgi_auth.revocation.restorer import Restorer
from asgi_auth.revocation.table import RevokedTable
from asgi_auth.revocation.uptime import uptime
from asgi_auth.stores.base import RevocationStore
from asgi_auth.stores.records import Feed, Revocation

__all__ = ["RevocationList"]

_logger = package_logger(__name__)

_KINDS = frozenset({"jti", "sid", "subject", "all"})
_NEVER = float("-inf")

_WHY_REVOKED = (
    "revoked is the session {!r}, the token {!r}, all of the subject {!r}, or all of "
    "the issuer"
)

# Seconds.
_CATCH_UP = 1.0
# So many entries are applied before others may run.
_SLICE = 500


class RevocationList:
    """Says which tokens are revoked.

    An entry takes about 100 bytes here until it expires. It is forgotten by a clock
    that only goes forward, so that no revocation is lost when a clock is set.

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
        max_entries: How many entries it holds. Beyond that all access tokens of the
            issuer from before the latest entry are refused, so that clients refresh
            them: a flood costs time, and neither memory nor safety.
        close: Ends sessions by their sids, once more: called where the store has
            lost revocations that this list still held.
        clock: Returns Unix seconds; by default the store's own time counts.

    Raises:
        ConfigurationError: *max_entries* is not positive.
    """

    __slots__ = (
        "__weakref__",
        "_accept_stale",
        "_listeners",
        "_lock",
        "_max_staleness",
        "_reader",
        "_register",
        "_restorer",
        "_tables",
        "fresh_until",
        "version",
    )

    def __init__(
        self,
        store: RevocationStore,
        *,
        max_staleness: float = 5.0,
        insecure_accept_stale: bool = False,
        max_entries: int = 2_000_000,
        close: Callable[[Sequence[str]], Awaitable[None]] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._max_staleness = max_staleness
        self._accept_stale = insecure_accept_stale
        if insecure_accept_stale:
            _logger.warning(
                "insecure_accept_stale: in an outage revoked tokens are accepted"
            )

        self._register = Register(max_entries)
        self._tables = self._register.tables
        self.fresh_until: float = _NEVER
        self.version: int = 0
        self._lock = Lock()
        self._listeners: set[Callable[[Sequence[Revocation]], None]] = set()
        self._restorer = Restorer(store, entries=self._register.entries, close=close)
        self._reader = FeedReader(
            store,
            apply=self._apply,
            confirm=self._confirm,
            is_fresh=self._is_fresh,
            clock=clock,
        )
        subscribe = getattr(store, "subscribe", None)
        if subscribe is not None:
            # A store in this process reports directly: the copy is never old.
            self.fresh_until = math.inf
            subscribe(self._apply_at_once)

    @property
    def ready(self) -> bool:
        """Whether verdicts can be given now, without waiting for the store."""
        return self._is_fresh() or (self._accept_stale and self.fresh_until > _NEVER)

    @property
    def size(self) -> int:
        """How many entries it holds."""
        return self._register.size

    async def ensure_fresh(self) -> None:
        """Catch up if the copy is old: one read for all who wait, at most 1 second.

        Raises:
            UnavailableError: The store is down, or a fresh process is still loading.
        """
        if self._is_fresh():
            return

        try:
            await self._reader.catch_up(_CATCH_UP)
        except UnavailableError:
            # What was never loaded is no old copy: it is none.
            if not self._accept_stale or self.fresh_until == _NEVER:
                raise

    async def load(self) -> bool:
        """Report whether verdicts can be given: for a readiness probe.

        A fresh process first reads what is revoked. This waits for it, for 1 second
        at most, and reports ``False`` meanwhile, and while the store is down.
        """
        with suppress(UnavailableError, ConfigurationError):  # A table may be missing.
            await self.ensure_fresh()

        return self.ready

    def keep_fresh(self) -> None:
        """Read along in the running loop, also while no caller asks for a verdict."""
        if self.fresh_until != math.inf:
            self._reader.start()

    async def read(self) -> None:
        """Read at once what is new, for instance what this process has published.

        Raises:
            UnavailableError: The store is down.
        """
        if self.fresh_until != math.inf:
            await self._reader.read()

    def check(
        self,
        issuer: str | None,
        *,
        session_id: str | None,
        token_id: str | None,
        subject: str,
        issued_at: float,
        whole_subject: bool = False,
        act: Any = None,
    ) -> None:
        """Check that no entry of the list hits a token.

        Args:
            issuer: The token's ``iss``.
            session_id: Its ``sid``.
            token_id: Its ``jti``.
            subject: Its ``sub``.
            issued_at: Its ``iat``, in Unix seconds.
            whole_subject: A revoked subject takes its sessions along.
            act: Its ``act``: who acts for the subject, and in which session.

        Raises:
            RevokedTokenError: An entry of the list hits it.
        """
        table = self._tables.get(issuer or "")
        if table is None:
            return

        hit = (
            issued_at <= table.all_at
            or issued_at <= table.full_at
            or (session_id is not None and table.has_session(session_id))
            or (token_id is not None and table.has_token(token_id))
            or (act is not None and _is_over(act, issued_at, table))
        )
        if not hit and (session_id is None or whole_subject):
            hit = issued_at <= table.subject_at(subject)

        if hit:
            msg = _WHY_REVOKED.format(session_id, token_id, subject)
            raise RevokedTokenError(msg)

    def all_before(self, issuer: str | None) -> float:
        """Return the time up to which all of *issuer* is revoked, or minus infinity."""
        table = self._tables.get(issuer or "")
        return _NEVER if table is None else table.all_at

    def ahead(self, now: float) -> float:
        """Return by how many seconds *now* is ahead of the store's clock, at most.

        It is 0 where it is behind, and before the store was read.
        """
        return max(0.0, now - self._reader.store_time())

    def missing(
        self, entries: Iterable[Revocation], *, ttl: float
    ) -> Sequence[Revocation]:
        """Return those *entries* that it would be of use to publish.

        A token or session that is held already, and for at least half of *ttl*, need
        not be named again. A subject and an issuer always are: their time counts.

        Args:
            entries: What the caller means to publish.
            ttl: Seconds that they would live.
        """
        holds = self._register.holds
        return [
            entry
            for entry in entries
            if entry.kind not in {"jti", "sid"} or not holds(entry, ttl / 2)
        ]

    def subscribe(
        self, listener: Callable[[Sequence[Revocation]], None]
    ) -> Callable[[], None]:
        """Call *listener* with new entries, some at a time; return how to stop that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    async def aclose(self) -> None:
        """Stop reading along in the running loop."""
        await self._reader.aclose()
        await self._restorer.aclose()

    def _is_fresh(self) -> bool:
        return uptime() <= self.fresh_until

    def _confirm(self, asked_at: float) -> None:
        self.fresh_until = max(self.fresh_until, asked_at + self._max_staleness)
        self._restorer.finish()

    async def _apply(self, feed: Feed) -> None:
        self._restorer.note(feed)
        for start in range(0, len(feed.entries), _SLICE):
            self._apply_at_once(feed.entries[start : start + _SLICE], feed.now)
            await asyncio.sleep(0)

        self._register.sweep()

    def _apply_at_once(self, entries: Sequence[Revocation], now: float) -> None:
        if not _KINDS.issuperset(entry.kind for entry in entries):
            # A newer version of this package may share the store.
            _logger.warning("revocations of an unknown kind are passed over")
            entries = [entry for entry in entries if entry.kind in _KINDS]

        news = self._register.add(entries, now)
        if news:
            # Never twice the same: a token cleared at it would not be looked up again.
            with self._lock:
                self.version += 1

            for listener in [*self._listeners]:
                listener(news)

        if self.fresh_until == math.inf:
            self._register.sweep()


def _is_over(act: Any, issued_at: float, table: RevokedTable) -> bool:
    """Report whether who acts has logged out, of a session that is named or of all."""
    if not isinstance(act, Mapping):
        return False

    sid, actor = act.get("sid"), act.get("sub")
    if isinstance(sid, str):
        return table.has_session(sid)

    # Of another issuer's users we do not hear.
    if not isinstance(actor, str) or "iss" in act:
        return False

    return issued_at <= table.subject_at(actor)

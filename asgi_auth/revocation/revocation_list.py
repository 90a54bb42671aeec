"""The local copy of what is revoked, so that a verdict costs a look-up and no I/O.

One list a process, fed by a store: directly where the store is in memory, else by a
task that reads along, which needs asyncio. The list only ever grows and expires; a
reload removes nothing. It never guesses: a copy that may be old is first caught up.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from asgi_auth._clock import Clock
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.revocation.reader import FeedReader
from asgi_auth.revocation.register import Register
from asgi_auth.revocation.restorer import Restorer
from asgi_auth.revocation.uptime import uptime
from asgi_auth.stores.base import RevocationStore
from asgi_auth.stores.records import Revocation

__all__ = ["RevocationList"]

_logger = package_logger(__name__)

_NEVER = float("-inf")


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
            note=self._restorer.note,
            apply=self._apply,
            confirm=self._confirm,
            is_fresh=self._is_fresh,
            clock=clock,
        )
        subscribe = getattr(store, "subscribe", None)
        if subscribe is not None:
            # A store in this process reports directly: the copy is never old.
            self.fresh_until = math.inf
            subscribe(self._apply)

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
            await self._reader.catch_up()
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
        act: Any = None,
    ) -> None:
        """Check that no entry of the list hits a token.

        Args:
            issuer: The token's ``iss``.
            session_id: Its ``sid``.
            token_id: Its ``jti``.
            subject: Its ``sub``.
            issued_at: Its ``iat``, in Unix seconds.
            act: Its ``act``: who acts for the subject, and in which session.

        Raises:
            RevokedTokenError: An entry of the list hits it.
        """
        table = self._tables.get(issuer or "")
        if table is not None:
            table.check(session_id, token_id, subject, issued_at, act)

    def all_before(self, issuer: str | None) -> float:
        """Return the time up to which all of *issuer* is revoked, or minus infinity."""
        table = self._tables.get(issuer or "")
        return _NEVER if table is None else table.all_at

    def ahead(self, now: float) -> float:
        """Return by how many seconds *now* is ahead of the store's clock, at most.

        It is 0 where it is behind, and before the store was read.
        """
        return max(0.0, now - self._reader.store_time())

    def holds(self, entry: Revocation, *, life: float = 0) -> bool:
        """Report whether a token or session is held already, for *life* seconds yet.

        A subject or an issuer never is: of these the time counts.
        """
        return self._register.holds(entry, life)

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
        self._register.sweep()

    def _apply(self, entries: Sequence[Revocation], now: float) -> None:
        news: list[Revocation] = []
        note = news.append if self._listeners else None
        if self._register.add(entries, now, note=note):
            # Never twice the same: a token cleared at it would not be looked up again.
            with self._lock:
                self.version += 1

            for listener in [*self._listeners]:
                listener(news)

        self._register.sweep()

"""The revocations of one process, and who waits for the next one.

It polls nothing and leaves no task behind; waiting needs asyncio.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress
from heapq import heappop, heappush
from weakref import WeakMethod

from asgi_auth.stores.records import FEED_PAGE, Feed, Revocation

__all__ = ["MemoryFeed"]

# Kind, issuer and value.
_Key = tuple[str, str, str]
# Number, when it was revoked, when it expires, and when it may go, by a clock that
# no one sets. Tuples of such plain values are nothing that the garbage collector walks.
_Row = tuple[int, float, float, float]
_Listener = Callable[[Sequence[Revocation], float], None]

# Each publication pays for at most so many expired entries.
_SWEEP_AT_ONCE = 100


class MemoryFeed:
    """A list of revocations with cursors. Threads and event loops may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A cursor of another store, or of one that is gone, must read everything.
        self._name = secrets.token_hex(4)
        # By what it says: who revokes the same again replaces it.
        self._rows: dict[_Key, _Row] = {}
        # The keys in the order of their numbers; None was replaced or has expired.
        self._last = 0
        self._numbers = array("Q")
        self._keys: list[_Key | None] = []
        self._gaps = 0
        # (when it may go, key), one for each; too early where it was published again.
        self._ends: list[tuple[float, _Key]] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self._listeners: list[WeakMethod[_Listener]] = []

    def publish(self, entries: Sequence[Revocation], *, ttl: float, now: float) -> None:
        """Stamp the entries, add them, and wake who waits."""
        if not entries:
            return

        with self._lock:
            self._sweep(time.monotonic())
            keys = [(entry.kind, entry.issuer, entry.value) for entry in entries]
            for key in keys:
                self._add(key, now, now + ttl)

            revocations = [_revocation(key, self._rows[key]) for key in keys]
            waiters, self._waiters = self._waiters, set()

        for listener in self._living():
            listener(revocations, now)

        for waiter in waiters:
            # In a loop that was closed there is no one left who waits.
            with suppress(RuntimeError):
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    def subscribe(self, listener: _Listener, *, now: float) -> None:
        """Hand all entries to *listener*, a method held weakly, as they come."""
        with self._lock:
            self._listeners = [ref for ref in self._listeners if ref() is not None]
            self._listeners.append(WeakMethod(listener))

        page = self.read(None, now=now)
        listener(page.entries, now)
        while page.more:
            page = self.read(page.cursor, now=now)
            listener(page.entries, now)

    def _living(self) -> list[_Listener]:
        listeners = [ref() for ref in self._listeners]
        return [listener for listener in listeners if listener is not None]

    def read(self, cursor: str | None, *, now: float) -> Feed:
        """Return a page of what came after *cursor*; see ``Store.feed``."""
        with self._lock:
            since = self._position(cursor)
            start = bisect_right(self._numbers, since or 0)
            end = start + FEED_PAGE
            rows = [(key, self._rows[key]) for key in self._keys[start:end] if key]
            more = end < len(self._keys)
            last = self._numbers[end - 1] if more else self._last
            return Feed(
                tuple(_revocation(key, row) for key, row in rows if now < row[2]),
                f"{self._name}.{last}",
                now,
                more=more,
                restarted=cursor is not None and since is None,
            )

    async def news(self, cursor: str, wait: float) -> None:
        """Return when there is something after *cursor*, or after *wait* seconds."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            since = self._position(cursor)
            if since is None or self._last > since:
                return

            self._waiters.add(waiter)

        try:
            await asyncio.wait({waiter}, timeout=wait)
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _add(self, key: _Key, at: float, expires_at: float) -> None:
        goes_at = time.monotonic() + expires_at - at
        row = self._rows.get(key)
        if row is None:
            heappush(self._ends, (goes_at, key))
        else:
            # No revocation may end early, whatever ttl the second one has.
            number, *times = row
            at, expires_at, goes_at = map(max, times, (at, expires_at, goes_at))
            self._drop(number)

        self._last += 1
        self._numbers.append(self._last)
        self._keys.append(key)
        self._rows[key] = (self._last, at, expires_at, goes_at)

    def _sweep(self, now: float) -> None:
        for _ in range(_SWEEP_AT_ONCE):
            if not self._ends or self._ends[0][0] > now:
                break

            _, key = heappop(self._ends)
            number, _, _, goes_at = self._rows[key]
            if goes_at <= now:
                del self._rows[key]
                self._drop(number)
            else:
                heappush(self._ends, (goes_at, key))

    def _drop(self, number: int) -> None:
        self._keys[bisect_left(self._numbers, number)] = None
        self._gaps += 1
        if self._gaps > _SWEEP_AT_ONCE and 2 * self._gaps > len(self._keys):
            pairs = zip(self._numbers, self._keys, strict=True)
            live = [(number, key) for number, key in pairs if key is not None]
            self._numbers = array("Q", [number for number, _ in live])
            self._keys = [key for _, key in live]
            self._gaps = 0

    def _position(self, cursor: str | None) -> int | None:
        name, _, number = (cursor or "").partition(".")
        if name != self._name or not number.isascii() or not number.isdigit():
            return None

        return int(number) if int(number) <= self._last else None


def _revocation(key: _Key, row: _Row) -> Revocation:
    kind, issuer, value = key
    return Revocation(
        kind=kind,  # type: ignore[arg-type]
        issuer=issuer,
        value=value,
        at=row[1],
        expires_at=row[2],
    )


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

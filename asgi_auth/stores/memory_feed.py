"""The revocations of one process, and who waits for the next one.

It polls nothing and leaves no task behind; waiting needs asyncio.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from heapq import heappop, heappush
from itertools import takewhile
from weakref import WeakMethod

from asgi_auth.stores.records import Feed, Revocation

__all__ = ["MemoryFeed"]

_Key = tuple[str, str, str]
_Listener = Callable[[Sequence[Revocation], float], None]


class MemoryFeed:
    """A list of revocations with cursors. Threads and event loops may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A cursor of another store, or of one that is gone, must read everything.
        self._name = secrets.token_hex(4)
        self._last = 0
        # By what it says: who revokes the same again replaces it. The newest is last.
        self._entries: dict[_Key, tuple[int, Revocation]] = {}
        # (when it expires, key), one for each; too early where it was published again.
        self._ends: list[tuple[float, _Key]] = []
        self._waiters: set[asyncio.Future[None]] = set()
        self._listeners: list[WeakMethod[_Listener]] = []

    def publish(self, entries: Sequence[Revocation], *, ttl: float, now: float) -> None:
        """Stamp the entries, add them, and wake who waits."""
        if not entries:
            return
        with self._lock:
            self._sweep(now)
            stamped = [replace(e, at=now, expires_at=now + ttl) for e in entries]
            for entry in stamped:
                self._add(entry)
            waiters, self._waiters = self._waiters, set()
        for listener in self._living():
            listener(stamped, now)
        for waiter in waiters:
            # A loop that was closed has nobody left who waits.
            with suppress(RuntimeError):
                waiter.get_loop().call_soon_threadsafe(_wake, waiter)

    def subscribe(self, listener: _Listener, *, now: float) -> None:
        """Tell *listener*, a method held weakly, of all entries at once."""
        with self._lock:
            self._listeners = [ref for ref in self._listeners if ref() is not None]
            self._listeners.append(WeakMethod(listener))
        listener(self.read(None, now=now).entries, now)

    def _living(self) -> list[_Listener]:
        found = [ref() for ref in self._listeners]
        return [listener for listener in found if listener is not None]

    def read(self, cursor: str | None, *, now: float) -> Feed:
        """Return what came after *cursor*, or all for ``None`` or a foreign one."""
        with self._lock:
            since = self._position(cursor)
            newest_first = reversed(self._entries.values())
            news = takewhile(lambda item: item[0] > since, newest_first)
            live = tuple(entry for _, entry in news if now < entry.expires_at)
            return Feed(live, f"{self._name}.{self._last}", now)

    async def news(self, cursor: str, wait: float) -> None:
        """Return when there is something after *cursor*, or after *wait* seconds."""
        waiter = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._last > self._position(cursor):
                return
            self._waiters.add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=wait)
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def _add(self, entry: Revocation) -> None:
        key = (entry.kind, entry.issuer, entry.value)
        known = self._entries.pop(key, None)
        if known is None:
            heappush(self._ends, (entry.expires_at, key))
        else:
            # No revocation may end early, whatever ttl the second one has.
            latest = max(known[1].at, entry.at)
            longest = max(known[1].expires_at, entry.expires_at)
            entry = replace(entry, at=latest, expires_at=longest)
        self._last += 1
        self._entries[key] = (self._last, entry)

    def _sweep(self, now: float) -> None:
        while self._ends and self._ends[0][0] <= now:
            _, key = heappop(self._ends)
            _, entry = self._entries[key]
            if entry.expires_at <= now:
                del self._entries[key]
            else:
                heappush(self._ends, (entry.expires_at, key))

    def _position(self, cursor: str | None) -> int:
        name, _, number = (cursor or "").partition(".")
        if name != self._name or not number.isascii() or not number.isdigit():
            return 0
        return min(int(number), self._last)


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)

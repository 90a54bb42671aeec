"""The open sockets of one event loop: one timer and one listener for all of them.

It decides nothing: each socket whose time may have come, or that a revocation may
name, looks for itself. It needs asyncio.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Protocol
from weakref import WeakSet, ref

from asgi_auth._clock import Clock
from asgi_auth.principal import Principal
from asgi_auth.revocation import RevocationList
from asgi_auth.stores.records import Revocation

__all__ = ["Deadlines", "Enrolled", "open_sockets"]

# Seconds. A timer counts the time that the machine runs; a clock may be set.
_LONGEST_SLEEP = 30.0
# To look at all sockets takes at most this part of the time; a rest is this long.
_SHARE = 0.05
_LONGEST_REST = 0.25
# So many names are collected while it rests.
_MOST_NAMES = 10_000


class Enrolled(Protocol):
    """A socket that is called when it has to look."""

    principal: Principal

    def wait(self) -> None:
        """See whether its time has come; if not, enter again."""
        ...

    def look(self) -> None:
        """See whether it is revoked."""
        ...


_all: WeakSet[Deadlines] = WeakSet()


def open_sockets() -> int:
    """Count the sockets of this process whose callers are known."""
    return sum(len(deadlines) for deadlines in [*_all])


class Deadlines:
    """Calls sockets when they have to look at the clock, or at the revocations.

    A socket comes and goes for the price of a set, which is why nothing is indexed by
    what revocations name: an entry is held against every socket instead, and entries
    that come in a flood are held against them together. While sockets come and go, the
    timer and the listener stay; they end by themselves once no socket has come for a
    while. Who remembers a ledger does not keep its loop.

    Args:
        clock: Returns Unix seconds.
        revocations: Which are listened to while there is an open socket, or ``None``.
    """

    __slots__ = (
        "__weakref__",
        "_by_deadline",
        "_clock",
        "_comes_at",
        "_feed",
        "_named",
        "_rest_until",
        "_revocations",
        "_ticket",
        "_unsubscribe",
        "_wakes_at",
    )

    def __init__(self, clock: Clock, revocations: RevocationList | None) -> None:
        self._clock = clock
        self._revocations = revocations
        # A store in this process reports directly: no feed has to be kept fresh.
        is_told = revocations is None or revocations.fresh_until == math.inf
        self._feed = None if is_told else revocations
        self._by_deadline: dict[float, set[Enrolled]] = {}
        # When the timer comes, by the clock and by the loop.
        self._wakes_at, self._comes_at = -math.inf, math.inf
        self._ticket = 0
        self._named: set[str] = set()
        self._rest_until = 0.0
        self._unsubscribe: Callable[[], None] | None = None
        _all.add(self)

    def __len__(self) -> int:
        """Count the sockets."""
        return sum(map(len, self._by_deadline.values()))

    def __iter__(self) -> Iterator[Enrolled]:
        """Name the sockets that are there now."""
        return iter([socket for at in self._by_deadline.values() for socket in at])

    def enter(self, socket: Enrolled, deadline: float, now: float) -> None:
        """Let *socket* look at the clock at its *deadline*, which may be infinite."""
        if self._feed is not None:
            # Sockets live long and may be idle: no request would keep it running.
            self._feed.keep_fresh()

        if now >= self._wakes_at:
            self._set_overdue_timer(deadline, now)
        elif deadline < self._wakes_at:
            self._set_timer(deadline, now)

        # Tokens end at whole seconds: many sockets share a deadline.
        sockets = self._by_deadline.get(deadline)
        if sockets is None:
            self._by_deadline[deadline] = {socket}
        else:
            sockets.add(socket)

    def leave(self, socket: Enrolled, deadline: float) -> None:
        """Forget *socket*; it is no error if it is not known."""
        sockets = self._by_deadline.get(deadline)
        if sockets is not None:
            sockets.discard(socket)
            if not sockets:
                del self._by_deadline[deadline]

    def _set_overdue_timer(self, deadline: float, now: float) -> None:
        """Set a timer where there is none, or where one should have come."""
        # Where the loop is late it is about to come: another one, for who comes now,
        # would let those wait on whose time is over. Otherwise the clock was changed.
        if self._comes_at > asyncio.get_running_loop().time():
            self._set_timer(min([deadline, *self._by_deadline]), now)

    def _set_timer(self, deadline: float, now: float) -> None:
        if self._unsubscribe is None and self._revocations is not None:
            self._unsubscribe = _subscribe(self._revocations, self)

        pause = min(max(deadline - now, 0.0), _LONGEST_SLEEP)
        self._wakes_at = now + pause
        self._ticket += 1
        loop = asyncio.get_running_loop()
        self._comes_at = loop.time() + pause
        loop.call_at(self._comes_at, self._wake, self._ticket)

    def _wake(self, ticket: int) -> None:
        if ticket != self._ticket:
            return  # Another timer was set since, to an earlier time.

        # Set anew by the first who enters again, or below.
        self._wakes_at, self._comes_at = -math.inf, math.inf
        now = self._clock()
        for deadline in [at for at in self._by_deadline if at <= now]:
            for socket in self._by_deadline.pop(deadline):
                socket.wait()

        if self._by_deadline:
            self._set_timer(min(self._by_deadline), now)
        elif self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None

    def note(self, entries: Sequence[Revocation]) -> None:
        """Hold *entries* against all sockets, at once or after a rest."""
        is_first = not self._named
        if len(self._named) < _MOST_NAMES:
            self._named.update(entry.value for entry in entries)
        else:
            self._named.add("")  # In a flood all look: that costs no memory.

        loop = asyncio.get_running_loop()
        if is_first and loop.time() >= self._rest_until:
            self._tell()
        elif is_first:
            loop.call_at(self._rest_until, self._tell)

    def _tell(self) -> None:
        """Let look who is named; then rest, so that a flood leaves time for others."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        names, self._named = self._named, set()
        for socket in self:
            principal = socket.principal
            if (
                principal.subject in names
                or principal.session_id in names
                or principal.token_id in names
                or "" in names  # All.
                # Whose session an actor's is: few have one, and they look each time.
                or principal.claims.get("act") is not None
            ):
                socket.look()

        end = loop.time()
        self._rest_until = end + min((end - began) / _SHARE, _LONGEST_REST)


def _is_here(loop: asyncio.AbstractEventLoop) -> bool:
    """Return whether *loop* runs in this thread."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _subscribe(revocations: RevocationList, deadlines: Deadlines) -> Callable[[], None]:
    """Let *deadlines* hear of revocations for as long as other objects refer to it."""
    deadlines_ref, loop = ref(deadlines), ref(asyncio.get_running_loop())

    def hear(entries: Sequence[Revocation]) -> None:
        # It may come from another thread, and after the end of the loop.
        listener, running = deadlines_ref(), loop()
        if listener is None or running is None or running.is_closed():
            stop()
            return

        # Before this process says that it knows: a loop that is late may be long in
        # coming to what is only called soon.
        if _is_here(running):
            listener.note(entries)
            return

        with suppress(RuntimeError):
            running.call_soon_threadsafe(listener.note, entries)

    stop = revocations.subscribe(hear)
    return stop

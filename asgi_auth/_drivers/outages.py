"""Say once that something elsewhere is down, why, and how long it was.

Each thing that a process depends on has one :class:`Outage`: a database, the keys of an
issuer, counters. It closes no connection and refuses no caller.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Literal, NamedTuple
from weakref import WeakMethod, WeakSet

from asgi_auth._logs import package_logger

__all__ = ["Change", "Outage", "OutageKind", "known_outages", "report_changes"]

_logger = package_logger(__name__)

OutageKind = Literal["store", "jwks", "introspection", "limits", "fanout", "provider"]
"""What is down; the name of the event begins with it."""

# Seconds between two warnings, each of which has a line for its end: so what goes up
# and down all the time writes a line a minute.
_QUIET = 120.0


class Change(NamedTuple):
    """That something went down, or is back.

    Attributes:
        kind: What it is.
        place: Where, without a password.
        is_up: It is back.
        cause: Why it is down, or was.
        seconds: How long it was down.
    """

    kind: OutageKind
    place: str
    is_up: bool
    cause: str
    seconds: float


class Outage:
    """Whether one thing elsewhere is down.

    Attributes:
        kind: What it is.
        place: Where, without a password.
        since: When it went down, by ``clock``, or ``None``: it is up.

    Args:
        kind: What it is.
        place: Where, as a sentence can begin.
        clock: Returns seconds that only go forward.
    """

    __slots__ = (
        "__weakref__",
        "_cause",
        "_clock",
        "_is_told",
        "_lock",
        "_told_at",
        "_untold",
        "kind",
        "place",
        "since",
    )

    def __init__(
        self,
        kind: OutageKind,
        place: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kind: OutageKind = kind
        self.place: str = place
        self.since: float | None = None
        self._clock = clock
        self._cause = ""
        self._is_told = False
        self._told_at = float("-inf")
        self._untold = 0
        self._lock = threading.Lock()
        with _registry:
            _outages.add(self)

    def __repr__(self) -> str:
        """Show what and where."""
        return f"Outage({self.kind!r}, {self.place!r}, since={self.since})"

    def down(self, cause: str) -> None:
        """Note that it does not answer.

        Args:
            cause: Why, without a secret.
        """
        with self._lock:
            now = self._clock()
            is_new = self.since is None
            if not is_new and cause == self._cause:
                return

            self._cause = cause
            if is_new:
                self.since = now
                self._is_told = False

            self._warn(now)

        if is_new:
            self._report(is_up=False)

    def up(self) -> None:
        """Note that it answers; cheap where it always did."""
        if self.since is not None:
            self._end()

    def _end(self) -> None:
        with self._lock:
            since, self.since = self.since, None
            if since is None:  # Another thread has said so.
                return

            seconds = self._clock() - since
            if self._is_told:
                _logger.info("%s is back after %.1f seconds", self.place, seconds)

        self._report(is_up=True, seconds=seconds)

    def _report(self, *, is_up: bool, seconds: float = 0.0) -> None:
        change = Change(self.kind, self.place, is_up, self._cause, seconds)
        with _registry:
            living = [(key, method()) for key, method in reversed(_listeners)]

        # Reversed, so that the first of those with one key is the one that stays.
        for listener in {key: method for key, method in living if method}.values():
            listener(change)

    def _warn(self, now: float) -> None:
        if now - self._told_at < _QUIET:
            self._untold += 1
            return

        more = f" ({self._untold} more times since)" if self._untold else ""
        self._is_told, self._told_at, self._untold = True, now, 0
        _logger.warning("%s is down%s: %s", self.place, more, self._cause)


Listener = Callable[[Change], None]

_registry = threading.Lock()
_outages: WeakSet[Outage] = WeakSet()
_listeners: list[tuple[Hashable, WeakMethod[Listener]]] = []


def known_outages() -> list[Outage]:
    """Return all that this process depends on, whether down or up."""
    with _registry:
        return sorted(_outages, key=lambda outage: (outage.kind, outage.place))


def report_changes(listener: Listener, *, key: Hashable) -> None:
    """Call a method with each change, for as long as its object lives.

    Args:
        listener: A method that neither waits nor raises.
        key: Of methods with one key, the first that lives is called.
    """
    with _registry:
        _listeners[:] = [entry for entry in _listeners if entry[1]() is not None]
        _listeners.append((key, WeakMethod(listener)))

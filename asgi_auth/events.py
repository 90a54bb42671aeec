"""Tell the application what happened, for audit and metrics.

Events never hold a token, a key or a password. A listener that raises or hangs harms
nobody: it runs apart from the request, and what it cannot keep up with is dropped and
counted. Async listeners need asyncio.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any

from asgi_auth._clock import system_clock
from asgi_auth._drivers.outages import Change, report_changes
from asgi_auth._logs import package_logger

__all__ = ["Event", "Events", "Listener"]

_logger = package_logger(__name__)

_WAITING = 1000
# So many of them are places that what a stranger can make happen at will cannot take.
_RESERVED = 250
_AT_WILL = ("request.", "credential.", "limit.", "login.failed", "login.locked")
_PATIENCE = 10.0
_QUIET = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened.

    Attributes:
        name: For instance ``session.created``.
        at: Unix seconds.
        issuer: Whose subject it is about.
        subject: Whom it is about.
        session_id: Which log-in.
        detail: Further facts, JSON values.
    """

    name: str
    at: float
    issuer: str | None = None
    subject: str | None = None
    session_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], Any]
"""Gets each event; may be async."""


class Events:
    """Hands events to one listener, apart from the code that tells of them.

    One of these may be given wherever there is an ``on_event``: then all share its
    queue, and what is down in this process is told of once.

    Attributes:
        dropped: How many events the listener did not get, for lack of time.

    Args:
        listener: Gets each event, or ``None``. A sync one runs in one thread of its
            own; an async one as a task, ended after 10 seconds.
    """

    __slots__ = (
        "__weakref__",
        "_is_async",
        "_listener",
        "_queue",
        "_tasks",
        "_thread",
        "_told_at",
        "dropped",
    )

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        call = getattr(listener, "__call__", None)  # noqa: B004
        self._is_async = iscoroutinefunction(listener) or iscoroutinefunction(call)
        self._queue: queue.Queue[Event] = queue.Queue(_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self.dropped: int = 0
        self._told_at = float("-inf")
        if listener is not None:
            is_named = isinstance(listener, Hashable)
            report_changes(self._change, key=listener if is_named else id(listener))

    @classmethod
    def of(cls, given: Listener | Events | None) -> Events:
        """Return what a parameter ``on_event`` stands for."""
        return given if isinstance(given, Events) else cls(given)

    @property
    def has_listener(self) -> bool:
        """Whether anybody hears."""
        return self._listener is not None

    def emit(self, event: Event) -> None:
        """Hand *event* over; never waits, never raises."""
        if self._listener is None:
            return

        if self._is_async:
            self._emit_as_task(event)
        else:
            self._emit_to_thread(event)

    def _change(self, change: Change) -> None:
        """Tell that a store, or something like one, went down or is back."""
        if change.kind == "fanout":
            return  # Rooms tell of it, whatever fan-out they have.

        name = f"{change.kind}.{'up' if change.is_up else 'down'}"
        detail: dict[str, Any] = {"place": change.place, "cause": change.cause}
        if change.is_up:
            detail["seconds"] = round(change.seconds, 3)

        self.emit(Event(name=name, at=system_clock(), detail=detail))

    def _drop(self, event: Event, why: str) -> None:
        self.dropped += 1
        now = time.monotonic()
        if now - self._told_at >= _QUIET:
            self._told_at = now
            _logger.warning(
                "event %s dropped: %s (%d dropped so far)",
                event.name,
                why,
                self.dropped,
            )

    def _emit_as_task(self, event: Event) -> None:
        if len(self._tasks) >= _room_for(event):
            self._drop(event, "the listener lags")
            return

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._drop(event, "no asyncio loop runs")
            return

        task = loop.create_task(self._tell(event))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self, event: Event) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._listener(event)  # type: ignore[misc]
        except Exception:
            _logger.exception("the listener failed at event %s", event.name)

    def _emit_to_thread(self, event: Event) -> None:
        # A listener may have ended it, and a fork does not take it along.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._work, name="asgi_auth events", daemon=True
            )
            self._thread.start()

        try:
            has_room = self._queue.qsize() < _room_for(event)
            if has_room:
                self._queue.put_nowait(event)
        except queue.Full:
            has_room = False

        if not has_room:
            self._drop(event, "the listener lags")

    def _work(self) -> None:
        while True:
            event = self._queue.get()
            try:
                self._listener(event)  # type: ignore[misc]
            except Exception:
                _logger.exception("the listener failed at event %s", event.name)
            finally:
                self._queue.task_done()


def _room_for(event: Event) -> int:
    """Return how many may wait where this event joins them."""
    return _WAITING - (_RESERVED if event.name.startswith(_AT_WILL) else 0)

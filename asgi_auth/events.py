"""Tell the application what happened, for audit and metrics.

Events never hold a token, a key or a password. A listener that raises or hangs harms
nobody: it runs apart from the request, and what it cannot keep up with is dropped.
Async listeners need asyncio.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import Any

__all__ = ["Event", "Events", "Listener"]

_logger = logging.getLogger("asgi_auth")

_WAITING = 1000
_PATIENCE = 10.0


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

    Args:
        listener: Gets each event, or ``None``. A sync one runs in one thread of its
            own; an async one as a task, ended after 10 seconds.
    """

    __slots__ = ("_is_async", "_listener", "_queue", "_tasks", "_thread")

    def __init__(self, listener: Listener | None = None) -> None:
        self._listener = listener
        call = getattr(listener, "__call__", None)  # noqa: B004
        self._is_async = iscoroutinefunction(listener) or iscoroutinefunction(call)
        self._queue: queue.Queue[Event] = queue.Queue(_WAITING)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        """Hand *event* over; never waits, never raises."""
        if self._listener is None:
            return

        if self._is_async:
            self._emit_as_task(event)
        else:
            self._emit_to_thread(event)

    def _emit_as_task(self, event: Event) -> None:
        if len(self._tasks) >= _WAITING:
            _logger.warning("event %s dropped: the listener lags", event.name)
            return

        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            _logger.warning("event %s dropped: no asyncio loop runs", event.name)
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
            self._queue.put_nowait(event)
        except queue.Full:
            _logger.warning("event %s dropped: the listener lags", event.name)

    def _work(self) -> None:
        while True:
            event = self._queue.get()
            try:
                self._listener(event)  # type: ignore[misc]
            except Exception:
                _logger.exception("the listener failed at event %s", event.name)
            finally:
                self._queue.task_done()

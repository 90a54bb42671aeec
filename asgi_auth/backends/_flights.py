"""Ask the same thing once for all who wait, and few things at a time.

What was asked for is not known here. It needs asyncio; each event loop has its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeVar

from asgi_auth.errors import UnavailableError

__all__ = ["Flights"]

T = TypeVar("T")

_AT_ONCE: Final = 64
_RESERVED: Final = 16
_WAITING: Final = 1024
_PATIENCE: Final = 4.0


class Flights(Generic[T]):
    """What is being asked in one event loop, by key.

    Up to 64 questions are under way, and up to 1024 wait, for at most 4 seconds. Who
    was answered well before has 16 ways more, so that a flood of strangers does not
    keep out those who are known. Of strangers the newest is the next: in a flood, the
    oldest have waited in vain anyhow, and would let everybody else do so.
    """

    __slots__ = ("_known", "_tasks", "_unknown")

    def __init__(self) -> None:
        self._tasks: dict[bytes, asyncio.Task[T]] = {}
        self._unknown = _Slots(_AT_ONCE)
        self._known = _Slots(_RESERVED)

    async def ask(
        self, key: bytes, work: Callable[[], Coroutine[Any, Any, T]], *, known: bool
    ) -> T:
        """Return what *work* gives, once for all who ask under the same key.

        Args:
            key: What is asked.
            work: Finds the answer.
            known: There was a good answer to this before.

        Raises:
            UnavailableError: Too many ask at the same time, and later.
        """
        task = self._tasks.get(key)
        if task is None:
            slots = self._known if known else self._unknown
            flight = self._fly(slots, work)
            task = self._tasks[key] = asyncio.get_running_loop().create_task(flight)
            task.add_done_callback(lambda ended_task: self._land(key, ended_task))

        # Who is cancelled leaves alone: others wait for the same answer.
        return await asyncio.shield(task)

    async def cancel(self) -> None:
        """Leave nothing under way."""
        for task in [*self._tasks.values()]:
            task.cancel()

    async def _fly(
        self, slots: _Slots, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        await slots.acquire()
        try:
            return await work()
        finally:
            slots.release()

    def _land(self, key: bytes, ended_task: asyncio.Task[T]) -> None:
        self._tasks.pop(key, None)
        if not ended_task.cancelled():
            ended_task.exception()  # Read, so that nothing warns where no one waited.


class _Slots:
    """Slots for so many at once; of those who wait, the newest comes next."""

    __slots__ = ("_free", "_waiting")

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting = deque[asyncio.Future[None]]()

    async def acquire(self) -> None:
        """Take a slot.

        Raises:
            UnavailableError: None was free for 4 seconds, or 1024 came later.
        """
        if self._free:
            self._free -= 1
            return

        if len(self._waiting) >= _WAITING:
            _refuse(self._waiting.popleft())

        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.append(turn)
        timer = loop.call_later(_PATIENCE, _refuse, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()

            raise
        finally:
            timer.cancel()

    def release(self) -> None:
        """Give a slot to the newest who waits, or back."""
        while self._waiting:
            turn = self._waiting.pop()
            if not turn.done():
                turn.set_result(None)
                return

        self._free += 1


def _refuse(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(UnavailableError(_BUSY, retry_after=1))


_BUSY: Final = "too many tokens are being asked about"

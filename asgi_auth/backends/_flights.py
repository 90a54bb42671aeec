"""Ask the same thing once for all who wait, and few things at a time.

What was asked for is not known here. It needs asyncio; each event loop has its own.
"""

from __future__ import annotations

import asyncio
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

    Up to 64 questions are under way, and up to 1024 wait in turn, for at most
    4 seconds. Who was answered well before has 16 ways more, so that a flood of
    strangers does not keep out those who are known.
    """

    __slots__ = ("_known", "_tasks", "_unknown")

    def __init__(self) -> None:
        self._tasks: dict[bytes, asyncio.Task[T]] = {}
        self._unknown = asyncio.Semaphore(_AT_ONCE)
        self._known = asyncio.Semaphore(_RESERVED)

    async def ask(
        self, key: bytes, work: Callable[[], Coroutine[Any, Any, T]], *, known: bool
    ) -> T:
        """Return what *work* gives, once for all who ask under the same key.

        Args:
            key: What is asked.
            work: Finds the answer.
            known: There was a good answer to this before.

        Raises:
            UnavailableError: Too many ask at the same time.
        """
        task = self._tasks.get(key)
        if task is None:
            if len(self._tasks) >= _AT_ONCE + _RESERVED + _WAITING:
                raise UnavailableError(_BUSY, retry_after=1)

            slots = self._known if known else self._unknown
            flight = self._fly(slots, work)
            task = self._tasks[key] = asyncio.get_running_loop().create_task(flight)
            task.add_done_callback(lambda done: self._land(key, done))

        # Who is cancelled leaves alone: others wait for the same answer.
        return await asyncio.shield(task)

    async def cancel(self) -> None:
        """Leave nothing under way."""
        for task in [*self._tasks.values()]:
            task.cancel()

    async def _fly(
        self, slots: asyncio.Semaphore, work: Callable[[], Coroutine[Any, Any, T]]
    ) -> T:
        try:
            async with asyncio.timeout(_PATIENCE):
                await slots.acquire()
        except TimeoutError:
            raise UnavailableError(_BUSY, retry_after=1) from None

        try:
            return await work()
        finally:
            slots.release()

    def _land(self, key: bytes, done: asyncio.Task[T]) -> None:
        self._tasks.pop(key, None)
        if not done.cancelled():
            done.exception()  # Read, so that nothing warns where no one waited.


_BUSY: Final = "too many tokens are being asked about"

"""What belongs to one event loop, and ends with it: connections above all.

It needs asyncio, and no lifespan: an event loop reports by itself when it shuts down.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["PerLoop", "may_go_on", "stop"]

# Seconds between two tries to cancel a task.
_AGAIN = 0.5

_T = TypeVar("_T")


class PerLoop(Generic[_T]):
    """Makes one thing for each event loop that asks, and closes it with the loop.

    Args:
        make: Makes it, in the loop, at the first use.
        close: Closes it, in the same loop.
    """

    def __init__(
        self, make: Callable[[], _T], close: Callable[[_T], Awaitable[None]]
    ) -> None:
        self._make = make
        self._close = close
        self._lock = threading.Lock()
        self._entries: dict[
            asyncio.AbstractEventLoop, tuple[_T, AsyncGenerator[None, None]]
        ] = {}

    def __len__(self) -> int:
        """Count the loops that have one."""
        return len(self._entries)

    async def get(self) -> _T:
        """Return what the running loop has, made now if need be."""
        return self.here()

    def here(self) -> _T:
        """Do as :meth:`get` does, without waiting."""
        loop = asyncio.get_running_loop()
        with self._lock:
            entry = self._entries.get(loop)
            if entry is not None:
                return entry[0]

            # A copy, since the end of a loop in another thread takes its entry away.
            for other in [*self._entries]:
                if other.is_closed():
                    self._entries.pop(other, None)

            thing = self._make()
            keeper = self._keep(loop, thing)
            self._entries[loop] = (thing, keeper)

        # It runs to its only "yield" and waits for nothing on the way there.
        with suppress(StopIteration):
            keeper.asend(None).send(None)

        return thing

    async def aclose(self) -> None:
        """Close what the running loop has; the next use makes a new one."""
        entry = self._entries.get(asyncio.get_running_loop())
        if entry is not None:
            await entry[1].aclose()

    async def _keep(
        self, loop: asyncio.AbstractEventLoop, thing: _T
    ) -> AsyncGenerator[None, None]:
        # A loop closes its asynchronous generators before itself. That is the one
        # moment which every way of running a loop passes through.
        try:
            yield
        finally:
            self._entries.pop(loop, None)
            await self._close(thing)


def may_go_on() -> bool:
    """Say whether the running task has not been cancelled.

    For tasks that never end by themselves: a driver that gives up at the very moment
    may swallow the cancellation, and the loop that shuts down would wait for ever.
    """
    task = asyncio.current_task()
    return task is None or not task.cancelling()


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel *task*, and wait for its end.

    More than once where it must be: a driver that is just connecting may take the
    cancellation for an outage of its own, and the task would try again for ever.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_AGAIN)

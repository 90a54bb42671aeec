"""What waits to be sent to one client: bounded, and in order.

Who posts does not wait for the client; who must not lose a message can. It needs
asyncio. A task exists only while something is being sent that was posted.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from asgi_auth._asgi import Message, Send
from asgi_auth.websocket.payload import Frame

__all__ = ["SendQueue"]


class SendQueue:
    """The queue of messages to one client.

    Args:
        send: The way out.
        max_messages: That may wait.
        max_bytes: That may wait.
    """

    __slots__ = (
        "_busy",
        "_max_bytes",
        "_max_messages",
        "_queue",
        "_send",
        "_size",
        "_stopped",
        "_task",
        "_turns",
    )

    def __init__(self, send: Send, *, max_messages: int, max_bytes: int) -> None:
        self._send = send
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        # Mostly empty, and there is one for each socket: an empty deque takes 760 bytes
        # and a list 56. What it costs to take the first of a bounded list is nothing.
        self._queue: list[Frame] = []
        self._turns: list[asyncio.Future[None]] = []
        self._size = 0
        self._busy = False
        self._stopped = False
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Count the messages that wait."""
        return len(self._queue)

    @property
    def blocked(self) -> bool:
        """Whether the server takes no more at the moment."""
        return self._busy

    def post(self, frame: Frame) -> bool:
        """Put *frame* into the queue; say whether there was room.

        It goes out at the next :meth:`flush`.
        """
        if self._stopped:
            return True  # No client is left that could be too slow.

        size = self._size + frame.size
        if len(self._queue) >= self._max_messages or size > self._max_bytes:
            return False

        self._queue.append(frame)
        self._size = size
        return True

    def flush(self) -> None:
        """Send what waits, as far as the server takes it at once."""
        if self._queue and not self._busy and not self._stopped:
            self._busy = True
            self._task = _start(self._drain())

    async def send(self, message: Message) -> None:
        """Send *message* after all that waits."""
        while self._busy or self._queue:
            self.flush()
            if self._busy:
                turn = asyncio.get_running_loop().create_future()
                self._turns.append(turn)
                await turn

        self._busy = True
        try:
            await self._send(message)
        finally:
            self._free()

    def stop(self) -> None:
        """Forget what waits, and take nothing any more."""
        self._stopped = True
        self._queue.clear()
        self._size = 0
        task, self._task = self._task, None
        if task is not None and task is not asyncio.current_task():
            task.cancel()

        self._wake()

    async def _drain(self) -> None:
        try:
            while self._queue:
                frame = self._queue.pop(0)
                self._size -= frame.size
                await self._send(frame.message)
        except Exception:  # noqa: BLE001
            # The client has left: whoever receives from it hears so from the server.
            self.stop()
        finally:
            self._free()

    def _free(self) -> None:
        self._busy = False
        self.flush()
        if not self._busy:
            self._wake()

    def _wake(self) -> None:
        turns, self._turns = self._turns, []
        for turn in turns:
            if not turn.done():
                turn.set_result(None)


def _start(work: Coroutine[Any, Any, None]) -> asyncio.Task[None] | None:
    """Run *work* up to where it has to wait; what is left of it becomes a task."""
    loop = asyncio.get_running_loop()
    if sys.version_info >= (3, 12):
        task = asyncio.Task(work, loop=loop, eager_start=True)
        if not task.done():
            return task

        with suppress(asyncio.CancelledError):
            task.result()

        return None

    return loop.create_task(work)

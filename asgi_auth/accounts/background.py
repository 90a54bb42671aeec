"""Does work after the answer: sends messages that no caller waits for.

Whether a job succeeds changes no answer; a failure is logged, without its words.
Needs asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from asgi_auth._drivers.causes import cause_of
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError

__all__ = ["Outbox"]

_logger = package_logger(__name__)


@dataclass(slots=True)
class _Room:
    """The jobs of one event loop; a task without a reference may be collected."""

    places: asyncio.Semaphore
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Outbox:
    """A bounded set of jobs on the running event loop.

    Args:
        max_waiting: Jobs that may be under way; more are dropped, and logged.
        max_sending: Jobs that run at one time.
        timeout: Seconds after which a job is given up.
        delay:
            Seconds before a job starts, so that the answer leaves first and its time
            says nothing about the job.
    """

    def __init__(
        self,
        *,
        max_waiting: int = 1000,
        max_sending: int = 16,
        timeout: float = 30.0,
        delay: float = 0.1,
    ) -> None:
        if max_waiting < 1 or max_sending < 1 or timeout <= 0 or delay < 0:
            msg = "Outbox needs positive bounds, and a delay of 0 or more seconds."
            raise ConfigurationError(msg)

        self._max_waiting = max_waiting
        self._max_sending = max_sending
        self._timeout = timeout
        self._delay = delay
        self._rooms: dict[asyncio.AbstractEventLoop, _Room] = {}

    def put(self, job: Callable[[], Awaitable[None]]) -> None:
        """Start a job soon, and return at once."""
        room = self._room()
        if len(room.tasks) >= self._max_waiting:
            _logger.error("the outbox is full: a message was dropped")
            return

        task = asyncio.get_running_loop().create_task(self._run(room, job))
        room.tasks.add(task)
        task.add_done_callback(room.tasks.discard)

    async def drain(self) -> None:
        """Wait for the jobs of the running loop, as a server does when it stops."""
        while tasks := self._room().tasks:
            await asyncio.wait(tasks)

    async def _run(self, room: _Room, job: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(self._delay)
        try:
            async with room.places, asyncio.timeout(self._timeout):
                await job()
        except Exception as error:  # noqa: BLE001  # a sender raises what it likes
            # Not its text, which may quote the address or the token.
            cause = cause_of(error)
            _logger.error("a message could not be sent (%s)", cause)  # noqa: TRY400

    def _room(self) -> _Room:
        loop = asyncio.get_running_loop()
        room = self._rooms.get(loop)
        if room is not None:
            return room

        for other in [other for other in self._rooms if other.is_closed()]:
            del self._rooms[other]

        places = asyncio.Semaphore(self._max_sending)
        room = self._rooms[loop] = _Room(places)
        return room

"""Does work after the answer: sends messages that no caller waits for.

Whether a job succeeds changes no answer; a failure is logged, without its words.
Needs asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from asgi_auth._drivers.causes import cause_of
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError

__all__ = ["Outbox"]

_logger = package_logger(__name__)


@dataclass(slots=True)
class _Jobs:
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
        self._jobs = PerLoop(self._make, _leave)

    def put(self, job: Callable[[], Awaitable[None]]) -> None:
        """Start a job soon, and return at once."""
        jobs = self._jobs.here()
        if len(jobs.tasks) >= self._max_waiting:
            _logger.error("the outbox is full: a message was dropped")
            return

        task = asyncio.get_running_loop().create_task(self._run(jobs, job))
        jobs.tasks.add(task)
        task.add_done_callback(jobs.tasks.discard)

    async def drain(self) -> None:
        """Wait for the jobs of the running loop, as a server does when it stops."""
        while tasks := self._jobs.here().tasks:
            await asyncio.wait(tasks)

    async def _run(self, jobs: _Jobs, job: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(self._delay)
        try:
            async with jobs.places, asyncio.timeout(self._timeout):
                await job()
        except Exception as error:  # noqa: BLE001  # a sender raises what it likes
            # Not its text, which may quote the address or the token.
            cause = cause_of(error)
            _logger.error("a message could not be sent (%s)", cause)  # noqa: TRY400

    def _make(self) -> _Jobs:
        return _Jobs(asyncio.Semaphore(self._max_sending))


async def _leave(_: _Jobs) -> None:
    """Do nothing: a loop that ends has cancelled its tasks before."""

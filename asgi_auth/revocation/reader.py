"""Reading a store's feed along: one task in each event loop, and one joint catch-up.

It knows no token and no verdict. It needs asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from asgi_auth._clock import Clock
from asgi_auth._drivers.per_loop import PerLoop, may_go_on
from asgi_auth._logs import package_logger
from asgi_auth.errors import UnavailableError
from asgi_auth.revocation.uptime import uptime
from asgi_auth.stores.base import RevocationStore
from asgi_auth.stores.records import Feed, Revocation

__all__ = ["FeedReader"]

_logger = package_logger(__name__)

_T = TypeVar("_T")

# Seconds.
_WAIT = 1.0
_PATIENCE = 1.0
_LONGEST_ANSWER = 4.0
# A store that comes back without its data is to hear soon of what it has lost.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 1.0
# A store's time that falls behind by more was set back.
_CLOCK_STEP = 1.0
# So many entries are applied before others may run.
_SLICE = 500


class FeedReader:
    """Hands on each page of a feed, and says up to when all pages are known.

    Where it stands is one cursor for all event loops. It moves after each page, so
    that a failure or the end of a loop costs one page.

    Args:
        store: Whose feed.
        note: Gets each page.
        apply: Gets its entries, some at a time, and the store's time.
        confirm: Gets the :func:`uptime` as of which nothing is missing.
        is_fresh: Says whether what is known is fresh enough for verdicts.
        clock: What to give to the store as its time, or ``None``: its own counts.
    """

    def __init__(
        self,
        store: RevocationStore,
        *,
        note: Callable[[Feed], None],
        apply: Callable[[Sequence[Revocation], float], None],
        confirm: Callable[[float], None],
        is_fresh: Callable[[], bool],
        clock: Clock | None,
    ) -> None:
        self._store = store
        self._note = note
        self._apply = apply
        self._confirm = confirm
        self._is_fresh = is_fresh
        self._clock = clock
        self._cursor: str | None = None
        # The store's time and ours, when it last answered.
        self._times = (float("-inf"), 0.0)
        self._behind = float("-inf")
        self._tasks = PerLoop(_Tasks, _Tasks.cancel)

    def start(self) -> None:
        """Read along in the running loop, for as long as it lives."""
        tasks = self._tasks.here()
        if tasks.following is None or tasks.following.done():
            tasks.following = _spawn(self._follow(tasks))

    async def catch_up(self) -> None:
        """Wait until all is known, for 1 second: one joint read for all who wait.

        The read goes on afterwards: who asks again finds it further.

        Raises:
            UnavailableError: The store is down, or there is much to read.
        """
        tasks = self._tasks.here()
        task = self._join(tasks)
        self.start()
        await asyncio.wait({task}, timeout=_PATIENCE)
        if not task.done() or task.cancelled():
            msg = "the revocations are still being read"
            raise UnavailableError(msg)

        try:
            task.result()
        except UnavailableError as error:
            # One for each who waits: a shared one would collect all their frames.
            raise UnavailableError(*error.args) from error

    async def read(self, *, wait: float = 0.0) -> None:
        """Read to the end of the feed, page by page.

        Args:
            wait: Seconds to wait for news at most.

        Raises:
            UnavailableError: The store is down.
        """
        page = _spawn(self._page(self._cursor, wait))
        try:
            while True:
                asked_at, feed = await page
                # It is under way while this one is applied.
                if feed.more:
                    page = _spawn(self._page(feed.cursor, 0.0))

                await self._hand_on(feed)
                if self._is_set_back(feed.now, asked_at):
                    # What had expired by the wrong time was left out: read it now.
                    page.cancel()
                    page = _spawn(self._page(None, 0.0))
                    continue

                self._cursor = feed.cursor
                if not feed.more:
                    self._confirm(asked_at)
                    return
        finally:
            page.cancel()

    async def _hand_on(self, feed: Feed) -> None:
        self._note(feed)
        for start in range(0, len(feed.entries), _SLICE):
            self._apply(feed.entries[start : start + _SLICE], feed.now)
            await asyncio.sleep(0)

    def store_time(self) -> float:
        """Return what the store's clock says at least, or infinity: never read.

        Its answers take their time on the way: the one that took least counts.
        """
        return uptime() - self._behind

    async def aclose(self) -> None:
        """Stop reading in the running loop."""
        await self._tasks.aclose()

    async def _page(self, cursor: str | None, wait: float) -> tuple[float, Feed]:
        """Return a page, and when it was asked for."""
        # What is known is as old as the question, not as the answer: a process may
        # have been suspended in between.
        asked_at = uptime()
        now = None if self._clock is None else self._clock()
        try:
            async with asyncio.timeout(wait + _LONGEST_ANSWER):
                return asked_at, await self._store.feed(cursor, wait=wait, now=now)
        except TimeoutError:
            msg = "the store did not answer in time"
            raise UnavailableError(msg) from None

    def _is_set_back(self, now: float, asked_at: float) -> bool:
        theirs, answered_at = self._times
        self._times = (now, uptime())
        behind = self._times[1] - now
        # At least so much time has gone by on every clock that was left alone.
        is_set_back = now < theirs + (asked_at - answered_at) - _CLOCK_STEP
        is_first = self._behind == float("-inf")
        self._behind = behind if is_set_back or is_first else min(behind, self._behind)
        return is_set_back

    def _join(self, tasks: _Tasks) -> asyncio.Task[None]:
        if tasks.catching_up is None or tasks.catching_up.done():
            tasks.catching_up = _spawn(self.read())

        return tasks.catching_up

    async def _follow(self, tasks: _Tasks) -> None:
        pause, fault = _FIRST_PAUSE, ""
        while may_go_on():
            try:
                await self._read_on(tasks)
                pause, fault = _FIRST_PAUSE, ""
            except UnavailableError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except Exception as error:
                # Once, not every second of an outage.
                if repr(error) != fault:
                    _logger.exception("reading the revocations failed")

                fault = repr(error)
                await asyncio.sleep(_LONGEST_PAUSE)

    async def _read_on(self, tasks: _Tasks) -> None:
        if self._is_fresh():
            await self.read(wait=_WAIT)
            return

        task = self._join(tasks)
        await asyncio.wait({task})
        task.result()


@dataclass(slots=True)
class _Tasks:
    """What reads in one event loop."""

    following: asyncio.Task[None] | None = None
    catching_up: asyncio.Task[None] | None = None

    async def cancel(self) -> None:
        tasks = [task for task in (self.following, self.catching_up) if task]
        for task in tasks:
            task.cancel()

        if tasks:
            await asyncio.wait(tasks)


def _spawn(work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
    task = asyncio.get_running_loop().create_task(work)
    # Read, so that asyncio does not warn of an outage that no request has met.
    task.add_done_callback(lambda future: future.cancelled() or future.exception())
    return task

"""Giving back to a store what it has lost: a backup, a lagging replica, no disk.

A list that still holds what the store has forgotten publishes it again, so that other
processes learn of it. It needs asyncio.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence

from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._logs import package_logger
from asgi_auth.errors import UnavailableError
from asgi_auth.stores.base import RevocationStore
from asgi_auth.stores.records import Feed, Revocation

__all__ = ["Restorer"]

_logger = package_logger(__name__)

# Of many workers one is to be the first; the others then read what it has written.
_LONGEST_START = 0.5
_PAUSE = 1.0
_SLICE = 250
# What ends sooner is not worth a write.
_SHORTEST_LIFE = 30.0

_TIMED = frozenset({"subject", "whole_subject", "all"})

_Entry = tuple[Revocation, float]
_Close = Callable[[Sequence[str]], Awaitable[None]]


class Restorer:
    """Watches for a store that has gone back in time, and publishes what it lost.

    Args:
        store: The store.
        entries: Returns what this process holds, and the seconds that each has left.
        close: Ends sessions once more, of which the store may have the old rows.
    """

    def __init__(
        self,
        store: RevocationStore,
        *,
        entries: Callable[[], Iterable[_Entry]],
        close: _Close | None,
    ) -> None:
        self._store = store
        self._entries = entries
        self._close = close
        # Hashes of what the store has, from when it went back; None: all is well.
        self._known: set[int] | None = None
        self._now = 0.0
        self._work = PerLoop(set[asyncio.Task[None]], _cancel)

    def note(self, feed: Feed) -> None:
        """Take notice of a page that was read."""
        if feed.restarted:
            self._known = set()

        if self._known is not None:
            self._now = feed.now
            self._known.update(map(_hash, feed.entries))

    def finish(self) -> None:
        """Publish what is missing: the store has been read to its end."""
        if self._known is None:
            return

        tasks = self._work.here()
        if not tasks:
            task = asyncio.get_running_loop().create_task(self._restore())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def aclose(self) -> None:
        """Stop in the running loop; the next restart begins anew."""
        await self._work.aclose()

    async def _restore(self) -> None:
        await asyncio.sleep(random.uniform(0, _LONGEST_START))  # noqa: S311  (a delay)
        hashes, count, lost = self._known, 0, list[_Entry]()
        for number, (entry, life) in enumerate(self._entries()):
            if life > _SHORTEST_LIFE and self._is_lost(entry):
                lost.append((entry, life))

            if number % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
                count += await self._give_back(lost)
                lost = []

        count += await self._give_back(lost)
        if count:
            _logger.warning(
                "the store of revocations has gone back in time: %d that this "
                "process still held were published again",
                count,
            )

        # Unless it went back once more meanwhile: then the next reading finishes.
        if self._known is hashes:
            self._known = None

    def _is_lost(self, entry: Revocation) -> bool:
        return self._known is not None and _hash(entry) not in self._known

    async def _give_back(self, lost: Sequence[_Entry]) -> int:
        """Publish, however long the store is down; return how many there were."""
        while True:
            # Meanwhile another process may have published some of them.
            lost = [pair for pair in lost if self._is_lost(pair[0])]
            try:
                await self._publish(lost)
            except UnavailableError:
                await asyncio.sleep(_PAUSE)
            else:
                return len(lost)

    async def _publish(self, lost: Sequence[_Entry]) -> None:
        groups: dict[tuple[float | None, float], list[Revocation]] = defaultdict(list)
        for entry, life in lost:
            # A later time would hit who has logged in again since.
            at = entry.at if entry.kind in _TIMED else None
            ttl = life if at is None else life + max(self._now - at, 0.0)
            groups[at, ttl].append(entry)

        for (at, ttl), entries in groups.items():
            await self._store.publish(entries, ttl=ttl, now=at)

        sids = [entry.value for entry, _ in lost if entry.kind == "sid"]
        if self._close is not None and sids:
            await self._close(sids)


def _hash(entry: Revocation) -> int:
    at = entry.at if entry.kind in _TIMED else None
    return hash((entry.kind, entry.issuer, entry.value, at))


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()

    if tasks:
        await asyncio.wait(tasks)

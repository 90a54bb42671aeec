"""What was used up in one process, for as long as that counts.

It is bounded, and forgets nothing early: when it is full of what still counts, it
refuses. It starts no task.
"""

from __future__ import annotations

import threading
from heapq import heappop, heappush

from asgi_auth.errors import UnavailableError
from asgi_auth.stores.records import once_name

__all__ = ["MemoryOnce"]

# Of one space: about 50 MB. With a ttl of 30 seconds that is 6 600 a second.
_MOST = 200_000
_MOST_IN_ALL = 4 * _MOST
# Each new one pays for at most so many old ones.
_SWEEP_AT_ONCE = 8


class MemoryOnce:
    """A table of used keys, of which no space takes all.

    Who fills one keeps nobody out of the others. Threads and event loops may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}
        # One entry for each in the table; too early where a key was used again.
        self._queue: list[tuple[float, str, str]] = []
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many it holds, those that no longer count included."""
        return len(self._ends)

    def use(self, space: str, key: str, *, ttl: float, now: float) -> bool:
        """Use up a key, and return whether it was there. See ``Store.once``.

        Raises:
            UnavailableError: There is no space for it.
        """
        name = once_name(space, key)
        with self._lock:
            self._sweep(now)
            if self._ends.get(name, now) > now:
                return False

            if ttl > 0:
                self._keep(name, space, now + ttl)

            return True

    def _keep(self, name: str, space: str, end: float) -> None:
        if name not in self._ends:
            count = self._counts.get(space, 0)
            if count >= _MOST or len(self._ends) >= _MOST_IN_ALL:
                msg = f"the memory store holds {count} keys of this kind, and no more"
                raise UnavailableError(msg)

            self._counts[space] = count + 1
            heappush(self._queue, (end, name, space))

        self._ends[name] = end

    def _sweep(self, now: float) -> None:
        for _ in range(_SWEEP_AT_ONCE):
            if not self._queue or self._queue[0][0] > now:
                return

            _, name, space = heappop(self._queue)
            end = self._ends[name]
            if end > now:
                heappush(self._queue, (end, name, space))
            else:
                self._forget(name, space)

    def _forget(self, name: str, space: str) -> None:
        del self._ends[name]
        self._counts[space] -= 1
        if not self._counts[space]:
            del self._counts[space]

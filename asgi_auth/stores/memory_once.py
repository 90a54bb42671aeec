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

# About 50 MB. With a ttl of 30 seconds that is 6 600 a second.
_MOST = 200_000
# Each new one pays for at most so many old ones.
_SWEEP_AT_ONCE = 8


class MemoryOnce:
    """A table of used keys. Threads and event loops may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}
        # One entry for each in the table; too early where a key was used again.
        self._queue: list[tuple[float, str]] = []

    def __len__(self) -> int:
        """Return how many it holds, those that no longer count included."""
        return len(self._ends)

    def use(self, space: str, key: str, *, ttl: float, now: float) -> bool:
        """Use up a key, and return whether it was there. See ``OnceStore.once``.

        Raises:
            UnavailableError: There is no space for it.
        """
        name = once_name(space, key)
        with self._lock:
            self._sweep(now)
            if self._ends.get(name, now) > now:
                return False

            if ttl > 0:
                self._keep(name, now + ttl)

            return True

    def _keep(self, name: str, end: float) -> None:
        if name not in self._ends:
            if len(self._ends) >= _MOST:
                msg = f"the memory store holds {_MOST} keys that were used, and no more"
                raise UnavailableError(msg)

            heappush(self._queue, (end, name))

        self._ends[name] = end

    def _sweep(self, now: float) -> None:
        for _ in range(_SWEEP_AT_ONCE):
            if not self._queue or self._queue[0][0] > now:
                return

            _, name = heappop(self._queue)
            end = self._ends[name]
            if end > now:
                heappush(self._queue, (end, name))
            else:
                del self._ends[name]

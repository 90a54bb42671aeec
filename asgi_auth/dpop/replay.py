"""Which proofs were used in this process, for as long as they count.

It is bounded, and forgets nothing early: when it is full, it refuses. What several
processes are to know is for a store.
"""

from __future__ import annotations

import threading

from asgi_auth.errors import UnavailableError

__all__ = ["LocalReplay"]

# Of one generation; both take at most 90 MB. With a minute for each that is 3 000 a
# second.
_MOST = 200_000


class LocalReplay:
    """Two generations of names: when the younger one is old enough, the older one goes.

    Threads and event loops may share it.

    Args:
        ttl: Seconds for which a name must be remembered; it is for up to twice that.
    """

    __slots__ = ("_lock", "_new", "_old", "_ttl", "_turn")

    def __init__(self, ttl: float) -> None:
        self._ttl = ttl
        self._lock = threading.Lock()
        self._new: set[str] = set()
        self._old: set[str] = set()
        self._turn = 0.0

    def __len__(self) -> int:
        """Return how many names it holds, those that no longer count included."""
        return len(self._new) + len(self._old)

    def use(self, name: str, now: float) -> bool:
        """Use up a name, and return whether it was there to be used.

        Raises:
            UnavailableError: There is no space for it.
        """
        with self._lock:
            if now >= self._turn:
                self._turn_over(now)

            names = self._new
            if name in names or name in self._old:
                return False

            if len(names) >= _MOST:
                msg = f"{_MOST} proofs were used here of late, and no more are noted"
                raise UnavailableError(msg)

            names.add(name)
            return True

    def _turn_over(self, now: float) -> None:
        # After a long pause both are too old.
        self._old = self._new if now < self._turn + self._ttl else set()
        self._new = set()
        self._turn = now + self._ttl

"""A token bucket: so many at once, and then one every few seconds.

It counts attempts, whatever comes of them.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """Bounds how often something may be tried.

    Args:
        burst: Attempts that may be made at once, at least 1.
        period: Seconds after which one more may be made.
        clock: Returns seconds that only go forward.
    """

    __slots__ = ("_burst", "_clock", "_filled_at", "_level", "_period")

    def __init__(
        self, burst: float, period: float, *, clock: Callable[[], float]
    ) -> None:
        self._burst = burst
        self._period = period
        self._clock = clock
        self._level = float(burst)
        self._filled_at = clock()

    def take(self) -> bool:
        """Take one attempt, if there is one left."""
        self._fill()
        if self._level < 1:
            return False

        self._level -= 1
        return True

    def wait(self) -> float:
        """Return the seconds until the next attempt may be made."""
        self._fill()
        return max(0.0, (1 - self._level) * self._period)

    def _fill(self) -> None:
        now = self._clock()
        gained = (now - self._filled_at) / self._period
        self._level = min(float(self._burst), self._level + gained)
        self._filled_at = now

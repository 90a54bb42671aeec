"""A clock that stands still until a test moves it.

It is no timer: whoever sleeps, sleeps in real time.
"""

from __future__ import annotations

__all__ = ["FakeClock"]


class FakeClock:
    """A clock for everything that takes ``clock=``; call it to read it.

    Args:
        start: Seconds since the Unix epoch.
    """

    def __init__(self, start: float = 1_700_000_000.0) -> None:
        self._now = start

    def __call__(self) -> float:
        """Return seconds since the Unix epoch."""
        return self._now

    def __repr__(self) -> str:
        """Show the time."""
        return f"FakeClock({self._now!r})"

    def advance(self, seconds: float) -> float:
        """Move on by *seconds*, and return the new time."""
        self._now += seconds
        return self._now

    def set(self, now: float) -> None:
        """Go to *now*, in seconds since the Unix epoch; back is possible too."""
        self._now = now

"""How many passwords are being hashed in this process, for metrics."""

from __future__ import annotations

from threading import Lock

__all__ = ["Hashing", "Tally", "hashing"]


class Tally:
    """Counts what is within its ``with`` blocks, in any thread.

    Attributes:
        count: How many that are.
    """

    __slots__ = ("_lock", "count")

    def __init__(self) -> None:
        self.count: int = 0
        self._lock = Lock()

    def __enter__(self) -> None:
        """Count one more."""
        with self._lock:
            self.count += 1

    def __exit__(self, *_: object) -> None:
        """Count one less."""
        with self._lock:
            self.count -= 1


class Hashing:
    """The work on passwords.

    Attributes:
        waiting: For a core.
        running: In a thread.
    """

    __slots__ = ("running", "waiting")

    def __init__(self) -> None:
        self.waiting: Tally = Tally()
        self.running: Tally = Tally()


hashing: Hashing = Hashing()
"""That of this process."""

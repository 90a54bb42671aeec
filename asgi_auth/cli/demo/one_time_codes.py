"""Codes that log another window in: each is good once, and for half a minute.

It issues no token. Only this process knows whose a code is.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

__all__ = ["LIFETIME", "OneTimeCodes"]

LIFETIME = 30.0
"""Seconds that a code is good."""

_MOST = 100


class OneTimeCodes:
    """Gives out codes, and takes them back.

    Args:
        clock: Returns seconds that only go forward.
    """

    __slots__ = ("_clock", "_codes")

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._codes: dict[str, tuple[str, float]] = {}

    def make(self, subject: str) -> str:
        """Return a new code for *subject*."""
        now = self._clock()
        live = [(c, entry) for c, entry in self._codes.items() if entry[1] > now]
        self._codes = dict(live[1 - _MOST :])
        code = secrets.token_urlsafe(16)
        self._codes[code] = subject, now + LIFETIME
        return code

    def redeem(self, code: str) -> str | None:
        """Return whose code it is, which spends it; ``None`` if it is good no more."""
        subject, until = self._codes.pop(code, ("", 0.0))
        return subject if until > self._clock() else None

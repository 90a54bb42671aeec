"""Seconds that only ever go forward, however the clock is set."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

__all__ = ["uptime"]

# It goes on while the machine sleeps, where the system has such a clock.
if hasattr(time, "CLOCK_BOOTTIME"):
    uptime: Callable[[], float] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    """Returns seconds that only go forward, asleep or not."""
else:  # pragma: no cover - not Linux
    uptime = time.monotonic

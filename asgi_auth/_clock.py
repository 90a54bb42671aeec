"""The only place where time is read.

Whatever needs the time takes a ``clock``, so that tests neither sleep nor patch.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Clock", "system_clock"]

Clock = Callable[[], float]
"""Returns seconds since the Unix epoch."""

system_clock: Clock = time.time

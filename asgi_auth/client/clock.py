"""The client's clock: as wrong as the machine's, but steady.

Nothing here asks a server for the time.
"""

from __future__ import annotations

import time

from asgi_auth._clock import Clock, system_clock

__all__ = ["steady_clock"]


def steady_clock(
    wall: Clock = system_clock, monotonic: Clock = time.monotonic
) -> Clock:
    """Make a clock that goes at least as fast as time does.

    It counts on while the machine sleeps, as the wall clock does and the monotonic one
    need not, and does not stand still when the wall clock is set back.

    Args:
        wall: Seconds since the Unix epoch.
        monotonic: Seconds since any moment.
    """
    offset = wall() - monotonic()

    def now() -> float:
        return max(wall(), offset + monotonic())

    return now

"""How rooms of several processes hear of each other.

A fan-out carries bytes; it knows no rooms. What is published while it is down is lost
to the other processes, and no caller waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

__all__ = ["Fanout", "Hear", "LocalFanout", "Reports"]

Hear = Callable[[bytes], None]
"""Gets each message of a channel, in the event loop that subscribed."""


class Fanout(Protocol):
    """Carries messages between processes."""

    async def subscribe(self, channel: str, hear: Hear) -> None:
        """Have *hear* called with each message from now on.

        It returns when that is so, or, while the fan-out is down, at once: it then
        catches up by itself.
        """
        ...

    async def unsubscribe(self, channel: str, hear: Hear) -> None:
        """Have *hear* called no more."""
        ...

    def publish(self, channel: str, message: bytes) -> None:
        """Send *message* to all who hear *channel*, also to who sends it.

        It never waits, and never raises for an outage.
        """
        ...

    async def aclose(self) -> None:
        """Leave nothing behind in the running loop."""
        ...


@runtime_checkable
class Reports(Protocol):
    """A fan-out that reports when it goes down, and when it is back."""

    def report_to(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """Call *listener* with whether it is up; return how to stop that."""
        ...


class LocalFanout:
    """Joins several :class:`~asgi_auth.websocket.rooms.Rooms` of one event loop."""

    __slots__ = ("_channels",)

    def __init__(self) -> None:
        self._channels: dict[str, list[Hear]] = {}

    async def subscribe(self, channel: str, hear: Hear) -> None:
        """Have *hear* called with each message from now on."""
        self._channels.setdefault(channel, []).append(hear)

    async def unsubscribe(self, channel: str, hear: Hear) -> None:
        """Have *hear* called no more."""
        hearers = self._channels.get(channel, [])
        if hear in hearers:
            hearers.remove(hear)

        if not hearers:
            self._channels.pop(channel, None)

    def publish(self, channel: str, message: bytes) -> None:
        """Call all who hear *channel*."""
        for hear in [*self._channels.get(channel, ())]:
            hear(message)

    async def aclose(self) -> None:
        """Forget all listeners."""
        self._channels.clear()

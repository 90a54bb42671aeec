"""What the way out of a request asks of whoever ends responses without an end.

It is known here by its shape only.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Protocol

from asgi_auth._asgi import Message, Send

__all__ = ["Stream", "Streams"]


class Stream(Protocol):
    """What stands between an app and its client, and may end what it sends."""

    def begin(self, message: Message, /) -> Awaitable[None]:
        """Send how the response begins; from then on it may end."""
        ...

    def receive(self) -> Awaitable[Message]:
        """Return the next message."""
        ...

    def send(self, message: Message, /) -> Awaitable[None]:
        """Pass *message* on."""
        ...

    def leave(self) -> Awaitable[None]:
        """Leave nothing behind; the app has returned."""
        ...


class Streams(Protocol):
    """What ends responses that have no end of their own."""

    def open(self, reply: Any, send: Send, /) -> Stream:
        """Stand between an app and its client."""
        ...

    def has_ended(self, error: BaseException, /) -> bool:
        """Say whether an app has failed because its stream was ended."""
        ...

"""Take in the body of a request that is refused, up to a bound.

HTTP/2 and HTTP/3 servers may drop the connection, or end, if an app answers before the
body has arrived. Nothing of the body is kept, and nothing is decided here.
"""

from __future__ import annotations

from typing import Final

from anyio import move_on_after

from asgi_auth._asgi import Message, Receive, Scope

__all__ = ["MOST_BYTES", "MOST_SECONDS", "RequestBody", "may_have_body"]

MOST_BYTES: Final = 8 * 1024 * 1024
"""Bytes of a refused body that are read before the answer goes out all the same."""

MOST_SECONDS: Final = 5.0
"""Seconds that a refusal waits for the rest of a body."""

_DIGITS: Final = 18  # More are no length; and Python refuses to read thousands.

_BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestBody:
    """The body of one request, and how much of it is still to come.

    Attributes:
        ended: Its last part was received, or the client has left.

    Args:
        receive: The server's.
    """

    __slots__ = ("_is_drained", "_receive", "_started", "ended")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_drained = False
        self._started = False
        self.ended: bool = False

    async def receive(self) -> Message:
        """Pass the next message on."""
        message = await self._receive()
        self._started = True
        if not message.get("more_body"):
            self.ended = True

        return message

    async def drain(self, scope: Scope) -> None:
        """Read the rest and drop it, once, at most 8 MiB and for at most 5 seconds.

        A client that waits for ``100 Continue`` (RFC 9110, section 10.1.1) is spared
        the sending: the refusal is its answer. So is one that announces more.

        Args:
            scope: Of the request.
        """
        is_left = not self._started and _is_better_left(scope)
        if self.ended or self._is_drained or is_left:
            return

        # A guard's answer goes through the middleware, which would begin again.
        self._is_drained = True
        size = 0
        with move_on_after(MOST_SECONDS):
            while (message := await self.receive()).get("more_body"):
                size += len(message.get("body", b""))
                if size >= MOST_BYTES:
                    return


def may_have_body(scope: Scope) -> bool:
    """Return whether the body of a request must be followed.

    Over HTTP/1.1 a GET seldom has one, and no server suffers if it is left unread.
    """
    return scope["method"] not in _BODILESS or scope.get("http_version", "")[:1] > "1"


def _is_better_left(scope: Scope) -> bool:
    """Return whether the client waits for leave, or announces more than is read."""
    for name, value in scope["headers"]:
        if name == b"expect" and value.lower() == b"100-continue":
            return True

        if name == b"content-length" and len(value) > _DIGITS:
            return True

        if name == b"content-length" and value.isdigit() and int(value) > MOST_BYTES:
            return True

    return False

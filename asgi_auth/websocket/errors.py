"""What can go wrong between an open WebSocket and the app behind it.

The last two are raised before the socket is accepted.
"""

from __future__ import annotations

from asgi_auth.errors import (
    AsgiAuthError,
    AuthError,
    AuthorizationError,
    RateLimitedError,
)

__all__ = [
    "BadMessageError",
    "ForbiddenRoomError",
    "TooManySocketsError",
    "WrongSubprotocolError",
]


class BadMessageError(AsgiAuthError):
    """The client sent what this socket does not take.

    Attributes:
        close_code: What a socket is closed with for it (RFC 6455, section 7.4.1).
    """

    code = "bad_message"
    public_message = "The message is not what this connection takes."

    def __init__(self, message: str, *, close_code: int) -> None:
        super().__init__(message)
        self.close_code = close_code


class ForbiddenRoomError(AuthorizationError):
    """The caller may not join this room; the connection goes on."""

    code = "forbidden_room"
    public_message = "You are not allowed to join this room."

    def __init__(self, room: str) -> None:
        super().__init__("the guard of the rooms refused")
        self.room = room


class TooManySocketsError(RateLimitedError):
    """The user has as many open connections as one may have."""

    code = "too_many_connections"
    public_message = "Too many open connections; close one first."


class WrongSubprotocolError(AuthError):
    """The client offers subprotocols, and none that the app speaks."""

    code = "wrong_subprotocol"
    status = 400
    public_message = "None of the offered subprotocols is spoken here."

"""Keep a CORS preflight from reaching more of an app than its headers.

It gives the app an empty body, and the client none of the app's. Whether a preflight
reaches the app at all is for the middleware to say.
"""

from __future__ import annotations

from http import HTTPStatus

from asgi_auth._asgi import Message, Receive, Scope, Send
from asgi_auth._logs import package_logger

__all__ = ["EmptyBody", "RefusedPreflights", "SilentReply", "is_cors_preflight"]

_logger = package_logger(__name__)

# What ends a response, with ASGI's extensions; hints and trailers do not.
_BODIES = frozenset(
    f"http.response.{kind}" for kind in ("body", "pathsend", "zerocopysend")
)


def is_cors_preflight(scope: Scope) -> bool:
    """Say whether a request is a CORS preflight (Fetch, section 4.8)."""
    if scope.get("method") != "OPTIONS":
        return False

    names = {name.lower() for name, _ in scope["headers"]}
    return b"origin" in names and b"access-control-request-method" in names


class RefusedPreflights:
    """Says once where CORS belongs: pages get no answer that they could read."""

    __slots__ = ("_has_warned",)

    def __init__(self) -> None:
        self._has_warned = False

    def warn(self) -> None:
        """Log a warning, the first time."""
        if not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "a CORS preflight is refused, because required=True: put the CORS "
                "middleware around asgi_auth's, where it answers preflights itself"
            )


class EmptyBody:
    """The way in of a CORS preflight: one empty body, and then the client's leaving.

    Args:
        receive: The server's; what a body it brings is passed over.
    """

    __slots__ = ("_is_given", "_receive")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_given = False

    async def receive(self) -> Message:
        """Give the empty body, then wait: an answer for ever would never yield."""
        if not self._is_given:
            self._is_given = True
            return {"type": "http.request", "body": b"", "more_body": False}

        while (message := await self._receive())["type"] == "http.request":
            pass

        return message


class SilentReply:
    """The way out of a CORS preflight: status and headers, but no body.

    An app that does not look at the method must not leak through it.
    """

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    async def send(self, message: Message) -> None:
        """Pass the head on, and an empty body in place of the app's."""
        if message["type"] == "http.response.start":
            headers = [
                (name, value)
                for name, value in message.get("headers") or ()
                if name.lower() not in {b"content-length", b"transfer-encoding"}
            ]
            if message.get("status") != HTTPStatus.NO_CONTENT:  # RFC 9110, section 8.6
                headers.append((b"content-length", b"0"))

            await self._send({**message, "headers": headers, "trailers": False})
        elif message["type"] in _BODIES and not message.get("more_body"):
            empty = {"type": "http.response.body", "body": b"", "more_body": False}
            await self._send(empty)

"""See to it that new cookies reach the browser, whatever the application answers."""

from __future__ import annotations

from typing import Final

from asgi_auth._asgi import Headers, Message, Scope, Send

__all__ = ["RenewedReply"]

_STARTS: Final = frozenset(
    {"http.response.start", "websocket.accept", "websocket.http.response.start"}
)
_PRIVATE: Final = (b"no-store", b"private")
_TARGETED: Final = frozenset({b"surrogate-control", b"x-accel-expires"})
_WORDS: Final = b"Internal Server Error"


class RenewedReply:
    """The way out of a request whose cookies were renewed.

    Args:
        scope: Of the request or socket.
        send: The server's.
        cookies: ``Set-Cookie`` headers.
    """

    __slots__ = ("_cookies", "_is_socket", "_send", "_started")

    def __init__(self, scope: Scope, send: Send, cookies: Headers) -> None:
        self._is_socket = scope["type"] == "websocket"
        self._send = send
        self._cookies = cookies
        self._started = False

    async def send(self, message: Message) -> None:
        """Pass *message* on; the first one takes the cookies along."""
        if self._started:
            await self._send(message)
            return

        kind = message["type"]
        if kind in _STARTS:
            self._started = True
            headers = self._with_cookies(message.get("headers") or ())
            await self._send({**message, "headers": headers})
        elif kind == "websocket.close":
            # A close has no headers; a refusal has (ASGI, "websocket.http.response").
            await self._answer(403, b"")
        else:
            await self._send(message)

    async def crash(self) -> None:
        """Answer for an application that has failed before it said anything."""
        if not self._started:
            await self._answer(500, _WORDS)

    async def _answer(self, status: int, body: bytes) -> None:
        self._started = True
        prefix = "websocket.http.response" if self._is_socket else "http.response"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
        ]
        start = {"status": status, "headers": self._with_cookies(headers)}
        await self._send({"type": f"{prefix}.start", **start})
        await self._send({"type": f"{prefix}.body", "body": body})

    def _with_cookies(self, headers: object) -> Headers:
        """Return headers with ours; what the application sets itself counts."""
        own: Headers = [*headers]  # type: ignore[misc]
        names = {
            value.partition(b"=")[0]
            for name, value in own
            if name.lower() == b"set-cookie"
        }
        fresh = [(n, v) for n, v in self._cookies if v.partition(b"=")[0] not in names]
        return [*_uncached(own), *fresh]


def _uncached(headers: Headers) -> Headers:
    """Keep shared caches from giving one browser's cookies to another."""
    headers = [header for header in headers if not _is_targeted(header[0].lower())]
    rules = [v.lower() for n, v in headers if n.lower() == b"cache-control"]
    if any(word in rule for rule in rules for word in _PRIVATE):
        return headers

    others = [(n, v) for n, v in headers if n.lower() != b"cache-control"]
    return [*others, (b"cache-control", b"private, no-cache")]


def _is_targeted(name: bytes) -> bool:
    """Report whether a rule is for shared caches, which heed it first (RFC 9213)."""
    return name.endswith(b"-cache-control") or name in _TARGETED

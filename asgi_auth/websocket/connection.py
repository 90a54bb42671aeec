"""One WebSocket, as an app wants to have it.

It never identifies a caller: the middleware has done that. It needs asyncio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from asgi_auth._asgi import Receive, Scope, Send
from asgi_auth._encoding import compact_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.lifetime import SocketClosedError
from asgi_auth.lifetime.closable import ClosableSocket
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.principal import Principal, get_principal, get_user
from asgi_auth.websocket.limits import Limits
from asgi_auth.websocket.payload import Encoding, Frame, Payload, decode
from asgi_auth.websocket.send_queue import SendQueue

__all__ = ["WebSocketConnection"]

_TOO_BIG = 1009
_FLOOD = 1008
_SLOW = 1013
_NEW, _OPEN, _CLOSED = "before accept()", "while it is open", "after it was closed"


class WebSocketConnection:
    """A socket of one client.

    Attributes:
        scope: The ASGI scope.
        encoding: What iteration gives and :meth:`send` takes.

    Args:
        scope: The ASGI scope.
        receive: The ASGI channel.
        send: The ASGI channel.
        encoding: ``json``, ``text`` or ``bytes``.
        max_message_size: Greatest message that is taken, in bytes; a larger one
            closes the socket with 1009.
        max_rate: Messages a second that are taken on average, twice as many at once;
            more close the socket with 1008. ``None``: any number.
        max_queue: Messages that may wait for the client before it is too slow.
        max_queue_bytes: Bytes that may wait for it.

    Raises:
        ConfigurationError: This is no WebSocket, or a limit lets nothing pass.
    """

    __slots__ = (
        "__weakref__",
        "_closable",
        "_limits",
        "_queue",
        "_receive",
        "_state",
        "encoding",
        "scope",
    )

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        *,
        encoding: Encoding = "json",
        max_message_size: int = 65536,
        max_rate: float | None = 100.0,
        max_queue: int = 256,
        max_queue_bytes: int = 8 << 20,
    ) -> None:
        if scope["type"] != "websocket":
            msg = "A WebSocketConnection needs the scope of a WebSocket."
            raise ConfigurationError(msg)

        lifetime = lifetime_of(scope)
        if lifetime is None:
            self._closable = ClosableSocket(receive, send)
            receive, send = self._closable.receive, self._closable.send
        else:
            # The channels that a framework hands on end up in those of the lifetime.
            self._closable = lifetime.socket

        self.scope: Scope = scope
        self.encoding = encoding
        self._receive = receive
        self._limits = Limits(max_message_size, max_rate)
        self._queue = SendQueue(send, max_messages=max_queue, max_bytes=max_queue_bytes)
        self._state = _NEW

    def __repr__(self) -> str:
        return f"<WebSocketConnection {self._state}>"

    @property
    def principal(self) -> Principal:
        """Whose socket it is, by the last token that was shown."""
        lifetime = lifetime_of(self.scope)
        return get_principal(self.scope) if lifetime is None else lifetime.principal

    @property
    def user_id(self) -> str:
        """The subject of the principal; empty for an anonymous caller."""
        return self.principal.subject

    @property
    def user(self) -> Any:
        """The application's own user."""
        return get_user(self.scope)

    @property
    def path_params(self) -> Mapping[str, Any]:
        """What a framework's router found in the path."""
        params: Mapping[str, Any] = self.scope.get("path_params") or {}
        return params

    @property
    def subprotocols(self) -> Sequence[str]:
        """What the client offers, without what held its token."""
        offered: Sequence[str] = self.scope.get("subprotocols") or ()
        return offered

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        is_gone = self._closable.closed is not None or self._closable.gone
        return self._state is _OPEN and not is_gone

    async def accept(
        self,
        subprotocol: str | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        """Open the socket.

        Args:
            subprotocol: One of those that the client offers.
            headers: Of the answer to the handshake.

        Raises:
            ConfigurationError: It was done before, or *subprotocol* was not offered.
            SocketClosedError: The client has left.
        """
        self._must_be(_NEW, "accept")
        if subprotocol is not None and subprotocol not in self.subprotocols:
            msg = f"The client did not offer the subprotocol {subprotocol!r}."
            raise ConfigurationError(msg)

        message = await self._receive()
        if message["type"] != "websocket.connect":
            raise self._note_close(message)

        answer = {"subprotocol": subprotocol, "headers": [*headers]}
        await self._queue.send({"type": "websocket.accept", **answer})
        self._state = _OPEN

    async def receive(self) -> str | bytes:
        """Return the content of the next message.

        Raises:
            SocketClosedError: The socket is closed, by whomever.
            ConfigurationError: It is not open yet.
        """
        self._must_be(_OPEN, "receive")
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise self._note_close(message)

        text = message.get("text")
        content: str | bytes = message.get("bytes", b"") if text is None else text
        if self._limits.too_big(content):
            raise await self._refuse(_TOO_BIG, "message too big")

        if self._limits.too_fast():
            raise await self._refuse(_FLOOD, "too many messages")

        return content

    async def receive_text(self) -> str:
        """Return the next message, a text; see :meth:`receive_json`."""
        text: str = decode(await self.receive(), "text")
        return text

    async def receive_bytes(self) -> bytes:
        """Return the next message, bytes; see :meth:`receive_json`."""
        data: bytes = decode(await self.receive(), "bytes")
        return data

    async def receive_json(self) -> Any:
        """Return what the next message says, a text in JSON.

        Raises:
            BadMessageError: It is of another kind, or no JSON.
            SocketClosedError: The socket is closed.
        """
        return decode(await self.receive(), "json")

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Give messages in the connection's encoding until it is closed."""
        try:
            while True:
                yield decode(await self.receive(), self.encoding)
        except SocketClosedError:
            return

    async def send(self, message: Any) -> None:
        """Send *message* in the connection's encoding.

        Raises:
            SocketClosedError: The socket is closed.
        """
        await self._send(Payload.of(message).frame(self.encoding))

    async def send_text(self, text: str) -> None:
        """Send a text; see :meth:`send`."""
        await self._send(Frame.of(text))

    async def send_bytes(self, data: bytes) -> None:
        """Send bytes; see :meth:`send`."""
        await self._send(Frame.of(data))

    async def send_json(self, value: Any) -> None:
        """Send *value* as a text in JSON; see :meth:`send`."""
        await self._send(Frame.of(compact_json(value).decode("utf-8")))

    def post(self, frame: Frame) -> bool:
        """Have *frame* sent after the next :meth:`flush`, without waiting for it.

        A client for which too much waits is closed with 1013, alone; return ``False``
        for it.
        """
        if not self.is_open or self._queue.post(frame):
            return True

        self._queue.flush()
        if self._queue.post(frame):
            return True

        self.end(_SLOW, "too slow")
        return False

    def flush(self) -> None:
        """Begin to send what was posted."""
        self._queue.flush()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket, after all that was sent; a closed one stays as it is.

        Args:
            code: The close code (RFC 6455, section 7.4).
            reason: For the client, cut to 123 bytes of UTF-8.
        """
        if self._state is _CLOSED or self._closable.closed is not None:
            return

        self._queue.flush()
        if self._queue.blocked:
            # What is under way may never arrive.
            self.end(code, reason)
            await self._closable.finish()
            return

        self._state = _CLOSED
        details = {"code": code, "reason": _cut(reason)}
        try:
            await self._queue.send({"type": "websocket.close", **details})
        except (OSError, RuntimeError):
            return  # The client was faster.
        finally:
            self._queue.stop()

    def end(self, code: int, reason: str = "") -> None:
        """Close the socket at once, from anywhere in its event loop.

        Args:
            code: The close code (RFC 6455, section 7.4).
            reason: For the client, cut to 123 bytes of UTF-8.
        """
        self._queue.stop()
        self._closable.end(code, _cut(reason))

    async def _send(self, frame: Frame) -> None:
        if self._state is _NEW:
            self._must_be(_OPEN, "send")

        if not self.is_open:
            raise self._closable.closed or SocketClosedError

        try:
            await self._queue.send(frame.message)
        except SocketClosedError:
            raise
        except OSError as error:
            # Servers have names of their own for it.
            raise SocketClosedError from error

    async def _refuse(self, code: int, reason: str) -> SocketClosedError:
        await self.close(code, reason)
        return SocketClosedError(code, reason)

    def _note_close(self, message: Mapping[str, Any]) -> SocketClosedError:
        self._state = _CLOSED
        self._queue.stop()
        code, reason = message.get("code", 1005), message.get("reason")
        return SocketClosedError(code or 1005, reason or "")

    def _must_be(self, state: str, verb: str) -> None:
        if self._state is state:
            return

        if self._state is _CLOSED:
            raise self._closable.closed or SocketClosedError

        msg = f"{verb}() is for a WebSocket {state}: call accept() first, and once."
        raise ConfigurationError(msg)


def _cut(reason: str) -> str:
    return reason.encode("utf-8")[:123].decode("utf-8", "ignore")

"""A WebSocket that can be closed from outside of the app that runs in it.

Why and when it is closed is for others to say. It needs asyncio: the app's pending
``receive`` is interrupted by cancelling the task that waits in it, which costs next
to nothing as long as it is not done.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import Awaitable, Callable

from asgi_auth._asgi import Message, Receive, Send
from asgi_auth._logs import package_logger
from asgi_auth.errors import AsgiAuthError

__all__ = ["ClosableSocket", "SocketClosedError"]

_logger = package_logger(__name__)

# Seconds. How long a close waits for sends under way, and the app for the close.
_PATIENCE = 1.0
# Some servers wait for the client's answer to a close, which may never come.
_LONGEST_FAREWELL = 10.0

_NO_END = frozenset({"websocket.send", "websocket.accept"})


class SocketClosedError(AsgiAuthError, OSError):
    """The WebSocket is closed: what servers raise for a send that comes too late.

    Attributes:
        close_code: The close code (RFC 6455, section 7.4).
        reason: The close reason.
    """

    code = "socket_closed"
    public_message = "The connection is closed."

    def __init__(self, close_code: int = 1006, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed: {close_code} {reason}".rstrip())
        self.close_code = close_code
        self.reason = reason


class ClosableSocket:
    """The two channels of one WebSocket, with a way to end it in between.

    Attributes:
        closed: Why it was ended from outside, or ``None``.
        gone: The client has left, or the app has closed it by itself.

    Args:
        receive: The server's.
        send: The server's, or an outer layer's.
    """

    # With slots each message takes less time; what only an end from outside sets stays
    # with the class until then.
    __slots__ = (
        "__dict__",
        "_quiet",
        "_receive",
        "_receiver",
        "_send",
        "_sending",
        "closed",
        "gone",
    )
    _closer: asyncio.Task[None] | None = None
    _has_reported = False
    _interrupted: asyncio.Task[object] | None = None

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._receiver: asyncio.Task[object] | None = None
        self._sending = 0
        self._quiet: asyncio.Event | None = None
        self.closed: SocketClosedError | None = None
        self.gone: bool = False

    async def receive(self) -> Message:
        """Return the next message, or the disconnect once the socket was ended.

        Raises:
            SocketClosedError: That disconnect has been reported already.
        """
        if self.closed is not None:
            return await self._disconnect()

        task = self._receiver = current_task()
        cancels = task.cancelling()  # type: ignore[union-attr]
        # What is an attribute and not a method takes less time by way of a name.
        receive = self._receive
        try:
            message = await receive()
        except asyncio.CancelledError:
            ours = task is not None and self._interrupted is task
            if not ours or task.uncancel() > cancels:  # type: ignore[union-attr]
                raise  # Another caller has cancelled it, alone or as well.
        else:
            if self._quiet is None:
                if message["type"] == "websocket.disconnect":
                    self.gone = True

                return message

            if self._interrupted is task:
                task.uncancel()  # type: ignore[union-attr]
        finally:
            self._receiver = None
            if self._quiet is not None:
                self._settle()

        return await self._disconnect()

    async def send(self, message: Message) -> None:
        """Pass *message* on.

        Raises:
            SocketClosedError: The socket was ended.
        """
        if self.closed is not None:
            raise SocketClosedError(self.closed.close_code, self.closed.reason)

        if message["type"] not in _NO_END:
            self.gone = True

        self._sending += 1
        send = self._send
        try:
            await send(message)
        finally:
            self._sending -= 1
            if self._quiet is not None:
                self._settle()

    def end(
        self,
        close_code: int,
        reason: str,
        farewell: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Close the socket; the first call counts, and no caller has to wait.

        The server's pending ``receive`` is cancelled first, because some servers hold
        a close back while one is under way.

        Args:
            close_code: Of the close (RFC 6455, section 7.4).
            reason: Of the close, at most 123 bytes of UTF-8.
            farewell: Sends the close; by default it is sent as it is.
        """
        if self.closed is not None or self.gone:
            return

        self.closed = SocketClosedError(close_code, reason)
        receiver = self._receiver
        if receiver is not None and receiver.cancel():
            self._interrupted = receiver

        self._say(farewell or self._say_close, waits=self._interrupted is not None)

    def _say(self, farewell: Callable[[], Awaitable[None]], *, waits: bool) -> None:
        """Send *farewell* as soon as nothing is under way any more."""
        self._quiet = asyncio.Event()
        if not waits and not self._sending:
            self._quiet.set()

        loop = asyncio.get_running_loop()
        self._closer = loop.create_task(self._close(farewell))

    async def finish(self) -> None:
        """Wait until a close that is under way has gone out."""
        if self._closer is not None:
            await asyncio.wait({self._closer}, timeout=_PATIENCE)

    def _settle(self) -> None:
        if not self._sending and self._receiver is None and self._quiet is not None:
            self._quiet.set()

    async def _close(self, farewell: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._quiet.wait()  # type: ignore[union-attr]
        except TimeoutError:
            pass  # A client that does not read holds a send up.

        try:
            async with asyncio.timeout(_LONGEST_FAREWELL):
                await farewell()
        except Exception as error:  # noqa: BLE001  (each server has its own)
            kind = type(error).__name__
            _logger.debug("a close found the connection closed already: %s", kind)

    async def _say_close(self) -> None:
        closed = self.closed
        if closed is not None:
            details = {"code": closed.close_code, "reason": closed.reason}
            await self._send({"type": "websocket.close", **details})

    async def _disconnect(self) -> Message:
        closed = self.closed
        if closed is None or self._has_reported:
            # An app that would go on asking would never end.
            raise closed or SocketClosedError

        await self.finish()
        self._has_reported = True
        details = {"code": closed.close_code, "reason": closed.reason}
        return {"type": "websocket.disconnect", **details}

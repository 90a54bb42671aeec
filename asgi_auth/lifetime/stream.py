"""An HTTP response that can be ended from outside of the app that sends it.

Why and when it ends is for others to say. It needs asyncio, and interrupts as a
:class:`~asgi_auth.lifetime.closable.ClosableSocket` does.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from typing import Any, Final

from asgi_auth._asgi import Message, Receive, Send
from asgi_auth.errors import AsgiAuthError
from asgi_auth.lifetime.closable import ClosableSocket

__all__ = [
    "LAST_PART",
    "ClosableStream",
    "StreamClosedError",
    "is_closed_stream",
    "without_length",
]

# So often an app that ignores it hears that the client has gone.
_PATIENCE = 16

LAST_PART: Final[Message] = {
    "type": "http.response.body",
    "body": b"",
    "more_body": False,
}


class StreamClosedError(AsgiAuthError, OSError):
    """The response has ended: what servers raise for a send that comes too late.

    Attributes:
        reason: The code of the error that ended it.
    """

    code = "stream_closed"
    public_message = "The connection is closed."

    def __init__(self, reason: str = "") -> None:
        super().__init__(f"the response was ended: {reason}")
        self.reason = reason


class ClosableStream(ClosableSocket):
    """The two channels of one response, with a way to end it in between.

    Several tasks may wait for the client to leave: frameworks and generators do.

    Args:
        receive: The server's.
        send: The server's, or an outer layer's.
    """

    __slots__ = ("_interruptions", "_receivers", "_tellings", "ended")

    def __init__(self, receive: Receive, send: Send) -> None:
        super().__init__(receive, send)
        self._receivers: set[asyncio.Task[object] | None] = set()
        self._interruptions: set[asyncio.Task[object] | None] = set()
        self._tellings = 0
        self.ended: StreamClosedError | None = None

    async def receive(self) -> Message:
        """Return the next message, or the disconnect once the stream was ended.

        Raises:
            StreamClosedError: The app does not listen to that.
        """
        if self.ended is not None:
            return await self._disconnect()

        task = current_task()
        cancels = task.cancelling()  # type: ignore[union-attr]
        self._receivers.add(task)
        try:
            message = await self._receive()
        except asyncio.CancelledError:
            ours = task in self._interruptions
            if not ours or task.uncancel() > cancels:  # type: ignore[union-attr]
                raise  # Another caller has cancelled it, alone or as well.
        else:
            if self._quiet is None:
                if message["type"] == "http.disconnect":
                    self.gone = True

                return message

            if task in self._interruptions:
                task.uncancel()  # type: ignore[union-attr]
        finally:
            self._receivers.discard(task)
            self._settle()

        return await self._disconnect()

    async def send(self, message: Message) -> None:
        """Pass *message* on.

        Raises:
            StreamClosedError: The stream was ended.
        """
        if self.ended is not None:
            raise StreamClosedError(self.ended.reason)

        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.gone: bool = True

        self._sending += 1
        try:
            await self._send(message)
        finally:
            self._sending -= 1
            self._settle()

    def finish_with(self, reason: str) -> None:
        """End the stream; the first call counts, and no caller has to wait.

        Args:
            reason: Why, for the app.
        """
        if self.ended is not None or self.gone:
            return

        self.ended = StreamClosedError(reason)
        for task in self._receivers:
            task.cancel()  # type: ignore[union-attr]
            self._interruptions.add(task)

        self._say(self._say_last, waits=bool(self._interruptions))

    def _settle(self) -> None:
        if self._quiet is not None and not self._sending and not self._receivers:
            self._quiet.set()

    async def _say_last(self) -> None:
        await self._send({**LAST_PART})

    async def _disconnect(self) -> Message:
        self._tellings += 1
        if self._tellings > _PATIENCE and self.ended is not None:
            # An app that would go on asking would never end.
            raise StreamClosedError(self.ended.reason)

        await self.finish()
        return {"type": "http.disconnect"}


def without_length(message: Message) -> Message:
    """Return how a response begins, without a promise of its length.

    What is cut could not keep it: servers would wait for the rest, or break off what
    else is on the connection.
    """
    headers = [*(message.get("headers") or ())]
    rest = [header for header in headers if header[0].lower() != b"content-length"]
    return message if len(rest) == len(headers) else {**message, "headers": rest}


def is_closed_stream(error: BaseException | None) -> bool:
    """Say whether an app has failed because its stream was ended.

    Frameworks raise errors of their own while they handle it.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_closed_stream, error.exceptions))

    cause: Any = error
    while cause is not None and not isinstance(cause, StreamClosedError):
        cause = cause.__cause__ or cause.__context__

    return cause is not None

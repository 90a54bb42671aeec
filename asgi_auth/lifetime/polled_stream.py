"""End a stream at its expiry where there is no asyncio, for instance on trio.

No timer runs by itself: expiry and revocation are looked at around each receive and
before each send, and a pending receive ends at the expiry.
"""

from __future__ import annotations

from contextlib import suppress

import anyio

from asgi_auth._asgi import Message, Send
from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.lifetime.policies import Policies
from asgi_auth.lifetime.polled import PolledLifetime
from asgi_auth.lifetime.stream import LAST_PART, StreamClosedError, without_length
from asgi_auth.lifetime.terms import guards_of, scope_of
from asgi_auth.responses.sender import Reply
from asgi_auth.revocation.validity import validity_of

__all__ = ["PolledStream"]


class PolledStream(PolledLifetime):
    """The two channels of one response, which look at the clock.

    Args:
        policies: By what streams end.
        reply: The way out, before there was a stream.
        send: The server's, or an outer layer's.
    """

    __slots__ = ("_begun", "_ended", "_reply")

    def __init__(self, policies: Policies, reply: Reply, send: Send) -> None:
        scope = scope_of(reply)
        terms = policies.terms(validity_of(scope["auth"]))
        receive = reply.receiver
        super().__init__(scope, terms, receive=receive, send=send, state=reply)
        self._reply = reply
        self._begun = False
        self._ended: StreamClosedError | None = None

    async def begin(self, message: Message) -> None:
        """Send how the response begins, and end it if its time has come already.

        Raises:
            ConfigurationError: It would have to be asked how its session is.
        """
        if self._terms.by_session:
            msg = 'ConnectionPolicy(streams="session") needs asyncio.'
            raise ConfigurationError(msg)

        self._reply.guards = guards_of(self._reply)
        self._reply.lifetime = self
        await self._send(without_length(message))
        self._begun = True
        await self._go_on()

    async def receive(self) -> Message:
        """Return the next message, or the disconnect once the time is over."""
        while True:
            if self._begun:
                await self._go_on()

            if self._ended is not None:
                break

            # What has not begun, or has ended, is not cut: it waits for the client.
            with anyio.move_on_after(self._seconds_left() or None):
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    self._is_gone = True

                return message

        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass *message* on.

        Raises:
            StreamClosedError: The time is over.
        """
        await self._go_on()
        if self._ended is not None:
            raise StreamClosedError(self._ended.reason)

        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._is_gone = True

        await self._send(message)

    async def _go_on(self) -> None:
        if self._ended is not None or self._is_gone:
            return

        try:
            await self._verify()
        except AuthError as error:
            self._ended = StreamClosedError(error.code)
            with suppress(OSError, RuntimeError):  # The client may have left.
                await self._send({**LAST_PART})

    async def leave(self) -> None:
        """Leave nothing behind; the app has returned."""
        # Circles would have to wait for the collector.
        self._reply.lifetime, self._reply.guards = None, ()

"""End a WebSocket at its expiry where there is no asyncio, for instance on trio.

No timer runs by itself: expiry and revocation are looked at around each receive and
before each send, and a pending receive ends at the expiry.
"""

from __future__ import annotations

import math
from contextlib import suppress

import anyio

from asgi_auth._asgi import Message, Receive, Send
from asgi_auth.errors import AuthError, ExpiredTokenError, RevokedTokenError
from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.lifetime import Refuse, Terms
from asgi_auth.principal import Principal
from asgi_auth.responses.deny import close_code

__all__ = ["PolledLifetime"]


class PolledLifetime:
    """The two channels of one WebSocket, which look at the clock.

    Args:
        principal: Whose socket it is.
        terms: By what its life is measured.
        receive: The server's.
        send: The way of the app's messages.
        refuse: Closes the socket.
    """

    __slots__ = (
        "_closed",
        "_gone",
        "_principal",
        "_receive",
        "_refuse",
        "_send",
        "_terms",
    )

    def __init__(
        self,
        principal: Principal,
        terms: Terms,
        *,
        receive: Receive,
        send: Send,
        refuse: Refuse,
    ) -> None:
        self._principal = principal
        self._terms = terms
        self._receive = receive
        self._send = send
        self._refuse = refuse
        self._closed: SocketClosedError | None = None
        self._gone = False

    async def receive(self) -> Message:
        """Return the next message, or the disconnect once the time is over.

        Raises:
            SocketClosedError: That disconnect has been told already.
        """
        if self._closed is not None:
            raise self._closed

        if self._gone:
            return await self._receive()

        message: Message | None = None
        with anyio.move_on_after(self._left()):
            message = await self._receive()

        error = self._fault()
        if error is None and message is None:
            return await self.receive()  # The clock went back.

        if message is not None and (
            error is None or message["type"] == "websocket.disconnect"
        ):
            self._gone = message["type"] == "websocket.disconnect"
            return message

        closed = await self._end(error or ExpiredTokenError())
        said = {"code": closed.close_code, "reason": closed.reason}
        return {"type": "websocket.disconnect", **said}

    async def send(self, message: Message) -> None:
        """Pass *message* on.

        Raises:
            SocketClosedError: The time is over.
        """
        if self._closed is not None:
            raise self._closed

        error = None if self._gone else self._fault()
        if error is not None:
            raise await self._end(error)

        self._gone = self._gone or message["type"] == "websocket.close"
        await self._send(message)

    async def _end(self, error: AuthError) -> SocketClosedError:
        self._closed = SocketClosedError(close_code(error), error.code)
        with suppress(OSError, RuntimeError):  # The client may have left.
            await self._refuse(error)

        return self._closed

    def _left(self) -> float:
        ends = self._principal.expires_at
        now = self._terms.validity.clock()
        return math.inf if ends is None else max(0.0, ends - now)

    def _fault(self) -> AuthError | None:
        if self._left() <= 0:
            return ExpiredTokenError()

        try:
            self._terms.validity.check(self._principal)
        except RevokedTokenError as error:
            return error

        return None

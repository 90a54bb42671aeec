"""End a WebSocket at its expiry where there is no asyncio, for instance on trio.

No timer runs by itself: expiry and revocation are looked at around each receive and
before each send, and a pending receive ends at the expiry.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any

import anyio

from asgi_auth._asgi import Message, Receive, Scope, Send
from asgi_auth.errors import AuthError, ExpiredTokenError
from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.lifetime import SocketState
from asgi_auth.lifetime.terms import OfThisProcess, Renewal, Terms, ask_guards
from asgi_auth.principal import Principal
from asgi_auth.responses.deny import close_code

__all__ = ["PolledLifetime"]


class PolledLifetime(OfThisProcess):
    """The two channels of one WebSocket, which look at the clock.

    Attributes:
        principal: Whose socket it is, by the last answer.
        changed: Principal and user since the last change, or ``None``: as at first.

    Args:
        scope: Of the socket, as the app has it.
        terms: By what its life is measured.
        receive: The server's.
        send: The way of the app's messages.
        state: Of the socket; it closes the socket, and knows its guards.
    """

    __slots__ = (
        "_closed",
        "_deadline",
        "_is_gone",
        "_outage_since",
        "_receive",
        "_scope",
        "_send",
        "_state",
        "_terms",
        "changed",
        "principal",
    )

    def __init__(
        self,
        scope: Scope,
        terms: Terms,
        *,
        receive: Receive,
        send: Send,
        state: SocketState,
    ) -> None:
        self._scope = scope
        self.principal: Principal = scope["auth"]
        self._terms = terms
        self._receive = receive
        self._send = send
        self._state = state
        self._closed: SocketClosedError | None = None
        self._is_gone = False
        self._outage_since: float | None = None
        self.changed: tuple[Principal, Any] | None = None
        first = terms.first_deadline(self.principal, terms.validity.clock())
        self._deadline = math.inf if first is None else first

    async def receive(self) -> Message:
        """Return the next message, or the disconnect once the time is over.

        Raises:
            SocketClosedError: That disconnect has been reported already.
        """
        if self._closed is not None:
            raise self._closed

        if self._is_gone:
            return await self._receive()

        message: Message | None = None
        while message is None:
            with anyio.move_on_after(self._seconds_left()):
                message = await self._receive()

            if message is not None and message["type"] == "websocket.disconnect":
                self._is_gone = True
                return message

            try:
                await self._verify()
            except AuthError as error:
                return await self._disconnect(error)

        return message

    async def send(self, message: Message) -> None:
        """Pass *message* on.

        Raises:
            SocketClosedError: The time is over.
        """
        if self._closed is not None:
            raise self._closed

        if not self._is_gone:
            try:
                await self._verify()
            except AuthError as error:
                raise await self._end(error) from None

        self._is_gone = self._is_gone or message["type"] == "websocket.close"
        await self._send(message)

    async def _disconnect(self, error: AuthError) -> Message:
        closed = await self._end(error)
        details = {"code": closed.close_code, "reason": closed.reason}
        return {"type": "websocket.disconnect", **details}

    async def _end(self, error: AuthError) -> SocketClosedError:
        self._closed = SocketClosedError(close_code(error), error.code)
        with suppress(OSError, RuntimeError):  # The client may have left.
            await self._state.refuse(error)

        return self._closed

    def _seconds_left(self) -> float:
        return max(0.0, self._deadline - self._terms.validity.clock())

    async def _verify(self) -> None:
        """Pass while the caller may have the socket.

        Raises:
            AuthError: The time is over, or a guard lets the caller in no more.
        """
        if self._seconds_left() <= 0:
            await self._renew()

        self._terms.validity.check(self.principal)

    async def _renew(self) -> None:
        renew, before = self._terms.renew, self.principal
        if renew is None:
            raise ExpiredTokenError

        now, since = self._terms.validity.clock(), self._outage_since
        renewal = await Renewal.ask(renew, before, now, since, self._accept)
        self._deadline, self._outage_since = renewal.deadline, renewal.outage_since

    async def _accept(self, principal: Principal) -> None:
        """Let in who it is by now, and the user as it is by now."""
        load_user, scope = self._terms.load_user, self._scope
        if load_user is None and principal is self.principal:
            return

        user = principal if load_user is None else await load_user(principal)
        await ask_guards(scope, self._state.guards, principal, user)
        self.principal = principal
        scope["auth"], scope["user"] = self.changed = principal, user

"""Bring messages to the connections of this process.

It knows who is connected, and asks no other process. What those want delivered comes
in here as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from asgi_auth._clock import system_clock
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError
from asgi_auth.events import Event, Events, Listener
from asgi_auth.principal import ANONYMOUS, Principal
from asgi_auth.responses.state import state_of
from asgi_auth.websocket.connection import WebSocketConnection
from asgi_auth.websocket.envelope import Envelope
from asgi_auth.websocket.payload import Payload
from asgi_auth.websocket.registry import Member, Registry

__all__ = ["Delivery", "Disconnect"]

_logger = package_logger(__name__)

_AT_A_TIME = 64


class Disconnect(NamedTuple):
    """Whose connections are to be closed, and how.

    Attributes:
        subject: The user, or ``None``: all.
        issuer: Whose user; ``None``: of tokens without ``iss``.
        session_id: The session, or ``None``: any.
        code: The close code.
        reason: The close reason.
    """

    subject: str | None
    issuer: str | None
    session_id: str | None
    code: int
    reason: str


class Delivery:
    """Gives messages to connections, and never waits for one.

    Attributes:
        issuer: Whose subjects are meant where none is named.

    Args:
        registry: Who is connected.
        presence: Announce to rooms who comes and leaves.
        issuer: Whose subjects are meant where none is named.
        on_event: Gets what happens.
    """

    __slots__ = ("_events", "_issuers", "_presence", "_registry", "issuer")

    def __init__(
        self,
        registry: Registry,
        *,
        presence: bool,
        issuer: str | None,
        on_event: Listener | Events | None,
    ) -> None:
        self._registry = registry
        self._presence = presence
        self.issuer: str | None = issuer
        self._issuers: set[str | None] = set()
        self._events = Events.of(on_event)

    def note_issuers(self, connection: WebSocketConnection) -> None:
        """Remember from whom callers come, and from whom they may come."""
        principal = connection.principal
        if principal.is_authenticated:
            self._issuers.add(principal.issuer)
            self._issuers.update(state_of(connection.scope).issuers)

    def resolve(self, issuer: str | None, *, shared: bool) -> str | None:
        """Return whose subjects are meant, as principals call it: ``None`` is nameless.

        Args:
            issuer: As the application names it; empty for tokens without ``iss``.
            shared: Other processes are asked to do the same. They never guess.

        Raises:
            ConfigurationError: None is named, and there are several; or there are other
                processes, and no caller here says which it is.
        """
        name = self.issuer if issuer is None else issuer
        if name is not None:
            return name or None

        if len(self._issuers) > 1:
            msg = (
                "Callers come from several issuers, whose subjects may be equal: "
                "name one, here or as Rooms(issuer=...)."
            )
            raise ConfigurationError(msg)

        if shared and not self._issuers:
            msg = (
                "No caller has connected to this process, so that it does not know "
                "whose subject is meant: name the issuer, here or as "
                'Rooms(issuer=...), and "" for tokens without iss.'
            )
            raise ConfigurationError(msg)

        # Where there is one issuer only, it need not be named.
        return next(iter(self._issuers), None)

    def devices(self, subject: str, issuer: str | None) -> list[WebSocketConnection]:
        """List the connections of one user of one issuer."""
        return self._registry.devices(Member(subject, issuer))

    def chosen(
        self,
        room: str,
        subjects: Sequence[str],
        connections: Sequence[WebSocketConnection] = (),
    ) -> list[WebSocketConnection]:
        """List the connections in *room*, but for those named."""
        here = self._registry.in_room(room)
        if not subjects and not connections:
            return here

        left_out, users = set(connections), set(subjects)
        return [c for c in here if c not in left_out and c.user_id not in users]

    async def send(
        self, connections: Sequence[WebSocketConnection], payload: Payload
    ) -> None:
        """Send to all, and let others run in between."""
        # All have it queued before one is sent it: the messages of two senders
        # arrive everywhere in one order.
        self._post(connections, payload)
        for number, connection in enumerate(connections, 1):
            connection.flush()
            if number % _AT_A_TIME == 0:
                await asyncio.sleep(0)

        # Before Python 3.12 a flush begins with the next turn of the loop.
        await asyncio.sleep(0)

    def send_now(
        self, connections: Sequence[WebSocketConnection], payload: Payload
    ) -> None:
        """Send to all at once."""
        self._post(connections, payload)
        for connection in connections:
            connection.flush()

    def end(self, order: Disconnect) -> None:
        """Close connections."""
        connections: Iterable[WebSocketConnection] = [*self._registry]
        if order.subject is not None:
            connections = self.devices(order.subject, order.issuer)

        sid = order.session_id
        for connection in connections:
            if sid is None or connection.principal.session_id == sid:
                connection.end(order.code, order.reason)

    def deliver(self, envelope: Envelope) -> None:
        """Do what another process asks for."""
        _, verb, head, payload = envelope
        if verb == "room":
            self.send_now(self.chosen(head["room"], head["exclude"]), payload)
        elif verb == "user":
            # As the sender says: what is known of issuers here is of no account.
            devices = self.devices(head["subject"], head["issuer"])
            self.send_now(devices, payload)
        elif verb == "end":
            self.end(Disconnect(*head["who"]))

    def announce(self, event: str, room: str, member: Member) -> None:
        """Announce to *room* who has come or left."""
        if self._presence:
            details = {"event": event, "room": room, "subject": member.subject}
            payload = Payload.of({"type": "presence", **details})
            self.send_now(self._registry.in_room(room), payload)

    def report(self, *, up: bool) -> None:
        """Report that the fan-out went down or is back."""
        _logger.info("messages %s other processes", "reach" if up else "do not reach")
        self._emit("fanout.up" if up else "fanout.down", ANONYMOUS)

    def _post(
        self, connections: Sequence[WebSocketConnection], payload: Payload
    ) -> None:
        for connection in connections:
            if not connection.post(payload.frame(connection.encoding)):
                self._emit("socket.slow", connection.principal)

    def _emit(self, name: str, principal: Principal) -> None:
        event = Event(
            name=name,
            at=system_clock(),
            issuer=principal.issuer,
            subject=principal.subject or None,
            session_id=principal.session_id,
        )
        self._events.emit(event)

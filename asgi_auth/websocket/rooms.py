"""Rooms: who hears what, on all of a user's devices and in all processes.

A room decides nothing about who may join; its guard does. No sender waits for a client:
one that does not read is closed alone. Needs asyncio; one object serves one loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from inspect import isawaitable
from typing import Any

from asgi_auth.errors import ConfigurationError
from asgi_auth.events import Events, Listener
from asgi_auth.lifetime.closable import SocketClosedError
from asgi_auth.lifetime.lifetime import lifetime_of
from asgi_auth.lifetime.stranger import stranger_of
from asgi_auth.principal import Principal
from asgi_auth.responses.deny import close_code
from asgi_auth.tokens.claims import UserId, subject_of
from asgi_auth.websocket.cluster import Cluster
from asgi_auth.websocket.connection import WebSocketConnection
from asgi_auth.websocket.delivery import Delivery, Disconnect
from asgi_auth.websocket.errors import ForbiddenRoomError, TooManySocketsError
from asgi_auth.websocket.fanout import Fanout
from asgi_auth.websocket.payload import Payload
from asgi_auth.websocket.registry import Excluded, Member, Registry, split

__all__ = ["MayJoin", "Rooms"]

MayJoin = Callable[[Principal, str], bool | Awaitable[bool]]
"""Says whether a principal may join a room; may be async."""

_LONGEST_NAME = 200


class Rooms:
    """The rooms of an application.

    Args:
        fanout: The way to the rooms of other processes, or ``None``: there are none.
        may_join: The guard of all rooms; ``None`` lets all callers in.
        presence: Announce to a room who comes and leaves:
            ``{"type": "presence", "event": "join", "room": ..., "subject": ...}``.
        issuer: Whose subjects are meant where a call names no issuer. It is
            needed where callers come from several.
        max_per_user: Open connections of one user, in each process.
        max_rooms: Rooms that one connection may be in.
        on_event: Gets an :class:`~asgi_auth.events.Event` when a slow client is
            closed, and when the fan-out goes down or is back.

    Raises:
        ConfigurationError: A limit lets no caller in.
    """

    def __init__(
        self,
        *,
        fanout: Fanout | None = None,
        may_join: MayJoin | None = None,
        presence: bool = False,
        issuer: str | None = None,
        max_per_user: int | None = 32,
        max_rooms: int = 100,
        on_event: Listener | Events | None = None,
    ) -> None:
        if (max_per_user is not None and max_per_user < 1) or max_rooms < 1:
            msg = "max_per_user and max_rooms must be at least 1."
            raise ConfigurationError(msg)

        self._registry = Registry()
        self._delivery = Delivery(
            self._registry, presence=presence, issuer=issuer, on_event=on_event
        )
        self._cluster = Cluster(fanout, self._registry, self._delivery)
        self._may_join = may_join
        self._max_per_user = max_per_user
        self._max_rooms = max_rooms
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        """Count the connections in this process."""
        return len(self._registry)

    async def add(self, connection: WebSocketConnection) -> None:
        """Take *connection* in, so that it can join rooms and get messages.

        :class:`~asgi_auth.websocket.endpoint.WebSocketEndpoint` does it by itself.

        Raises:
            TooManySocketsError: Its user has too many.
            ConfigurationError: Another event loop uses these rooms.
        """
        self._enter_loop()
        self._admit(connection)
        scope = connection.scope
        known = None if self._may_join is None else lifetime_of(scope)
        if (changing := stranger_of(scope) or known) is not None:
            changing.listeners.append(partial(self._meet, connection))

        await self._cluster.settle()

    def remove(self, connection: WebSocketConnection) -> None:
        """Take *connection* out of all rooms, and forget it."""
        if connection not in self._registry:
            return

        rooms = self._registry.rooms_of(connection)
        for room in rooms:
            self._leave(connection, room)

        self._registry.remove(connection)
        self._cluster.settle_later(rooms)

    async def join(self, connection: WebSocketConnection, room: str) -> None:
        """Let *connection* hear *room*; joining twice changes nothing.

        Raises:
            ForbiddenRoomError: It may not, or this is no name: 1 to 200 characters.
            SocketClosedError: It is closed.
        """
        # Names come from clients, in JSON: anything may stand in their place.
        if type(room) is not str or not 0 < len(room) <= _LONGEST_NAME:
            raise ForbiddenRoomError(str(room)[:_LONGEST_NAME])

        if room in self._registry.rooms_of(connection):
            return

        await self._check(connection, room)
        # While the guard was asked, much may have happened.
        if connection not in self._registry:
            raise SocketClosedError

        if room in self._registry.rooms_of(connection):
            return

        if self._registry.join(connection, room):
            self._come(room, self._registry.member_of(connection))

        await self._cluster.settle(room)

    async def leave(self, connection: WebSocketConnection, room: str) -> None:
        """Let *connection* hear *room* no more."""
        if room in self._registry.rooms_of(connection):
            self._leave(connection, room)
            self._cluster.settle_later(frozenset({room}))

    def rooms_of(self, connection: WebSocketConnection) -> frozenset[str]:
        """Name the rooms that *connection* is in."""
        return self._registry.rooms_of(connection)

    def members(self, room: str) -> Sequence[Member]:
        """List the users in *room*, those in other processes last."""
        here = self._registry.members(room)
        return [*dict.fromkeys([*here, *self._cluster.elsewhere.members(room)])]

    async def broadcast(
        self, room: str, message: Any, *, exclude: Excluded = ()
    ) -> None:
        """Send *message* to all in *room*; no client is waited for.

        Args:
            room: Which.
            message: Bytes, or any JSON value. It is written once.
            exclude: Who does not get it.
        """
        payload = Payload.of(message)
        connections, subjects = split(exclude)
        self._cluster.publish("room", payload, room=room, exclude=subjects)
        receivers = self._delivery.chosen(room, subjects, connections)
        await self._delivery.send(receivers, payload)

    async def send_to_user(
        self, subject: UserId, message: Any, *, issuer: str | None = None
    ) -> None:
        """Send *message* to all devices of a user, in whatever rooms they are.

        Args:
            subject: The user's id.
            message: Bytes, or any JSON value. It is written once.
            issuer: Whose user; by default as these rooms were made. Empty for tokens
                without ``iss``.

        Raises:
            ConfigurationError: No issuer is named, and there are several, or with a
                fan-out none that is known to this process.
        """
        payload, user = Payload.of(message), subject_of(subject)
        issuer = self._delivery.resolve(issuer, shared=self._cluster.is_shared)
        devices = self._delivery.devices(user, issuer)
        self._cluster.publish("user", payload, subject=user, issuer=issuer)
        await self._delivery.send(devices, payload)

    async def disconnect(
        self,
        subject: UserId | None = None,
        *,
        session_id: str | None = None,
        issuer: str | None = None,
        code: int = 3003,
        reason: str = "disconnected",
    ) -> None:
        """Close all connections of a user, or those of one session.

        The user may come back: to prevent that, revoke the session.

        Args:
            subject: The user's id.
            session_id: The session, where not all of the user's are meant.
            issuer: Whose user; by default as these rooms were made.
            code: The close code.
            reason: The close reason.

        Raises:
            ConfigurationError: No user is named, or no issuer, and there are several.
        """
        if subject is None and session_id is None:
            msg = "disconnect() needs a subject or a session_id."
            raise ConfigurationError(msg)

        if subject is not None:
            issuer = self._delivery.resolve(issuer, shared=self._cluster.is_shared)

        user = None if subject is None else subject_of(subject)
        order = Disconnect(user, issuer, session_id, code, reason)
        self._delivery.end(order)
        self._cluster.publish("end", who=[*order])

    async def aclose(self) -> None:
        """Close all connections of this process, and leave the fan-out."""
        for connection in [*self._registry]:
            connection.end(1001, "going away")
            self.remove(connection)

        await self._cluster.aclose()

    def _admit(self, connection: WebSocketConnection) -> None:
        principal = connection.principal
        if (
            self._max_per_user is not None
            and principal.is_authenticated
            and self._registry.count(Member.of(principal)) >= self._max_per_user
        ):
            raise TooManySocketsError

        self._delivery.note_issuers(connection)
        self._registry.add(connection)

    async def _meet(self, connection: WebSocketConnection, caller: Principal) -> None:
        """Know a connection by its caller that was nobody's, and ask about its rooms.

        Raises:
            TooManySocketsError: Its caller has too many.
        """
        if connection not in self._registry:
            return

        if self._registry.member_of(connection) != Member.of(caller):
            rooms = self._registry.rooms_of(connection)
            for room in rooms:
                self._leave(connection, room)

            self._registry.remove(connection)
            self._cluster.settle_later(rooms)
            self._admit(connection)
            for room in rooms:
                if self._registry.join(connection, room):
                    self._come(room, Member.of(caller))

        await self._review(connection)

    async def _review(self, connection: WebSocketConnection) -> None:
        """Ask again about all rooms of a connection whose caller has changed."""
        for room in self._registry.rooms_of(connection):
            if not await self._may_be_in(connection, room):
                error = ForbiddenRoomError(room)
                connection.end(close_code(error), error.code)
                self.remove(connection)
                return

    async def _check(self, connection: WebSocketConnection, room: str) -> None:
        if connection not in self._registry:
            if not connection.is_open:
                raise SocketClosedError

            msg = "Rooms do not know this connection: await rooms.add(connection)."
            raise ConfigurationError(msg)

        if len(self._registry.rooms_of(connection)) >= self._max_rooms:
            raise ForbiddenRoomError(room)

        if not await self._may_be_in(connection, room):
            raise ForbiddenRoomError(room)

    async def _may_be_in(self, connection: WebSocketConnection, room: str) -> bool:
        if self._may_join is None:
            return True

        while True:
            principal = connection.principal
            allowed = self._may_join(principal, room)
            if isawaitable(allowed):
                allowed = await allowed

            # Meanwhile the caller may have lost what it was asked about.
            if not allowed or connection.principal is principal:
                return bool(allowed)

    def _come(self, room: str, member: Member) -> None:
        if not self._cluster.elsewhere.has(room, member):
            self._delivery.announce("join", room, member)

        self._cluster.publish_presence("join", room, member)

    def _leave(self, connection: WebSocketConnection, room: str) -> None:
        member = self._registry.member_of(connection)
        if self._registry.leave(connection, room):
            if not self._cluster.elsewhere.has(room, member):
                self._delivery.announce("leave", room, member)

            self._cluster.publish_presence("leave", room, member)

    def _enter_loop(self) -> None:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if len(self._registry) and self._loop is not None:
                msg = "Rooms serve one event loop: make others for another."
                raise ConfigurationError(msg)

            self._loop = loop

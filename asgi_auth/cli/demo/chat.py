"""The chat of the demo: three rooms, one of them for administrators only.

Who calls, and for how long, is decided above it; it only talks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from asgi_auth.principal import Principal
from asgi_auth.sessions import TokenService
from asgi_auth.websocket import Rooms, WebSocketConnection, WebSocketEndpoint

__all__ = ["ROOMS", "Chat", "make_rooms"]

ROOMS = ("lobby", "orders", "admins")
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class _Guest:
    """One window.

    Attributes:
        subject: Whose.
        name: The user's name.
        device: The window's name.
        sid: The session.
    """

    subject: str
    name: str
    device: str
    sid: str | None


def make_rooms() -> Rooms:
    """Return rooms that announce who comes and leaves."""
    return Rooms(may_join=_may_join, presence=True)


def _may_join(principal: Principal, room: str) -> bool:
    return room in ROOMS and (room != "admins" or "admin" in principal.roles)


class Chat(WebSocketEndpoint):
    """Lets windows talk, each in one room at a time.

    Args:
        rooms: From :func:`make_rooms`.
        tokens: Knows the devices by their sessions.
    """

    def __init__(self, rooms: Rooms, tokens: TokenService) -> None:
        super().__init__(rooms=rooms, invalid="tell", max_rate=10)
        self._all = rooms
        self._tokens = tokens
        self._guests: dict[WebSocketConnection, _Guest] = {}

    async def on_connect(self, websocket: WebSocketConnection, user_id: str) -> None:
        """Take the caller into the lobby."""
        principal = websocket.principal
        device = await self._device(principal)
        name = principal.display_name
        guest = _Guest(user_id, name, device, principal.session_id)
        self._guests[websocket] = guest
        await websocket.send({"type": "welcome", "rooms": ROOMS, "you": asdict(guest)})
        await self._enter(websocket, ROOMS[0])

    async def on_message(
        self, websocket: WebSocketConnection, user_id: str, message: Any
    ) -> None:
        """Change the room, or say something in it."""
        if not isinstance(message, dict):
            return

        if message.get("type") == "join":
            await self._enter(websocket, str(message.get("room", "")))
        elif message.get("type") == "say":
            await self._say(websocket, str(message.get("text", ""))[:_LONGEST].strip())

    async def on_disconnect(self, websocket: WebSocketConnection, user_id: str) -> None:
        """Announce it to the others."""
        old_rooms = self._all.rooms_of(websocket)
        self._guests.pop(websocket, None)
        for room in old_rooms:
            await self._all.leave(websocket, room)
            await self._list(room)

    async def _enter(self, websocket: WebSocketConnection, room: str) -> None:
        old_rooms = self._all.rooms_of(websocket) - {room}
        await self._all.join(websocket, room)
        for other in old_rooms:
            await self._all.leave(websocket, other)
            await self._list(other)

        await websocket.send({"type": "joined", "room": room})
        await self._list(room)

    async def _say(self, websocket: WebSocketConnection, text: str) -> None:
        if not text:
            return

        guest = self._guests[websocket]
        message = {"type": "said", "name": guest.name, "device": guest.device}
        for room in self._all.rooms_of(websocket):
            await self._all.broadcast(
                room, {**message, "sid": guest.sid, "room": room, "text": text}
            )

    async def _list(self, room: str) -> None:
        """Announce to a room which windows are in it."""
        people = [
            asdict(guest)
            for websocket, guest in [*self._guests.items()]
            if room in self._all.rooms_of(websocket)
        ]
        await self._all.broadcast(
            room, {"type": "people", "room": room, "people": people}
        )

    async def _device(self, principal: Principal) -> str:
        sid = principal.session_id or ""
        session = await self._tokens.session(sid, principal.subject)
        return (session and session.device.label) or "a device"

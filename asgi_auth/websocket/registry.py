"""Who is connected to this process, and in which rooms.

A table, and nothing else: it sends nothing and asks nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

from asgi_auth.principal import Principal
from asgi_auth.websocket.connection import WebSocketConnection

__all__ = ["Excluded", "Member", "Registry", "split"]

_Name = TypeVar("_Name")

Excluded = WebSocketConnection | str | Iterable[WebSocketConnection | str]
"""Connections, or subjects with all their devices."""

_Connections = dict[WebSocketConnection, None]
"""A set that keeps the order of joining."""


class Member(NamedTuple):
    """A user in a room, on however many devices.

    Attributes:
        subject: The user's id.
        issuer: Who vouches for it, or ``None``.
    """

    subject: str
    issuer: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> Member:
        """Name the user whose *principal* this is."""
        return cls(principal.subject, principal.issuer)


class Registry:
    """The connections of one process."""

    __slots__ = ("_devices", "_members", "_present", "_rooms", "_rooms_of")

    def __init__(self) -> None:
        self._rooms_of: dict[WebSocketConnection, set[str]] = {}
        # As they came: who was nobody may be somebody by now.
        self._members: dict[WebSocketConnection, Member] = {}
        self._devices: dict[Member, _Connections] = {}
        self._rooms: dict[str, _Connections] = {}
        self._present: Counter[tuple[str, Member]] = Counter()

    def __len__(self) -> int:
        """Count the connections."""
        return len(self._rooms_of)

    def __contains__(self, connection: object) -> bool:
        """Say whether *connection* is known."""
        return connection in self._rooms_of

    def __iter__(self) -> Iterator[WebSocketConnection]:
        """Give all connections."""
        return iter(self._rooms_of)

    def add(self, connection: WebSocketConnection) -> None:
        """Note that *connection* is there."""
        member = Member.of(connection.principal)
        self._rooms_of[connection] = set()
        self._members[connection] = member
        self._devices.setdefault(member, {})[connection] = None

    def remove(self, connection: WebSocketConnection) -> None:
        """Forget *connection*, which is in no room any more."""
        del self._rooms_of[connection]
        member = self._members.pop(connection)
        _drop(self._devices, member, connection)

    def join(self, connection: WebSocketConnection, room: str) -> bool:
        """Put *connection* into *room*; say whether its user was not there before."""
        self._rooms_of[connection].add(room)
        self._rooms.setdefault(room, {})[connection] = None
        present = room, self._members[connection]
        self._present[present] += 1
        return self._present[present] == 1

    def leave(self, connection: WebSocketConnection, room: str) -> bool:
        """Take *connection* out of *room*; say whether its user is gone from there."""
        self._rooms_of[connection].discard(room)
        _drop(self._rooms, room, connection)
        present = room, self._members[connection]
        self._present[present] -= 1
        if self._present[present] > 0:
            return False

        del self._present[present]
        return True

    def has(self, room: str, member: Member) -> bool:
        """Say whether *member* is in *room*."""
        return (room, member) in self._present

    def member_of(self, connection: WebSocketConnection) -> Member:
        """Name the user that *connection* is known as."""
        return self._members[connection]

    def rooms_of(self, connection: WebSocketConnection) -> frozenset[str]:
        """Name the rooms that *connection* is in."""
        return frozenset(self._rooms_of.get(connection, ()))

    def rooms(self) -> list[str]:
        """Name the rooms that are not empty."""
        return [*self._rooms]

    def in_room(self, room: str) -> list[WebSocketConnection]:
        """List the connections in *room*, in the order of joining."""
        return [*self._rooms.get(room, ())]

    def members(self, room: str) -> list[Member]:
        """List the users in *room*, in the order of joining."""
        here = self._rooms.get(room, ())
        return [*dict.fromkeys(self._members[c] for c in here)]

    def count(self, member: Member) -> int:
        """Count the connections of one user."""
        return len(self._devices.get(member, ()))

    def devices(self, member: Member) -> list[WebSocketConnection]:
        """List the connections of one user."""
        return [*self._devices.get(member, ())]


def _drop(
    table: dict[_Name, _Connections], name: _Name, connection: WebSocketConnection
) -> None:
    connections = table.get(name)
    if connections is not None:
        connections.pop(connection, None)
        if not connections:
            del table[name]


def split(excluded: Excluded) -> tuple[list[WebSocketConnection], list[str]]:
    """Return the connections and the subjects that are excluded."""
    if isinstance(excluded, WebSocketConnection | str):
        excluded = (excluded,)

    connections: list[WebSocketConnection] = []
    subjects: list[str] = []
    for one in excluded:
        if isinstance(one, str):
            subjects.append(one)
        else:
            connections.append(one)

    return connections, subjects

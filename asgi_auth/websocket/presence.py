"""Who is in which room in the other processes.

Each process reports what changes to the others, and everything when one asks. A
process that is not heard of for a while is taken for gone, with all who were there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from asgi_auth.websocket.registry import Member

__all__ = ["Elsewhere", "as_json", "member_of"]

SILENCE = 15.0
"""Seconds without a sign of life after which a process is taken for gone."""


class Elsewhere:
    """What this process knows of the others."""

    __slots__ = ("_heard_at", "_rooms")

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, dict[Member, None]]] = {}
        self._heard_at: dict[str, float] = {}

    def __len__(self) -> int:
        """Count the other processes."""
        return len(self._heard_at)

    def heard(self, process: str, now: float) -> bool:
        """Note a sign of life; say whether it is the first."""
        first = process not in self._heard_at
        self._heard_at[process] = now
        return first

    def members(self, room: str) -> list[Member]:
        """List the users who are in *room* elsewhere."""
        present = (m for rooms in self._rooms.values() for m in rooms.get(room, ()))
        return [*dict.fromkeys(present)]

    def has(self, room: str, member: Member) -> bool:
        """Say whether *member* is in *room* elsewhere."""
        return any(member in rooms.get(room, ()) for rooms in self._rooms.values())

    def join(self, process: str, room: str, member: Member) -> None:
        """Note that *member* is in *room* there."""
        self._rooms.setdefault(process, {}).setdefault(room, {})[member] = None

    def leave(self, process: str, room: str, member: Member) -> None:
        """Note that *member* has left *room* there."""
        rooms = self._rooms.get(process, {})
        if room in rooms:
            rooms[room].pop(member, None)
            if not rooms[room]:
                del rooms[room]

    def replace(
        self, process: str, rooms: Mapping[str, Iterable[Member]]
    ) -> tuple[set[tuple[str, Member]], set[tuple[str, Member]]]:
        """Take *rooms* for all that is there; return who is new and who is gone."""
        before = self._pairs(process)
        self._rooms[process] = {r: dict.fromkeys(m) for r, m in rooms.items() if m}
        after = self._pairs(process)
        return after - before, before - after

    def clear(self) -> None:
        """Know nothing any more."""
        self._rooms.clear()
        self._heard_at.clear()

    def forget(self, process: str) -> set[tuple[str, Member]]:
        """Take a process for gone; return who is gone with it."""
        leavers = self._pairs(process)
        self._rooms.pop(process, None)
        self._heard_at.pop(process, None)
        return leavers

    def silent(self, now: float) -> list[str]:
        """Name the processes that nothing was heard of for too long."""
        return [p for p, at in self._heard_at.items() if now - at > SILENCE]

    def _pairs(self, process: str) -> set[tuple[str, Member]]:
        rooms = self._rooms.get(process, {})
        return {(room, member) for room, members in rooms.items() for member in members}


def as_json(member: Member) -> list[str | None]:
    """Write a member for the way."""
    return [member.subject, member.issuer]


def member_of(value: Any) -> Member:
    """Read a member.

    Raises:
        ValueError: It is none.
        TypeError: It is none.
    """
    subject, issuer = value
    return Member(subject, issuer)

"""Between the rooms of this process and those of others.

It holds no rooms and delivers nothing itself. Without a fan-out there are no other
processes, and nothing happens here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from secrets import token_hex
from typing import Any, Protocol

from asgi_auth._logs import package_logger
from asgi_auth.websocket.envelope import Envelope, unwrap, wrap
from asgi_auth.websocket.fanout import Fanout, Reports
from asgi_auth.websocket.payload import Payload
from asgi_auth.websocket.presence import Elsewhere, as_json, member_of
from asgi_auth.websocket.registry import Member, Registry

__all__ = ["Cluster", "Deliveries"]

_logger = package_logger(__name__)

_ALL = "all"
_HEARTBEAT = 5.0


class Deliveries(Protocol):
    """What rooms do for others."""

    def deliver(self, envelope: Envelope) -> None:
        """Do what another process asks for."""
        ...

    def announce(self, event: str, room: str, member: Member) -> None:
        """Announce to the room who has come or left."""
        ...

    def report(self, *, up: bool) -> None:
        """Report that the fan-out went down, or is back."""
        ...


class Cluster:
    """Reports to other processes what happens here, and hears what happens there.

    Attributes:
        elsewhere: Who is in the rooms of the other processes.

    Args:
        fanout: The way to the others, or ``None``: there are none.
        registry: Who is here.
        rooms: Does what others ask for.
    """

    __slots__ = (
        "_fanout",
        "_heard",
        "_heartbeat",
        "_lock",
        "_name",
        "_registry",
        "_rooms",
        "_stop_reports",
        "_tasks",
        "_unsettled",
        "elsewhere",
    )

    def __init__(
        self, fanout: Fanout | None, registry: Registry, rooms: Deliveries
    ) -> None:
        self._fanout = fanout
        self._registry = registry
        self._rooms = rooms
        self._name = token_hex(8)
        self._heard: set[str] = set()
        self._unsettled: set[str] = set()
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._heartbeat: asyncio.TimerHandle | None = None
        self._stop_reports: Callable[[], None] | None = None
        self.elsewhere: Elsewhere = Elsewhere()

    @property
    def is_shared(self) -> bool:
        """Whether there are other processes."""
        return self._fanout is not None

    def publish(
        self,
        verb: str,
        payload: Payload | None = None,
        *,
        room: str | None = None,
        **facts: Any,
    ) -> None:
        """Publish to those who hear *room*, or to all."""
        if self._fanout is not None:
            channel = _ALL if room is None else f"room:{room}"
            if room is not None:
                facts["room"] = room

            self._fanout.publish(channel, wrap(self._name, verb, payload, **facts))

    def publish_presence(self, verb: str, room: str, member: Member) -> None:
        """Report to all that *member* has come or left."""
        # Not on the channel of the room: who lists its members need not be in it.
        self.publish(verb, where=room, who=as_json(member))

    async def settle(self, room: str | None = None) -> None:
        """Hear what there are connections for, and nothing else.

        Args:
            room: Whose connections have changed; ``None``: those of the process.
        """
        if self._fanout is None:
            return

        self._unsettled.add(_ALL if room is None else f"room:{room}")
        async with self._lock:
            while self._unsettled:
                await self._settle(self._fanout, self._unsettled.pop())

    def settle_later(self, rooms: frozenset[str]) -> None:
        """Do the same without waiting, for a connection that is gone."""
        if self._fanout is None:
            return

        self._unsettled.update(f"room:{room}" for room in rooms)
        if not len(self._registry):
            self._unsettled.add(_ALL)

        if self._unsettled:
            task = asyncio.get_running_loop().create_task(self._settle_rest())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Hear nothing any more."""
        if self._fanout is not None:
            self._unsettled.update(self._heard)
            await self._settle_rest()
            await self._fanout.aclose()

    async def _settle_rest(self) -> None:
        async with self._lock:
            while self._fanout is not None and self._unsettled:
                await self._settle(self._fanout, self._unsettled.pop())

    async def _settle(self, fanout: Fanout, channel: str) -> None:
        is_wanted = self._is_wanted(channel)
        if is_wanted == (channel in self._heard):
            return

        if is_wanted:
            self._heard.add(channel)
            await fanout.subscribe(channel, self._hear)
        else:
            self._heard.discard(channel)
            await fanout.unsubscribe(channel, self._hear)

        if channel == _ALL:
            self._begin(fanout) if is_wanted else self._end()

    def _is_wanted(self, channel: str) -> bool:
        if channel == _ALL:
            return len(self._registry) > 0

        return bool(self._registry.in_room(channel.removeprefix("room:")))

    def _begin(self, fanout: Fanout) -> None:
        if isinstance(fanout, Reports):
            self._stop_reports = fanout.report_to(self._note_report)

        self._introduce()
        self._beat()

    def _end(self) -> None:
        self.publish("bye")
        self.elsewhere.clear()
        if self._heartbeat is not None:
            self._heartbeat.cancel()

        if self._stop_reports is not None:
            self._stop_reports()

        self._heartbeat = self._stop_reports = None

    def _introduce(self) -> None:
        self.publish("hello")
        self._tell_all()

    def _tell_all(self) -> None:
        rooms = {
            room: [as_json(member) for member in self._registry.members(room)]
            for room in self._registry.rooms()
        }
        self.publish("here", rooms=rooms)

    def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        self._heartbeat = loop.call_later(_HEARTBEAT, self._beat)
        self.publish("alive")
        for process in self.elsewhere.silent(loop.time()):
            self._note_leaving(self.elsewhere.forget(process))

    def _note_report(self, up: bool) -> None:  # noqa: FBT001
        self._rooms.report(up=up)
        if up:
            self._introduce()

    def _hear(self, message: bytes) -> None:
        """Take a message in; one that cannot be read does no harm."""
        try:
            envelope = unwrap(message)
            if envelope.sender != self._name:
                self._take(envelope)
        except (ValueError, KeyError, TypeError) as error:
            kind = type(error).__name__
            _logger.warning("a message of another process is malformed: %s", kind)

    def _take(self, envelope: Envelope) -> None:
        sender, verb, head, _ = envelope
        first = self.elsewhere.heard(sender, asyncio.get_running_loop().time())
        if verb in {"join", "leave"}:
            self._take_presence(envelope)
        elif verb == "here":
            rooms = {r: [*map(member_of, who)] for r, who in head["rooms"].items()}
            newcomers, leavers = self._replace(sender, rooms)
            for room, member in newcomers:
                self._rooms.announce("join", room, member)

            self._note_leaving(leavers)
        elif verb == "bye":
            self._note_leaving(self.elsewhere.forget(sender))
        elif verb == "hello":
            self._tell_all()
        elif verb == "alive":
            # Who was taken for gone, for instance after a pause, reports all again.
            if first:
                self.publish("hello")
        else:
            self._rooms.deliver(envelope)

    def _replace(
        self, sender: str, rooms: dict[str, list[Member]]
    ) -> tuple[list[tuple[str, Member]], set[tuple[str, Member]]]:
        present = {
            (room, member)
            for room, members in rooms.items()
            for member in members
            if self._is_present(room, member)
        }
        newcomers, leavers = self.elsewhere.replace(sender, rooms)
        return [pair for pair in newcomers if pair not in present], leavers

    def _take_presence(self, envelope: Envelope) -> None:
        room, member = envelope.head["where"], member_of(envelope.head["who"])
        if envelope.verb == "leave":
            self.elsewhere.leave(envelope.sender, room, member)
            self._note_leaving({(room, member)})
            return

        was_present = self._is_present(room, member)
        self.elsewhere.join(envelope.sender, room, member)
        if not was_present:
            self._rooms.announce("join", room, member)

    def _note_leaving(self, leavers: set[tuple[str, Member]]) -> None:
        for room, member in leavers:
            if not self._is_present(room, member):
                self._rooms.announce("leave", room, member)

    def _is_present(self, room: str, member: Member) -> bool:
        return self._registry.has(room, member) or self.elsewhere.has(room, member)

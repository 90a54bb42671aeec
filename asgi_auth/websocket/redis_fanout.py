"""A fan-out over Redis or Valkey: pub/sub, sharded where there is a cluster.

Nothing is stored. One background task keeps the connection, comes back by itself
after an outage, and hears everything again. It needs asyncio.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from asgi_auth._drivers.per_loop import may_go_on, stop
from asgi_auth._drivers.redis import RedisClient, RedisLink, outages
from asgi_auth._logs import package_logger
from asgi_auth.errors import UnavailableError
from asgi_auth.websocket.fanout import Hear

__all__ = ["RedisFanout"]

_logger = package_logger(__name__)

_WAITING = 10_000
_BATCH = 128
# Seconds.
_PATIENCE = 1.2
_POLL = 1.0
_SILENCE = 3.5
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class RedisFanout:
    """Joins the rooms of all processes that use one server or cluster.

    One object serves one event loop.

    Args:
        target: A URL, or a client of ``redis.asyncio`` that does not decode answers.
        cluster: The URL leads to a cluster; a client finds out itself.
        prefix: What its channels begin with: another application, another prefix.

    Raises:
        MissingExtraError: redis-py is not installed.
        ConfigurationError: *target* is neither a usable URL nor such a client.
    """

    def __init__(
        self,
        target: str | RedisClient,
        *,
        cluster: bool = False,
        prefix: str = "asgi-auth:",
    ) -> None:
        self._link = RedisLink(
            target, cluster=cluster, owner="RedisFanout", kind="fanout"
        )
        self._prefix = prefix
        self._hearers: dict[str, list[Hear]] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._listeners: list[Callable[[bool], None]] = []
        self._outgoing: deque[tuple[str, bytes]] = deque(maxlen=_WAITING)
        self._something = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._session: _Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._up: bool | None = None

    def __repr__(self) -> str:
        """Say nothing of the URL, which may hold a password."""
        return f"RedisFanout(prefix={self._prefix!r})"

    async def subscribe(self, channel: str, hear: Hear) -> None:
        """Have *hear* called with each message from now on."""
        name = self._prefix + channel
        self._hearers.setdefault(name, []).append(hear)
        confirmed = self._confirmed.setdefault(name, asyncio.Event())
        self._start()
        session = self._session
        if session is not None:
            try:
                await session.subscribe([name])
            except UnavailableError as error:
                # redis-py may mend the connection, and asks for the old channels only:
                # the next session hears this one too.
                session.fail(error)

        # While the server is down no caller has to wait for it.
        if self._up is not False:
            with suppress(TimeoutError):
                await asyncio.wait_for(confirmed.wait(), _PATIENCE)

    async def unsubscribe(self, channel: str, hear: Hear) -> None:
        """Have *hear* called no more."""
        name = self._prefix + channel
        hearers = self._hearers.get(name, [])
        if hear in hearers:
            hearers.remove(hear)

        if name in self._hearers and not hearers:
            del self._hearers[name]
            self._confirmed.pop(name, None)
            if self._session is not None:
                with suppress(UnavailableError):
                    await self._session.unsubscribe(name)

    def publish(self, channel: str, message: bytes) -> None:
        """Send *message* to all who hear *channel*; while down it is lost."""
        self._start()
        if self._up is not False:
            self._outgoing.append((self._prefix + channel, message))
            self._something.set()
            self._idle.clear()

    def report_to(self, listener: Callable[[bool], None]) -> Callable[[], None]:
        """Call *listener* with whether it is up; return how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def aclose(self) -> None:
        """Send what waits, and close the connections."""
        if self._up:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _PATIENCE)

        if self._task is not None:
            await stop(self._task)

        self._task = None
        await self._link.aclose()

    def _start(self) -> None:
        if self._task is None or self._task.done():
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._keep_connected())

    async def _keep_connected(self) -> None:
        pause, loop = _FIRST_PAUSE, asyncio.get_running_loop()
        while may_go_on():
            began = loop.time()
            try:
                with outages(self._link.outage):
                    # In a task of its own: before Python 3.13, a group of which one
                    # fails may leave the task that waits for it as if cancelled.
                    await loop.create_task(self._connect())
            except* UnavailableError:
                pass
            except* Exception:
                _logger.exception("the fan-out failed")

            self._session = None
            self._note(up=False)
            self._outgoing.clear()
            self._idle.set()
            lasted = loop.time() - began
            pause = (
                _FIRST_PAUSE if lasted > _SILENCE else min(2 * pause, _LONGEST_PAUSE)
            )
            await asyncio.sleep(pause)

    async def _connect(self) -> None:
        """Serve one connection until it fails."""
        async with asyncio.timeout(_SILENCE):
            client = await self._link.client()
            if self._link.cluster:
                await client.initialize()

        pubsub = client.pubsub()
        try:
            async with asyncio.TaskGroup() as group:
                hear = self._hear
                session = _Session(pubsub, client, group, hear, self._link)
                await session.subscribe([f"{self._prefix}-", *self._hearers])
                self._session = session
                self._note(up=True)
                group.create_task(self._publish_all(client))
        finally:
            self._session = None
            with suppress(Exception):  # It is broken anyhow.
                await pubsub.aclose()

    async def _publish_all(self, client: Any) -> None:
        verb = "SPUBLISH" if self._link.cluster else "PUBLISH"
        while may_go_on():
            await self._something.wait()
            with outages(self._link.outage):
                while self._outgoing:
                    await self._publish_some(client, verb)

            self._something.clear()
            self._idle.set()

    async def _publish_some(self, client: Any, verb: str) -> None:
        if self._link.cluster:
            await client.execute_command(verb, *self._outgoing.popleft())
            return

        async with client.pipeline(transaction=False) as pipe:
            for _ in range(min(_BATCH, len(self._outgoing))):
                pipe.execute_command(verb, *self._outgoing.popleft())

            await pipe.execute()

    def _hear(self, message: dict[str, Any]) -> None:
        kind, name = message["type"], message["channel"]
        name = name.decode("utf-8") if isinstance(name, bytes) else name
        if kind in {"subscribe", "ssubscribe"}:
            confirmed = self._confirmed.get(name)
            if confirmed is not None:
                confirmed.set()
        elif kind in {"message", "smessage"}:
            data = message["data"]
            data = data.encode("utf-8") if isinstance(data, str) else data
            for hear in [*self._hearers.get(name, ())]:
                _call(hear, data)

    def _note(self, *, up: bool) -> None:
        before, self._up = self._up, up
        if before is not up and (before is not None or not up):
            for listener in [*self._listeners]:
                listener(up)

        if not up:
            for confirmed in self._confirmed.values():
                confirmed.set()  # No caller has to wait any longer.


class _Session:
    """One set of connections, with a reader for each."""

    def __init__(
        self,
        pubsub: Any,
        client: Any,
        group: asyncio.TaskGroup,
        hear: Callable[[dict[str, Any]], None],
        link: RedisLink,
    ) -> None:
        self._pubsub = pubsub
        self._client = client
        self._group = group
        self._hear = hear
        self._cluster, self._outage = link.cluster, link.outage
        self._read: set[str] = set()

    async def subscribe(self, names: list[str]) -> None:
        """Ask for channels, and read wherever they come from."""
        with outages(self._outage):
            if not self._cluster:
                await self._pubsub.subscribe(*names)
                self._start_reader("", self._pubsub.get_message, self._pubsub)
                return

            for name in names:
                await self._pubsub.ssubscribe(name)

            for name, inner in [*self._pubsub.node_pubsub_mapping.items()]:
                node = self._client.get_node(node_name=name)
                self._start_reader(name, self._from(node), inner)

    def fail(self, error: UnavailableError) -> None:
        """End it, as if it had read of an outage."""
        with suppress(UnavailableError):
            self._begin(_raise(error))

    async def unsubscribe(self, name: str) -> None:
        """Ask for a channel no more."""
        with outages(self._outage):
            if self._cluster:
                await self._pubsub.sunsubscribe(name)
            else:
                await self._pubsub.unsubscribe(name)

    def _from(self, node: Any) -> Callable[..., Any]:
        async def get(timeout: float) -> Any:  # noqa: ASYNC109  (as redis-py has it)
            return await self._pubsub.get_sharded_message(
                target_node=node, timeout=timeout
            )

        return get

    def _start_reader(self, name: str, get: Callable[..., Any], inner: Any) -> None:
        if name not in self._read:
            self._read.add(name)
            self._begin(self._read_all(name, get, inner))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._group.create_task(work)
        except RuntimeError:
            work.close()
            msg = "the connection of the fan-out is just ending"
            raise UnavailableError(msg) from None

    async def _read_all(self, name: str, get: Callable[..., Any], inner: Any) -> None:
        loop = asyncio.get_running_loop()
        heard_at = loop.time()
        while not self._cluster or name in self._pubsub.node_pubsub_mapping:
            with outages(self._outage):
                message = await get(timeout=_POLL)
                if message is None:
                    # A peer that is gone without a word would never be missed.
                    await inner.ping()

            now = loop.time()
            if message is not None:
                heard_at = now
                self._hear(message)
                await asyncio.sleep(0)
            elif now - heard_at > _SILENCE:
                msg = "the server of the fan-out is silent"
                raise UnavailableError(msg)

        self._read.discard(name)


async def _raise(error: UnavailableError) -> None:
    raise error


def _call(hear: Hear, data: bytes) -> None:
    try:
        hear(data)
    except Exception:
        _logger.exception("a message of another process could not be delivered")

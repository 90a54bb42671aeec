"""The door to redis-py: clients, deadlines, and what counts as an outage.

It knows no key and no meaning: what is stored is the business of the rooms above.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha1
from typing import Any, Final

from asgi_auth.errors import ConfigurationError, MissingExtraError, UnavailableError

try:
    import redis.asyncio
    from redis import exceptions
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True
    _BAD_URL = (ValueError, TypeError, OSError, exceptions.RedisClusterException)
    _LOST = (OSError, exceptions.ConnectionError, exceptions.TimeoutError)
    _OUTAGES = (
        *_LOST,
        exceptions.AskError,
        exceptions.ClusterError,
        exceptions.InvalidResponse,
        exceptions.OutOfMemoryError,
        exceptions.ReadOnlyError,
        exceptions.RedisClusterException,
        exceptions.TryAgainError,
    )

__all__ = ["RedisClient", "RedisLink"]

RedisClient = Any
"""A ``redis.asyncio.Redis`` or ``redis.asyncio.RedisCluster``."""

# A call takes at most DEADLINE seconds with its repetition: callers are promised 3.
_DEADLINE: Final = 2.8
_CONNECT_TIMEOUT: Final = 1.0
_ANSWER_TIMEOUT: Final = 1.2
_PAUSE: Final = 0.05
_CONCURRENT: Final = 64

_SCHEMES: Final = {"valkey": "redis", "valkeys": "rediss"}

# Inside a script, Redis 6.2 wraps the server's word in a sentence of its own.
_OUTAGE_WORD: Final = re.compile(
    r"(?:^|-)(?:BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|NOREPLICAS|OOM|READONLY"
    r"|TRYAGAIN|UNBLOCKED)\b"
)


@dataclass(slots=True)
class _Room:
    """What belongs to one event loop, and ends with it."""

    client: RedisClient
    places: asyncio.Semaphore
    waiters: list[Any] = field(default_factory=list)
    keeper: AsyncGenerator[None] | None = None


class RedisLink:
    """Reaches one server or cluster from any event loop.

    Own clients are made on first use in a loop, and closed when the loop shuts down.
    A given client is used as it is, and never closed. Needs asyncio.

    Args:
        target: A URL, or a client of ``redis.asyncio``.
        cluster: The URL leads to a cluster; a client tells by itself.
        owner: Who asks, for the sentences of errors.

    Raises:
        MissingExtraError: redis-py is not installed.
        ConfigurationError: *target* is neither a usable URL nor such a client.
    """

    def __init__(
        self,
        target: str | RedisClient,
        *,
        cluster: bool = False,
        owner: str = "RedisStore",
    ) -> None:
        if not _INSTALLED:
            msg = f'{owner} needs redis: python -m pip install "asgi-auth[redis]"'
            raise MissingExtraError(msg)

        self._rooms: dict[asyncio.AbstractEventLoop, _Room] = {}
        self._url = ""
        self._given: RedisClient | None = None
        if isinstance(target, str):
            scheme, colon, rest = target.partition(":")
            self._url = _SCHEMES.get(scheme, scheme) + colon + rest
            self.cluster = cluster
            self._check_url(owner)
            return

        self.cluster = isinstance(target, redis.asyncio.RedisCluster)
        if not self.cluster and not isinstance(target, redis.asyncio.Redis):
            msg = (
                f"{owner} takes a URL, a redis.asyncio.Redis or a "
                f"redis.asyncio.RedisCluster, not a {type(target).__name__}"
            )
            raise ConfigurationError(msg)

        self._given = target

    def __repr__(self) -> str:
        """Say nothing of the URL, which may hold a password."""
        return f"RedisLink(cluster={self.cluster}, given={self._given is not None})"

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[object],
        *,
        again: Sequence[object] | None,
    ) -> Any:
        """Run a script in one round trip; its keys must share one slot.

        Args:
            script: Its source; the server remembers it by its SHA-1.
            keys: The keys that it touches.
            args: Its arguments.
            again: Arguments for a second try, should the first answer be lost;
                ``None`` where a second try could do harm.

        Raises:
            UnavailableError: No answer within 3 seconds, or the server cannot serve.
        """
        head = (len(keys), *keys)
        with _outages():
            async with asyncio.timeout(_DEADLINE):
                try:
                    return await self._once(script, *head, *args)
                except _LOST:
                    if again is None:
                        raise

                await asyncio.sleep(_PAUSE)
                return await self._once(script, *head, *again)

    async def wait(self, key: str, entry_id: str, seconds: float) -> None:
        """Return when the stream *key* has entries after *entry_id*, or time is over.

        It waits on a connection of its own, and may return early: it is a hint.

        Raises:
            UnavailableError: The server cannot be reached.
        """
        room = await self._room()
        if not room.waiters:
            with _outages():
                connection = await self._waiter(room, key)
                await _read_stream(connection, key, entry_id, seconds)
        else:
            connection = room.waiters.pop()
            # It may have ended long ago; if the server is down, the caller's next
            # question says so.
            with suppress(UnavailableError), _outages():
                await _read_stream(connection, key, entry_id, seconds)

        if self._rooms.get(asyncio.get_running_loop()) is not room:
            await connection.disconnect(nowait=True)
        elif connection.is_connected:
            room.waiters.append(connection)

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later call opens new ones."""
        room = self._rooms.get(asyncio.get_running_loop())
        if room is not None and room.keeper is not None:
            await room.keeper.aclose()

    async def _once(self, script: str, *args: object) -> Any:
        room = await self._room()
        client = room.client
        async with room.places:
            if self.cluster:
                # Without the map of slots the first node picked is mostly wrong.
                await client.initialize()

            try:
                return await client.execute_command("EVALSHA", _sha1(script), *args)
            except exceptions.NoScriptError:
                return await client.execute_command("EVAL", script, *args)

    async def _waiter(self, room: _Room, key: str) -> Any:
        """Make a connection outside the pool, to the node that has *key*."""
        if not self.cluster:
            return room.client.connection_pool.make_connection()

        async with asyncio.timeout(_DEADLINE):
            await room.client.initialize()

        node = room.client.get_node_from_key(key)
        retry = Retry(NoBackoff(), 0)
        return node.connection_class(**{**node.connection_kwargs, "retry": retry})

    async def _room(self) -> _Room:
        loop = asyncio.get_running_loop()
        room = self._rooms.get(loop)
        if room is not None:
            return room

        for other in [other for other in self._rooms if other.is_closed()]:
            del self._rooms[other]

        client = self._given if self._given is not None else self._client()
        room = self._rooms[loop] = _Room(client, asyncio.Semaphore(self._places()))
        room.keeper = self._keep(loop, room)
        await anext(room.keeper)
        return room

    async def _keep(
        self, loop: asyncio.AbstractEventLoop, room: _Room
    ) -> AsyncGenerator[None]:
        """Close what belongs to a loop when it shuts its generators down.

        That is the one moment that every way of running a loop passes through, and
        connections that outlive their loop can no longer be closed.
        """
        try:
            yield
        finally:
            self._rooms.pop(loop, None)
            for connection in room.waiters:
                await connection.disconnect(nowait=True)

            if self._given is None:
                await room.client.aclose()

    def _client(self) -> RedisClient:
        kind = redis.asyncio.RedisCluster if self.cluster else redis.asyncio.Redis
        # RESP2 needs no handshake. Repetition is ours: see run().
        return kind.from_url(
            self._url,
            protocol=2,
            socket_timeout=_ANSWER_TIMEOUT,
            socket_connect_timeout=_CONNECT_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )

    def _places(self) -> int:
        """Queue callers where redis-py would refuse them, its pool being empty."""
        if self._given is None:
            most = redis.asyncio.connection.parse_url(self._url).get("max_connections")
        else:
            pool = getattr(self._given, "connection_pool", None)
            most = getattr(pool, "max_connections", None)

        return most if isinstance(most, int) else _CONCURRENT

    def _check_url(self, owner: str) -> None:
        valid = False
        with suppress(*_BAD_URL):
            client = self._client()
            if not self.cluster:
                client.connection_pool.make_connection()
            valid = True

        # Raised out here, because what redis-py says may quote the password.
        if not valid:
            msg = (
                f"the URL given to {owner} is not valid: write "
                "redis://[user:password@]host[:port][/db], rediss:// for TLS, or "
                "unix:///path; a cluster has neither a db nor a path"
            )
            raise ConfigurationError(msg)


@cache
def _sha1(script: str) -> str:
    # The name under which EVALSHA finds a script; no secret hangs on it.
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def _is_outage(error: Exception) -> bool:
    if isinstance(error, _OUTAGES):
        return True

    word = _OUTAGE_WORD.search(str(error))
    return isinstance(error, exceptions.ResponseError) and word is not None


@contextmanager
def _outages() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if not _is_outage(error):
            raise

        msg = f"Redis did not answer: {type(error).__name__}"
        raise UnavailableError(msg) from error


async def _read_stream(
    connection: Any, key: str, entry_id: str, seconds: float
) -> None:
    """Block until the stream has something new; a failed connection is closed."""
    block = ("BLOCK", max(1, round(seconds * 1000)))
    try:
        async with asyncio.timeout(seconds + _ANSWER_TIMEOUT):
            await connection.send_command("XREAD", *block, "STREAMS", key, entry_id)
            await connection.read_response(timeout=seconds + _DEADLINE)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise

"""The door to redis-py: clients, deadlines, and what counts as an outage.

It knows no key and no meaning: what is stored is the business of the packages above.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha1
from typing import Any, Final

from asgi_auth._drivers.calls import observed
from asgi_auth._drivers.gate import Gate
from asgi_auth._drivers.outages import Outage, OutageKind
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._drivers.redis_connections import leave_replica, read_stream
from asgi_auth._drivers.redis_faults import (
    WRITE_ERRORS,
    as_redis_url,
    check_redis_url,
    is_spoken_outage,
    place_of,
    redis_cause,
    was_closed,
    was_lost,
)
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
    _LOST = (OSError, exceptions.ConnectionError, exceptions.TimeoutError)
    _OUTAGES = (
        *_LOST,
        exceptions.AskError,
        exceptions.ClusterError,
        exceptions.InvalidResponse,
        exceptions.OutOfMemoryError,
        exceptions.NoPermissionError,
        exceptions.ReadOnlyError,
        exceptions.RedisClusterException,
        exceptions.TryAgainError,
    )

__all__ = ["RedisClient", "RedisLink", "outages"]

RedisClient = Any
"""A ``redis.asyncio.Redis`` or ``redis.asyncio.RedisCluster``."""

# Seconds. A call with its repetition keeps the deadline; callers are promised 3.
_DEADLINE: Final = 2.8
_CONNECT_TIMEOUT: Final = 1.0
_ANSWER_TIMEOUT: Final = 1.2
_PAUSE: Final = 0.05
# A server does one thing at a time: more connections than these only wait there.
_CONCURRENT: Final = 32
_DEAD_AT_MOST: Final = 8


@dataclass(slots=True)
class _LoopState:
    """What belongs to one event loop, and ends with it."""

    client: RedisClient
    gate: Gate
    waiters: list[Any] = field(default_factory=list)
    calls: set[asyncio.Task[Any]] = field(default_factory=set)
    is_closed: bool = False

    def forget(self, call: asyncio.Task[Any]) -> None:
        """Give back the place of a call that is done."""
        self.calls.discard(call)
        self.gate.leave()
        if not call.cancelled():
            call.exception()  # Read, or asyncio warns of an abandoned one.


class RedisLink:
    """Reaches one server or cluster from any event loop.

    Own clients are made on first use in a loop, and closed when the loop shuts down.
    A given client is used as it is, and never closed. Needs asyncio.

    Args:
        target: A URL, or a client of ``redis.asyncio``.
        cluster: The URL leads to a cluster; a client says so itself.
        owner: Who asks, for the sentences of errors.
        kind: What its outages are outages of.

    Raises:
        MissingExtraError: redis-py is not installed.
        ConfigurationError: *target* is neither a usable URL nor such a client.
    """

    def __init__(
        self,
        target: str | RedisClient,
        *,
        cluster: bool = False,
        owner: str,
        kind: OutageKind = "store",
    ) -> None:
        if not _INSTALLED:
            msg = f'{owner} needs redis: python -m pip install "asgi-auth[redis]"'
            raise MissingExtraError(msg)

        self._rooms = PerLoop(self._open, self._close)
        self._url = ""
        self._foreign: RedisClient | None = None
        if isinstance(target, str):
            self._url = as_redis_url(target)
            self.cluster = cluster
            self.outage = Outage(kind, self._check_url(owner))
            return

        self.cluster = isinstance(target, redis.asyncio.RedisCluster)
        if not self.cluster and not isinstance(target, redis.asyncio.Redis):
            type_name = type(target).__name__
            msg = f"{owner} takes a URL or a client of redis.asyncio, not a {type_name}"
            raise ConfigurationError(msg)

        self._foreign = target
        self.outage = Outage(kind, place_of(target))

    def __repr__(self) -> str:
        """Say nothing of the URL, which may hold a password."""
        return f"RedisLink(cluster={self.cluster}, given={self._foreign is not None})"

    async def run(
        self,
        script: str,
        keys: Sequence[str],
        args: Sequence[object],
        *,
        again: Sequence[object] | None,
        urgent: bool = False,
    ) -> Any:
        """Run a script in one round trip; its keys must share one slot.

        If the answer is lost it runs once more with *again* for its arguments, unless
        that is ``None`` because a second run could do harm. An *urgent* one goes
        before all that wait for a connection.

        Raises:
            UnavailableError: No answer within 3 seconds, the server cannot serve, or
                too many wait.
        """
        head = (len(keys), *keys)
        first = (script, *head, *args)
        second = None if again is None else (script, *head, *again)
        state, loop = self._rooms.here(), asyncio.get_running_loop()
        until = loop.time() + _DEADLINE
        await state.gate.enter(urgent=urgent)
        # A call that is cut off on its way costs its connection: it goes on alone, and
        # keeps its place.
        call = loop.create_task(self._call(state, first, second, until))
        state.calls.add(call)
        call.add_done_callback(state.forget)
        with observed("redis", "EVALSHA", self.outage.place), outages(self.outage):
            return await asyncio.shield(call)

    async def wait(self, key: str, entry_id: str, seconds: float) -> None:
        """Return when a stream has entries after *entry_id*, or early: it is a hint.

        It waits on a connection of its own, which no other call needs.

        Raises:
            UnavailableError: The server cannot be reached.
        """
        state = self._rooms.here()
        fresh = not state.waiters
        with outages(self.outage):
            connection = (
                await self._waiter(state, key) if fresh else state.waiters.pop()
            )
            try:
                await read_stream(
                    connection, key, entry_id, wait=seconds, patience=_ANSWER_TIMEOUT
                )
            except exceptions.AskError:
                # The stream has moved: the caller's next question finds it.
                await asyncio.sleep(_PAUSE)
            except _LOST as error:
                # An old connection may have ended long ago, but not fallen silent.
                if fresh or isinstance(error, (TimeoutError, exceptions.TimeoutError)):
                    raise
            except WRITE_ERRORS as error:
                if not was_lost(error):
                    raise

        if state.is_closed:
            await connection.disconnect(nowait=True)
        elif connection.is_connected:
            state.waiters.append(connection)

    async def client(self) -> RedisClient:
        """Return the running loop's client, for use within :func:`outages`."""
        return self._rooms.here().client

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later call opens new ones."""
        await self._rooms.aclose()

    async def _call(
        self,
        state: _LoopState,
        first: Sequence[Any],
        second: Sequence[Any] | None,
        until: float,
    ) -> Any:
        async with asyncio.timeout_at(until):
            try:
                return await self._once(state, *first)
            except _LOST:
                if second is None:
                    raise
            except exceptions.ResponseError as error:
                await leave_replica(state.client, error)
                raise

            await asyncio.sleep(_PAUSE)
            return await self._once(state, *second)

    async def _once(self, state: _LoopState, script: str, *args: object) -> Any:
        for _ in range(_DEAD_AT_MOST):
            try:
                return await self._evaluate(state.client, script, *args)
            except WRITE_ERRORS as error:
                # Nothing was sent, and the next connection may be better.
                if not was_lost(error):
                    raise

        raise ConnectionResetError

    async def _evaluate(self, client: RedisClient, script: str, *args: object) -> Any:
        if self.cluster:
            # Without the map of slots the first node picked is mostly wrong.
            await client.initialize()

        try:
            return await client.execute_command("EVALSHA", _sha1(script), *args)
        except exceptions.NoScriptError:
            return await client.execute_command("EVAL", script, *args)

    async def _waiter(self, state: _LoopState, key: str) -> Any:
        """Make a connection outside the pool, to the node that has *key*."""
        if not self.cluster:
            return state.client.connection_pool.make_connection()

        async with asyncio.timeout(_DEADLINE):
            await state.client.initialize()

        node = state.client.get_node_from_key(key)
        retry = Retry(NoBackoff(), 0)
        return node.connection_class(**{**node.connection_kwargs, "retry": retry})

    def _open(self) -> _LoopState:
        client = self._client() if self._foreign is None else self._foreign
        # Callers queue for a pool that would refuse them when it is empty.
        pool = getattr(client, "connection_pool", None)
        places = getattr(pool, "max_connections", _CONCURRENT)
        return _LoopState(client, Gate(min(places, _CONCURRENT), "Redis"))

    async def _close(self, state: _LoopState) -> None:
        state.is_closed = True
        for connection in state.waiters:
            await connection.disconnect(nowait=True)

        # What its caller has left alone.
        if state.calls:
            await asyncio.wait([*state.calls], timeout=_DEADLINE)

        if self._foreign is None:
            await state.client.aclose()

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

    def _check_url(self, owner: str) -> str:
        """Return where the server is, or refuse a URL that leads nowhere."""
        with suppress(ValueError, TypeError, OSError, exceptions.RedisClusterException):
            check_redis_url(self._url)
            client = self._client()
            if not self.cluster:
                client.connection_pool.make_connection()

            return place_of(client)

        # Out here: what redis-py says may quote the password.
        msg = (
            f"the URL given to {owner} is not valid: write redis://[user:password@]"
            "host[:port][/number], rediss:// for TLS, or unix:///path; a cluster has "
            "neither a number nor a path"
        )
        raise ConfigurationError(msg)


@cache
def _sha1(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


@contextmanager
def outages(outage: Outage) -> Iterator[None]:
    """Raise outages as :class:`~asgi_auth.errors.UnavailableError`, and note them."""
    try:
        yield
    except Exception as error:
        if not _is_outage(error):
            raise

        cause = redis_cause(error)
        outage.down(cause)
        msg = f"{outage.place} did not answer: {cause}"
        raise UnavailableError(msg) from error
    else:
        outage.up()


def _is_outage(error: Exception) -> bool:
    if isinstance(error, _OUTAGES) or was_closed(error):
        return True

    is_spoken = isinstance(error, exceptions.ResponseError)
    return is_spoken and is_spoken_outage(str(error))

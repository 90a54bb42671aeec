"""The door to limits: counters that start anew after a while.

It knows no rule: what is counted, and how much is too much, is for the package above.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from importlib.util import find_spec
from typing import Any, Final

from asgi_auth._drivers.outages import Outage
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._drivers.redis_faults import check_redis_url, redis_cause
from asgi_auth._drivers.urls import place_in
from asgi_auth.errors import ConfigurationError, MissingExtraError, UnavailableError

try:
    from limits.aio.storage import MemoryStorage, RedisClusterStorage, RedisStorage
    from limits.errors import ConfigurationError as LimitsError
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["Counters"]

# Seconds. Callers are promised an answer within 3.
_DEADLINE: Final = 2.8
_CONNECT_TIMEOUT: Final = 1.0
_ANSWER_TIMEOUT: Final = 1.2

_SCHEMES: Final = {
    "redis": "async+redis",
    "rediss": "async+rediss",
    "unix": "async+redis+unix",
    "valkey": "async+redis",
    "valkeys": "async+rediss",
}

_PORT: Final = re.compile(r":\d*$")

_SPARE: Final = 1024


class Counters:
    """Counts under keys; each count ends with its window.

    In memory, each event loop counts for itself. Needs asyncio.

    Args:
        url: ``memory://``, or ``redis://...`` as redis-py takes it.
        owner: Who asks, for the sentences of errors.
        max_keys: Keys in memory at one time. What comes beyond shares counters with
            keys that begin alike, up to a slash, so that a flood neither takes memory
            nor makes anything be forgotten.
        prefix: What all keys on a server begin with.
        cluster: The URL leads to a Redis or Valkey cluster.

    Raises:
        MissingExtraError: limits or redis-py is not installed.
        ConfigurationError: The URL is of another kind.
    """

    def __init__(
        self, url: str, *, owner: str, max_keys: int, prefix: str, cluster: bool
    ) -> None:
        if not _INSTALLED:
            msg = f'{owner} needs limits: python -m pip install "asgi-auth[ratelimit]"'
            raise MissingExtraError(msg)

        self.in_memory = url == "memory://"
        self._max_keys = max_keys
        self._secret = secrets.token_bytes(16)
        self._make = _maker(url, prefix, cluster=cluster, owner=owner)
        self._rooms: PerLoop[Any] = PerLoop(self._make, _close)
        self._outage = Outage("limits", f"the counters at {place_in(url)}")

    async def add(self, key: str, seconds: int, amount: int = 1) -> int:
        """Add to a counter in one atomic step, and return what it is at then.

        Args:
            key: Of the counter.
            seconds: How long it lives from its first use on.
            amount: Negative to take back.

        Raises:
            UnavailableError: The server does not answer.
        """
        storage = await self._rooms.get()
        with self._outages():
            async with asyncio.timeout(_DEADLINE):
                return int(
                    await storage.incr(self._counter_of(storage, key), seconds, amount)
                )

    async def wait(self, key: str) -> float:
        """Return the seconds until a counter starts anew.

        Raises:
            UnavailableError: The server does not answer.
        """
        storage = await self._rooms.get()
        with self._outages():
            async with asyncio.timeout(_DEADLINE):
                ends = await storage.get_expiry(self._counter_of(storage, key))
                return max(0.0, float(ends) - time.time())

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        await self._rooms.aclose()

    def _counter_of(self, storage: Any, key: str) -> str:
        """Return the key, or the one of a shared counter where memory is full."""
        if not self.in_memory:
            return key

        counters = storage.storage
        if key in counters or len(counters) < self._max_keys:
            return key

        # Keyed: no client can choose whom to share a counter with.
        digest = blake2b(key.encode(), key=self._secret, digest_size=4).digest()
        rule, _, _ = key.partition("/")
        return f"{rule}/spare/{int.from_bytes(digest) % _SPARE}"

    @contextmanager
    def _outages(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            # A lost connection has many names, with uvloop even TypeError.
            if self.in_memory:
                raise

            cause = redis_cause(error)
            self._outage.down(cause)
            msg = f"{self._outage.place} cannot be reached: {cause}"
            raise UnavailableError(msg) from error
        else:
            self._outage.up()


def _maker(url: str, prefix: str, *, cluster: bool, owner: str) -> Callable[[], Any]:
    if url == "memory://":
        return MemoryStorage

    scheme, separator, rest = url.partition("://")
    limits_scheme = _SCHEMES.get(scheme)
    if limits_scheme is None or not separator:
        msg = f"{owner} counts in memory:// or at a redis:// URL, not at another one."
        raise ConfigurationError(msg)

    kind = RedisClusterStorage if cluster else RedisStorage
    if not cluster and scheme != "unix":
        rest = _with_port(rest)

    target = f"{'async+redis+cluster' if cluster else limits_scheme}://{rest}"

    def make() -> Any:
        # limits would otherwise look for another client than redis-py.
        return kind(
            target,
            implementation="redispy",
            key_prefix=prefix,
            socket_timeout=_ANSWER_TIMEOUT,
            socket_connect_timeout=_CONNECT_TIMEOUT,
        )

    _check(make, url, owner)
    return make


def _with_port(rest: str) -> str:
    """Add the port that redis-py takes where none is named, and limits demands."""
    netloc, slash, path = rest.partition("/")
    host = netloc.rpartition("@")[2]
    if not host or _PORT.search(host):
        return rest

    return f"{netloc}:6379{slash}{path}"


def _check(make: Callable[[], Any], url: str, owner: str) -> None:
    try:
        check_redis_url(url)
        make()
    except LimitsError:
        missing = find_spec("redis") is None
    except (ValueError, TypeError):
        missing = False
    else:
        return

    # Raised out here, because what redis-py says may quote the password.
    if missing:
        msg = f'{owner} needs redis: python -m pip install "asgi-auth[redis]"'
        raise MissingExtraError(msg)

    msg = f"the URL given to {owner} is not valid: write redis://host[:port][/number]."
    raise ConfigurationError(msg)


async def _close(storage: Any) -> None:
    bridge = getattr(storage, "bridge", None)
    if bridge is not None:
        await bridge.storage.aclose()
    elif storage.timer is not None:
        storage.timer.cancel()

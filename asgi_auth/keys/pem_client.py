"""Gets the public keys of an issuer that has one PEM text at a URL for each ``kid``.

So do the load balancers of AWS. It reads no URL from a token, only the name of a key,
and of that nothing but letters, digits, ``-`` and ``_``. It needs asyncio.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Sequence

from asgi_auth._bucket import TokenBucket
from asgi_auth._drivers.http import Remote
from asgi_auth._drivers.outages import Outage
from asgi_auth._drivers.per_loop import PerLoop, stop
from asgi_auth._drivers.transport import Transport
from asgi_auth._drivers.urls import place_in
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.keys._jwks import ASYMMETRIC, read_pem
from asgi_auth.keys._unknown import unknown_keys
from asgi_auth.keys.key import Key
from asgi_auth.keys.keyset import KeySet

__all__ = ["PEMClient"]

_logger = package_logger(__name__)

_KID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_BURST = 5
_MOST_KEYS = 20
_MAX_BYTES = 16 * 1024
_OK = 200
_UNKNOWN = {403, 404}  # A bucket that may not be listed says 403 for what is missing.


class PEMClient:
    """The keys at one URL each, fetched when a token first names them.

    A key is asked for again once it is older than *ttl*; at most 20 are kept.

    Args:
        url: Where a key is, with ``{kid}`` in its path: https, or http to the loopback
            interface.
        algorithms: The accepted ones, of which each key gets the first that fits.
        transport: How they are asked for.
        ttl: Seconds that a key is used.
        cooldown: Five keys may be asked for in a row, and then one in so many seconds.
        clock: Returns seconds that only go forward.

    Raises:
        ConfigurationError: The URL is unsafe or has no place for the ``kid``.
        MissingExtraError: httpx2 is needed, and not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        algorithms: Sequence[str] = ("ES256",),
        transport: Transport = Transport(),
        ttl: float = 86_400,
        cooldown: float = 5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        transport.check_url(url.replace("{kid}", "kid"), "url")
        if "{kid}" not in url.partition("://")[2].partition("/")[2]:
            msg = "url must have {kid} in its path."
            raise ConfigurationError(msg)

        if not algorithms or not set(algorithms) <= set(ASYMMETRIC):
            msg = f"algorithms must be some of {', '.join(ASYMMETRIC)}."
            raise ConfigurationError(msg)

        if ttl <= 0 or cooldown <= 0:
            msg = "ttl and cooldown must be above 0."
            raise ConfigurationError(msg)

        self._url = url
        self._algorithms = tuple(algorithms)
        self._remote = Remote("PEMClient", transport, max_bytes=_MAX_BYTES)
        self._ttl = ttl
        self._clock = clock
        self._bucket = TokenBucket(_BURST, cooldown, clock=clock)
        self._flights = PerLoop[dict[str, asyncio.Task[None]]](dict, _stop_all)
        self._keys = unknown_keys()
        (self._placeholder,) = self._keys
        self._by_kid: dict[str, tuple[Key, float]] = {}
        self._outage = Outage("jwks", f"the keys at {place_in(url)}")

    async def ready(self) -> KeySet:
        """Return the keys that are known; the set is always the same object."""
        now = self._clock()
        old = [kid for kid, (_, until) in self._by_kid.items() if until <= now]
        for kid in old:
            del self._by_kid[kid]

        if old:
            self._publish()

        return self._keys

    def is_fresh(self) -> bool:
        """Say whether the keys can be used without a look at their age."""
        now = self._clock()
        return all(now < until for _, until in self._by_kid.values())

    async def seek(self, kid: str | None, algorithm: str) -> None:
        """Ask for the key that a token names.

        Args:
            kid: Its name; what could not be one is not asked for.
            algorithm: What the token says it is for.

        Raises:
            UnavailableError: It cannot be known whether there is such a key.
        """
        if kid is None or _KID.fullmatch(kid) is None:
            return

        if algorithm not in self._algorithms or kid in self._by_kid:
            return

        flights = await self._flights.get()
        task = flights.get(kid)
        if task is None:
            if not self._bucket.take():
                msg = "too many keys are asked for"
                raise UnavailableError(msg, retry_after=self._bucket.wait())

            task = asyncio.get_running_loop().create_task(self._fetch(kid))
            flights[kid] = task
            task.add_done_callback(lambda flight: _land(flights, kid, flight))

        # Who is cancelled leaves alone: others wait for the same answer.
        await asyncio.shield(task)

    async def aclose(self) -> None:
        """Stop asking in the running loop."""
        await self._flights.aclose()

    def __repr__(self) -> str:
        return f"PEMClient({self._url!r})"

    async def _fetch(self, kid: str) -> None:
        asked_at = self._clock()
        url = self._url.replace("{kid}", kid)
        try:
            answer = await self._remote.send(url, {}, None)
        except UnavailableError as error:
            self._outage.down(str(error))
            raise

        if answer.status in _UNKNOWN:
            self._outage.up()
            return

        if answer.status != _OK:
            self._outage.down(f"the server answered {answer.status}")
            msg = f"{self._outage.place} cannot be had: {answer.status}"
            raise UnavailableError(msg)

        self._outage.up()
        try:
            key = read_pem(answer.body.decode("ascii"), kid, self._algorithms)
        except (ConfigurationError, UnicodeDecodeError) as error:
            _logger.warning("a key of %s is not used: %s", self._outage.place, error)
            return

        while len(self._by_kid) >= _MOST_KEYS:
            del self._by_kid[next(iter(self._by_kid))]

        self._by_kid[kid] = (key, asked_at + self._ttl)
        self._publish()

    def _publish(self) -> None:
        keys = [key for key, _ in self._by_kid.values()]
        self._keys.replace(keys or [self._placeholder])


def _land(
    flights: dict[str, asyncio.Task[None]], kid: str, flight: asyncio.Task[None]
) -> None:
    flights.pop(kid, None)
    if not flight.cancelled():
        flight.exception()  # Read, or asyncio warns where no caller waited.


async def _stop_all(flights: dict[str, asyncio.Task[None]]) -> None:
    for task in [*flights.values()]:
        await stop(task)

"""Keeps the public keys of another issuer at hand (RFC 7517, section 5).

It asks seldom, never twice at once, and goes on with the last good answer. It reads
no key from a token, follows no URL that a token names, and never guesses which key is
meant. It needs asyncio.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Mapping,
    Sequence,
)
from typing import Any, NamedTuple

from asgi_auth._bucket import TokenBucket
from asgi_auth._drivers.calls import observed
from asgi_auth._drivers.http import Remote
from asgi_auth._drivers.outages import Outage
from asgi_auth._drivers.per_loop import PerLoop, stop
from asgi_auth._drivers.transport import Transport
from asgi_auth._drivers.urls import place_in
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError, UnavailableError
from asgi_auth.keys._jwks import ASYMMETRIC, read_jwks
from asgi_auth.keys.keyset import KeySet

__all__ = ["ASYMMETRIC", "JWKSClient", "JWKSStats", "Locate"]

Locate = Callable[[], Awaitable[str]]
"""Finds the URL of a JWK set, or raises ``UnavailableError``."""

_logger = package_logger(__name__)

_BURST = 2
_MAX_BYTES = 256 * 1024
_SHORTEST_TTL = 60.0
_LONGEST_TTL = 3600.0
_NEVER = float("-inf")
_NUMBER = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_UNCACHED = re.compile(r"(?:^|,)\s*no-(?:store|cache)\b", re.IGNORECASE)


class JWKSStats(NamedTuple):
    """How the client does, for metrics.

    Attributes:
        fetches: Requests that were made.
        failures: Those of them that brought no keys.
        keys: Keys at hand.
        skipped: Keys of the last answer that could not be used.
        age: Seconds since the last good answer, or ``None`` before the first.
    """

    fetches: int
    failures: int
    keys: int
    skipped: int
    age: float | None


class JWKSClient:
    """The keys at one URL, kept up to date without making callers wait.

    Args:
        url: Where the set is: https, or http to the loopback interface; or a callable
            that finds it out, asked again after a failure.
        algorithms: The accepted ones, the first that fits for keys without ``alg``.
        issuers: Keys that name another ``issuer`` are left out; empty: none is.
        transport: How it is asked for.
        ttl: Seconds after which the set is asked for anew, in the background, where
            the answer says nothing else; its ``Cache-Control`` counts from 1 minute
            to 1 hour.
        stale_for: Seconds that the last good answer is used during an outage.
        cooldown: An unknown ``kid`` has the set fetched at once, twice in a row at
            most, and then once in so many seconds, failures included.
        max_keys: Most keys in an answer, at most 100.
        clock: Returns seconds that only go forward.
        jitter: Returns 0 to 1, so that processes do not ask in step.

    Raises:
        ConfigurationError: The URL is unsafe, or a bound is out of bounds.
        MissingExtraError: httpx2 is needed, and not installed.
    """

    def __init__(
        self,
        url: str | Locate,
        *,
        algorithms: Sequence[str] = ASYMMETRIC,
        issuers: Collection[str] = (),
        transport: Transport = Transport(),
        ttl: float = 600,
        stale_for: float = 86400,
        cooldown: float = 30,
        max_keys: int = 100,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._check(algorithms, ttl, stale_for, cooldown, max_keys)
        self._locate = None if isinstance(url, str) else url
        self._transport = transport
        self._url = transport.check_url(url, "url") if isinstance(url, str) else None
        self._remote = Remote("JWKSClient", transport, max_bytes=_MAX_BYTES)
        self._algorithms = tuple(algorithms)
        self._issuers = tuple(issuers)
        self._ttl, self._stale_for, self._cooldown = ttl, stale_for, cooldown
        self._max_keys = max_keys
        self._clock = clock
        self._jitter = jitter
        self._bucket = TokenBucket(_BURST, cooldown, clock=clock)
        self._flights = PerLoop(_Flight, _Flight.aclose)
        self._keys: KeySet | None = None
        self._fetched_at = self._usable_until = self._fresh_until = _NEVER
        self._not_before = _NEVER
        self._failing = 0
        self._fetches = self._failures = 0
        self._skipped: tuple[str, ...] = ()
        place = place_in(url) if isinstance(url, str) else " or ".join(self._issuers)
        self.outage: Outage = Outage("jwks", f"the key set of {place or 'an issuer'}")

    async def ready(self) -> KeySet:
        """Return the keys; wait for them only where there are none of use.

        The set is always the same object: what it holds is replaced.

        Raises:
            UnavailableError: There are none, or they are too old.
        """
        now = self._clock()
        if self._keys is not None and now < self._fresh_until:
            return self._keys

        flight = await self._flights.get()
        if self._keys is not None and now < self._usable_until:
            # After a failure, _fresh_until is the end of the pause.
            if flight.task is None:
                self._start(flight)

            return self._keys

        if flight.task is None and now < self._not_before:
            raise self._outage(self._not_before - now)

        await self._join(flight)
        if self._keys is None:  # pragma: no cover - a flight brings keys or raises
            raise self._outage(1)

        return self._keys

    def is_fresh(self) -> bool:
        """Say whether the keys can be used without a look at their age."""
        return self._clock() < self._fresh_until

    async def seek(self, kid: str | None, algorithm: str) -> None:
        """Ask for the set, because a token names a key that it lacks.

        Returns without asking where that was done too often, and went well.

        Raises:
            UnavailableError: It cannot be known whether there is such a key.
        """
        flight = await self._flights.get()
        if flight.task is not None:
            # It may have begun before the key was published: good news only.
            await self._join(flight)
            if self._keys is not None and self._keys.find(kid, algorithm) is not None:
                return

        if flight.task is not None or self._bucket.take():
            await self._join(flight)
        elif self._failing:
            raise self._outage(self._bucket.wait())

    def stats(self) -> JWKSStats:
        """Return the counters, and what there is at the moment."""
        has_keys = self._keys is not None
        return JWKSStats(
            self._fetches,
            self._failures,
            0 if self._keys is None else len(self._keys),
            len(self._skipped),
            self._clock() - self._fetched_at if has_keys else None,
        )

    async def aclose(self) -> None:
        """Stop asking in the running loop."""
        await self._flights.aclose()

    def __repr__(self) -> str:
        return f"JWKSClient({self._url!r})"

    async def _join(self, flight: _Flight) -> None:
        """Wait for the request that is under way, or begin one; one for all."""
        task = flight.task or self._start(flight)
        # Who is cancelled leaves alone: others wait for the same answer.
        await asyncio.shield(task)

    def _start(self, flight: _Flight) -> asyncio.Task[None]:
        return flight.begin(self._renew())

    async def _renew(self) -> None:
        self._fetches += 1
        try:
            with observed("http", "GET", self.outage.place):
                await self._fetch()
        except (UnavailableError, ConfigurationError) as error:
            self._failures += 1
            self._failing += 1
            now = self._clock()
            self._not_before = now + self._pause()
            self._fresh_until = min(self._not_before, self._usable_until)
            self.outage.down(f"the keys cannot be had: {error}")
            if self._locate is not None:
                self._url = None

            raise self._outage(self._not_before - now) from error

    async def _fetch(self) -> None:
        asked_at = self._clock()
        url = self._url or await self._find_url()
        answer = await self._remote.get(url)
        # Up to 100 keys are read: in a thread, no request waits for that.
        public_keys = await asyncio.to_thread(
            read_jwks,
            answer.body,
            algorithms=self._algorithms,
            issuers=self._issuers,
            max_keys=self._max_keys,
        )
        if self._keys is None:
            self._keys = KeySet(public_keys.keys)
        elif {*self._keys} != {*public_keys.keys}:
            # Only then, because what is cached of verified tokens goes with it.
            self._keys.replace(public_keys.keys)

        self._note_skipped(public_keys.skipped)
        lifetime = _lifetime(answer.headers, self._ttl) * (1 - self._jitter() / 10)
        self._fetched_at = asked_at
        self._usable_until = asked_at + self._stale_for
        self._fresh_until = min(asked_at + lifetime, self._usable_until)
        self._not_before = _NEVER
        self._failing = 0
        self.outage.up()

    async def _find_url(self) -> str:
        if self._locate is None:  # pragma: no cover - one of them is always there
            msg = "there is no URL"
            raise UnavailableError(msg)

        self._url = self._transport.check_url(await self._locate(), "jwks_uri")
        return self._url

    def _pause(self) -> float:
        """Return the seconds until the next attempt that no caller asks for."""
        longest = min(self._cooldown, 2.0 ** min(self._failing - 1, 16))
        return float(longest * (1 - self._jitter() / 2))

    def _outage(self, seconds: float) -> UnavailableError:
        msg = f"{self.outage.place} cannot be had"
        return UnavailableError(msg, retry_after=seconds)

    def _note_skipped(self, skipped: tuple[str, ...]) -> None:
        for reason in set(skipped) - set(self._skipped):
            place = self.outage.place
            _logger.warning("a key in %s is not used: %s", place, reason)

        self._skipped = skipped

    @staticmethod
    def _check(
        algorithms: Sequence[str],
        ttl: float,
        stale_for: float,
        cooldown: float,
        max_keys: int,
    ) -> None:
        if not algorithms or not set(algorithms) <= set(ASYMMETRIC):
            msg = f"algorithms must be some of {', '.join(ASYMMETRIC)}."
            raise ConfigurationError(msg)

        if not (0 < ttl <= stale_for and cooldown > 0 and 1 <= max_keys <= 100):  # noqa: PLR2004
            msg = (
                "0 < ttl <= stale_for, 0 < cooldown and 1 <= max_keys <= 100 must hold."
            )
            raise ConfigurationError(msg)


class _Flight:
    """The one request that may be under way in one event loop."""

    __slots__ = ("task",)

    def __init__(self) -> None:
        self.task: asyncio.Task[None] | None = None

    def begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self.task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._land)
        return task

    def _land(self, task: asyncio.Task[None]) -> None:
        self.task = None
        if not task.cancelled():
            task.exception()  # Read, or asyncio warns where no caller waited.

    async def aclose(self) -> None:
        if self.task is not None:
            await stop(self.task)


def _lifetime(headers: Mapping[str, str], ttl: float) -> float:
    """Return the seconds that an answer is fresh (RFC 9111, sections 4.2 and 5.2.2)."""
    control = headers.get("cache-control", "")
    if _UNCACHED.search(control) is not None:
        return min(ttl, _SHORTEST_TTL)

    match = _NUMBER.search(control)
    if match is None:
        return ttl

    age = headers.get("age", "0")
    seconds = float(match[1]) - (float(age) if age.isdecimal() else 0.0)
    return min(max(seconds, _SHORTEST_TTL), max(ttl, _LONGEST_TTL))

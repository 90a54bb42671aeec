"""Limits how often something is tried: log-ins, registrations, forgotten passwords.

It counts under keys that it is given, and knows neither requests nor accounts. One
try is one atomic step; what cannot be counted is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Final, Literal

from asgi_auth._clock import system_clock
from asgi_auth._drivers.limits import Counters
from asgi_auth._logs import package_logger
from asgi_auth.errors import ConfigurationError, RateLimitedError, UnavailableError
from asgi_auth.events import Event, Events, Listener

__all__ = ["Limit", "RateLimiter", "Rule"]

_logger = package_logger(__name__)

Rule = Literal[
    "log_in",
    "log_in_address",
    "failures",
    "codes",
    "guesses",
    "register",
    "reset",
    "recipient",
    "tokens",
]
"""What is limited, named like the attributes of :class:`Limits`."""

_MINUTE: Final = 60
_HOUR: Final = 3600
_LONGEST: Final = 86_400


@dataclass(frozen=True, slots=True)
class Limit:
    """How often, in how long a window.

    Attributes:
        amount: Tries that pass.
        seconds: Length of the window, which begins with the first try.

    Raises:
        ConfigurationError: The amount is below 1, or the window not 1 to 86400.
    """

    amount: int
    seconds: int

    def __post_init__(self) -> None:
        """Refuse what would let no caller in, or never end."""
        if self.amount < 1 or not 1 <= self.seconds <= _LONGEST:
            msg = "A Limit needs an amount >= 1 and 1 to 86400 seconds."
            raise ConfigurationError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often each thing may be tried.

    Attributes:
        log_in: Tries to log in for one account from one address.
        log_in_address: Tries to log in from one address.
        failures: Failed log-ins of one account; devices that are known have counters
            of their own, so that no attacker can lock a user out.
        codes: Wrong codes of second factors of one account, from one address or one
            device that has shown such a factor before.
        guesses: Wrong codes of second factors of one account, from devices that have
            not. Recovery codes are not counted: nobody can guess one, so that
            no attacker can lock a user out.
        register: Registrations from one address.
        reset: Messages asked for, and passwords reset, from one address.
        recipient: Messages to one address, whoever asks for them.
        tokens: Tokens refreshed or revoked, and log-outs, from one address. It is high
            because many people may share an address.
    """

    log_in: Limit = Limit(5, _MINUTE)
    log_in_address: Limit = Limit(30, _MINUTE)
    failures: Limit = Limit(100, _HOUR)
    codes: Limit = Limit(5, 5 * _MINUTE)
    guesses: Limit = Limit(20, _HOUR)
    register: Limit = Limit(3, _MINUTE)
    reset: Limit = Limit(3, _MINUTE)
    recipient: Limit = Limit(5, _HOUR)
    tokens: Limit = Limit(1200, _MINUTE)


class RateLimiter:
    """Counts tries, and refuses what is too much.

    Args:
        url: ``memory://`` counts for this process alone; ``redis://...`` for all.
        limits: How often each thing may be tried.
        insecure_unlimited: Count nothing.
        insecure_pass_when_down: Let everything pass while the counters are down.
        max_keys: Counters in memory at one time; what comes beyond shares some. On a
            server, each ends with its window.
        prefix: What all keys on a server begin with.
        cluster: The URL leads to a Redis or Valkey cluster.
        on_event: Gets an :class:`~asgi_auth.events.Event` for each try that is refused.

    Raises:
        MissingExtraError: limits or redis-py is not installed.
        ConfigurationError: The URL is of another kind, or there are limits for what is
            not counted.
    """

    def __init__(
        self,
        url: str = "memory://",
        *,
        limits: Limits | None = None,
        insecure_unlimited: bool = False,
        insecure_pass_when_down: bool = False,
        max_keys: int = 10_000,
        prefix: str = "asgi-auth:limits",
        cluster: bool = False,
        on_event: Listener | Events | None = None,
    ) -> None:
        if limits is not None and insecure_unlimited:
            msg = "Give RateLimiter limits or insecure_unlimited, not both."
            raise ConfigurationError(msg)

        self.limits: Limits = limits or Limits()
        self._events = Events.of(on_event)
        self._pass_when_down = insecure_pass_when_down
        if insecure_pass_when_down:
            _logger.warning("insecure_pass_when_down: in an outage nothing is limited")

        self._counters: Counters | None = None
        if insecure_unlimited:
            _logger.warning("insecure_unlimited: nobody counts tries")
            return

        self._counters = Counters(
            url, owner="RateLimiter", max_keys=max_keys, prefix=prefix, cluster=cluster
        )

    @property
    def counts(self) -> bool:
        """Whether anything is limited."""
        return self._counters is not None

    async def consume(self, rule: Rule, *key: str) -> None:
        """Count one try, or refuse it.

        Args:
            rule: What is tried.
            key: By whom: all the texts together make the key.

        Raises:
            RateLimitedError: That is too much; it says when to come back.
            UnavailableError: It cannot be counted.
        """
        if self._counters is None:
            return

        limit, name = self._limit(rule), _key_of(rule, key)
        try:
            if await self._counters.add(name, limit.seconds) <= limit.amount:
                return

            wait = await self._counters.wait(name)
        except UnavailableError as error:
            self._bear(error)
            return

        self._events.emit(
            Event(name="limit.exceeded", at=system_clock(), detail={"rule": rule})
        )
        msg = f"more than {limit.amount} tries in {limit.seconds} seconds ({rule})"
        raise RateLimitedError(msg, retry_after=min(wait, limit.seconds))

    async def give_back(self, rule: Rule, *key: str) -> None:
        """Take one try back that turned out to be none, such as a good log-in.

        It never fails: the count is a little too high then.
        """
        if self._counters is None:
            return

        limit = self._limit(rule)
        try:
            await self._counters.add(_key_of(rule, key), limit.seconds, -1)
        except UnavailableError:
            _logger.debug("a try could not be taken back from the counters")

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        if self._counters is not None:
            await self._counters.aclose()

    def _limit(self, rule: Rule) -> Limit:
        limit: Limit = getattr(self.limits, rule)
        return limit

    def _bear(self, error: UnavailableError) -> None:
        if not self._pass_when_down:
            msg = "tries cannot be counted"
            raise UnavailableError(msg) from error

        _logger.debug("a try is not counted: %s", error)


def _key_of(rule: Rule, key: tuple[str, ...]) -> str:
    """Name a counter: of fixed length, and without anything that identifies anybody."""
    digest = sha256()
    for part in key:
        data = part.encode("utf-8", "surrogatepass")
        # With its length in front, no two keys read the same.
        digest.update(len(data).to_bytes(8, "big") + data)

    return f"{rule}/{digest.hexdigest()[:32]}"

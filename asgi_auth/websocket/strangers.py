"""Bound what anonymous WebSockets cost, where the first message names the caller.

It identifies no caller: the application does, by :func:`~asgi_auth.lifetime.identify`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from asgi_auth.credentials.site import Site
from asgi_auth.errors import (
    AuthenticationError,
    ConfigurationError,
    RateLimitedError,
)
from asgi_auth.lifetime.stranger import Stranger, stranger_of
from asgi_auth.ratelimit.client_address import ClientAddresses, network_of
from asgi_auth.responses.deny import deny

__all__ = ["FirstMessages"]


class FirstMessages:
    """Close WebSockets that do not say in time whose they are, and count the others.

    It stands within ``AuthenticationMiddleware``. What is not a WebSocket, or has
    a caller, passes as it is. It counts in this process, and needs asyncio.

    Args:
        app: The application to wrap.
        within: Seconds in which a socket must get a caller.
        per_address: How many anonymous ones an address may have; of IPv6 one /64.
        site: The proxies that say where clients are.

    Raises:
        ConfigurationError: A bound lets nothing through.
    """

    __slots__ = ("_addresses", "_app", "_count", "_most", "_within")

    def __init__(
        self,
        app: ASGIApp,
        *,
        within: float = 10.0,
        per_address: int = 20,
        site: Site = Site(),
    ) -> None:
        if not within > 0 or per_address < 1:
            msg = "within must be more than 0 seconds, and per_address 1 or more."
            raise ConfigurationError(msg)

        self._app = app
        self._within = within
        self._most = per_address
        self._addresses = ClientAddresses(site.trusted_proxies)
        self._count: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve one socket, for as long as it may be anonymous."""
        stranger = stranger_of(scope) if scope["type"] == "websocket" else None
        if stranger is None:
            return await self._app(scope, receive, send)

        address = network_of(self._addresses.of(scope))
        if self._count[address] >= self._most:
            await deny(RateLimitedError(), scope, receive, send)
            return None

        place = _Place(self._count, address)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._within, _end, stranger)
        stranger.when_known = place.leave
        try:
            return await self._app(scope, receive, send)
        finally:
            timer.cancel()
            place.leave()


class _Place:
    """One of the places that an address has, given back once."""

    __slots__ = ("_address", "_count")

    def __init__(self, count: Counter[str], address: str) -> None:
        self._address: str | None = address
        self._count = count
        count[address] += 1

    def leave(self) -> None:
        if self._address is None:
            return

        self._count[self._address] -= 1
        if not self._count[self._address]:
            del self._count[self._address]

        self._address = None


def _end(stranger: Stranger) -> None:
    if stranger.lifetime is None:
        stranger.end(AuthenticationError("no message has said whose the socket is"))

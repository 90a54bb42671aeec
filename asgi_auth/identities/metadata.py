"""What an OpenID provider says about itself, kept at hand (Discovery 1.0, section 4).

It asks seldom, never twice at once, and goes on with the last good answer for a day.
It needs asyncio.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._drivers.transport import Transport
from asgi_auth._drivers.urls import is_safe_url
from asgi_auth.backends.discovery import discover
from asgi_auth.errors import UnavailableError
from asgi_auth.identities.endpoint import Endpoint

__all__ = ["Discovery", "ProviderMetadata"]

_TTL: Final = 3600.0
_STALE_FOR: Final = 86400.0
_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """The parts that a log-in needs.

    Attributes:
        jwks_uri: Where the keys are.
        authorization_endpoint: Where browsers are sent.
        token_endpoint: Where codes are redeemed.
        userinfo_endpoint: Where more about a user is said, or ``None``.
        names_itself: Its answers have an ``iss`` (RFC 9207, section 3).
        takes_basic: The client may name itself in a header.
    """

    jwks_uri: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    names_itself: bool
    takes_basic: bool


class Discovery:
    """The metadata of one provider.

    Args:
        issuer: As its tokens name it.
        endpoint: Notes outages.
        transport: How it is asked for.
        at: Where the document is, if not below the issuer.
        aliases: What else its ``issuer`` may say.
        clock: Returns seconds that only go forward.
    """

    def __init__(
        self,
        issuer: str,
        endpoint: Endpoint,
        transport: Transport,
        *,
        at: str | None = None,
        aliases: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._endpoint = endpoint
        self._options: dict[str, Any] = {
            "transport": transport,
            "at": at,
            "aliases": aliases,
        }
        self._insecure_http = transport.insecure_http
        self._clock = clock
        self._locks = PerLoop(asyncio.Lock, _nothing)
        self._metadata: ProviderMetadata | None = None
        self._fresh_until = self._usable_until = self._not_before = float("-inf")

    async def ready(self) -> ProviderMetadata:
        """Return the metadata; wait for them only where there are none of use.

        Raises:
            UnavailableError: There are none, or they are too old.
        """
        if self._metadata is not None and self._clock() < self._fresh_until:
            return self._metadata

        # Whoever waits here finds the answer, or the failure, of the one that asked.
        async with self._locks.here():
            now = self._clock()
            if self._metadata is None or now >= self._fresh_until:
                await self._renew(now)

        if self._metadata is None or self._clock() >= self._usable_until:
            msg = f"{self._endpoint.outage.place}: its metadata cannot be had"
            raise UnavailableError(msg, retry_after=_PAUSE)

        return self._metadata

    async def jwks_uri(self) -> str:
        """Return where the keys are.

        Raises:
            UnavailableError: It cannot be known.
        """
        return (await self.ready()).jwks_uri

    async def _renew(self, now: float) -> None:
        if now < self._not_before:
            return

        try:
            metadata = await discover(self._issuer, **self._options)
            self._metadata = self._read(metadata.jwks_uri, metadata.document)
        except UnavailableError as error:
            self._endpoint.outage.down(str(error))
            self._not_before = self._clock() + _PAUSE
            return

        self._endpoint.outage.up()
        self._fresh_until = now + _TTL
        self._usable_until = now + _STALE_FOR

    def _read(self, jwks_uri: str, document: Any) -> ProviderMetadata:
        authorize = document.get("authorization_endpoint")
        token = document.get("token_endpoint")
        for url in (authorize, token):
            if not is_safe_url(url, insecure_http=self._insecure_http):
                msg = "the metadata have no https URL for authorization or token"
                raise UnavailableError(msg)

        # Without the member it is client_secret_basic (Discovery, section 3).
        methods = document.get("token_endpoint_auth_methods_supported")
        takes_basic = not isinstance(methods, tuple) or "client_secret_basic" in methods
        userinfo = document.get("userinfo_endpoint")
        is_safe = is_safe_url(userinfo, insecure_http=self._insecure_http)
        return ProviderMetadata(
            jwks_uri,
            authorize,
            token,
            userinfo if is_safe else None,
            document.get("authorization_response_iss_parameter_supported") is True,
            takes_basic,
        )


async def _nothing(_: asyncio.Lock) -> None:
    """Close nothing."""

"""The door to httpx2: bounded requests to the few servers that we depend on.

It follows no redirect, inflates nothing, and reads no more than its limit. What an
answer means is for the packages above. It needs asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

from asgi_auth._drivers.causes import cause_of
from asgi_auth._drivers.per_loop import PerLoop
from asgi_auth._drivers.transport import Fetch, Transport
from asgi_auth._drivers.urls import check_url, is_safe_url, place_in
from asgi_auth.errors import ConfigurationError, MissingExtraError, UnavailableError

try:
    import httpx2
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = [
    "Fetch",
    "HTTPAnswer",
    "HTTPClient",
    "Remote",
    "Transport",
    "check_url",
    "is_safe_url",
]

_OK = 200
_CONNECTIONS = 32


class HTTPAnswer(NamedTuple):
    """What a server said.

    Attributes:
        status: Its status code.
        headers: Its header fields, with lower-case names.
        body: Its content, not encoded.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class HTTPClient:
    """Sends requests with httpx2.

    Args:
        owner: Who asks, for the sentence of the error.
        timeout: Seconds that one step of a request may take.
        max_bytes: Longest body that is read.
        pooled: Keep connections open, in one pool for each event loop.

    Raises:
        MissingExtraError: httpx2 is not installed.
    """

    def __init__(
        self, owner: str, *, timeout: float, max_bytes: int, pooled: bool
    ) -> None:
        if not _INSTALLED:
            msg = f'{owner} needs httpx2: python -m pip install "asgi-auth[http]"'
            raise MissingExtraError(msg)

        self._timeout = timeout
        self._max_bytes = max_bytes
        self._context: Any = None
        self._pools = PerLoop(self._client, _close) if pooled else None

    async def __call__(
        self, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> HTTPAnswer:
        """Send one request, and read its answer up to the limit.

        Raises:
            UnavailableError: The answer is too long.
            Exception: Whatever httpx2 raises.
        """
        if self._context is None:
            # Reading the certificates of authorities takes tens of milliseconds.
            self._context = await asyncio.to_thread(httpx2.create_ssl_context)

        if self._pools is not None:
            return await self._send(await self._pools.get(), url, headers, body)

        async with self._client() as client:
            return await self._send(client, url, headers, body)

    async def aclose(self) -> None:
        """Close the connections of the running loop."""
        if self._pools is not None:
            await self._pools.aclose()

    async def _send(
        self, client: Any, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> HTTPAnswer:
        method = "GET" if body is None else "POST"
        all_headers = {**headers, "accept-encoding": "identity"}
        async with client.stream(
            method, url, headers=all_headers, content=body
        ) as answer:
            content = await self._read(answer)
            return HTTPAnswer(answer.status_code, dict(answer.headers), content)

    async def _read(self, answer: Any) -> bytes:
        content = bytearray()
        # Raw: a compressed body was not asked for, and could be a bomb.
        async for chunk in answer.aiter_raw():
            content += chunk
            if len(content) > self._max_bytes:
                msg = "the answer is too long"
                raise UnavailableError(msg)

        return bytes(content)

    def _client(self) -> Any:
        return httpx2.AsyncClient(
            verify=self._context,
            timeout=self._timeout,
            follow_redirects=False,
            limits=httpx2.Limits(max_connections=_CONNECTIONS),
        )


class Remote:
    """One server that we ask, with its limits, however requests are sent.

    Args:
        owner: Who asks, for the sentences of errors.
        transport: How it is asked.
        max_bytes: Longest body that is taken.
        pooled: Keep connections open between requests.

    Raises:
        MissingExtraError: httpx2 is needed, and not installed.
        ConfigurationError: The limit is not positive.
    """

    def __init__(
        self,
        owner: str,
        transport: Transport,
        *,
        max_bytes: int,
        pooled: bool = False,
    ) -> None:
        if max_bytes <= 0:
            msg = f"{owner} needs a positive max_bytes."
            raise ConfigurationError(msg)

        self._timeout = transport.timeout
        self._fetch = transport.fetch or HTTPClient(
            owner, timeout=self._timeout, max_bytes=max_bytes, pooled=pooled
        )
        self._max_bytes = max_bytes

    async def get(self, url: str) -> HTTPAnswer:
        """Get a JSON document; any status but 200 is an error.

        Raises:
            UnavailableError: There is no such answer, in time and within the limits.
        """
        answer = await self.send(url, {"accept": "application/json"}, None)
        if answer.status != _OK:
            msg = f"{place_in(url)} answered {answer.status}"
            raise UnavailableError(msg)

        return answer

    async def send(
        self, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> HTTPAnswer:
        """Send one request.

        Raises:
            UnavailableError: There is no answer in time and within the limits.
        """
        try:
            async with asyncio.timeout(self._timeout):
                answer = HTTPAnswer(*await self._fetch(url, headers, body))
        except UnavailableError:
            raise
        except Exception as error:
            # Whatever a driver, or an injected callable, calls its outages.
            msg = f"{place_in(url)} cannot be reached: {cause_of(error)}"
            raise UnavailableError(msg) from error

        if len(answer.body) > self._max_bytes:
            msg = "the answer is too long"
            raise UnavailableError(msg)

        return answer

    async def aclose(self) -> None:
        """Close the connections of the running loop, if they are ours."""
        if isinstance(self._fetch, HTTPClient):
            await self._fetch.aclose()


async def _close(client: Any) -> None:
    await client.aclose()

"""Ask for tickets, for addresses without a header beside them (RFC 9700, 4.3.2).

A client of httpx2 or httpx sends the request, with all that its ``BearerAuth`` does
about tokens and keys. Nothing is connected to here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol
from urllib.parse import SplitResult, quote, urlsplit

from asgi_auth._drivers.http import check_url
from asgi_auth.client.endpoint import origin_of, origins_of, parse_body
from asgi_auth.client.errors import (
    BadAnswerError,
    LoggedOutError,
    RefreshFailedError,
)
from asgi_auth.errors import ConfigurationError

__all__ = ["awith_ticket", "with_ticket"]

_OK = 200
_UNAUTHORIZED = 401
_TOO_MANY = 429
_FAULT = 500
_SCHEMES = {"ws": "http", "wss": "https"}
# Longer than any path of ours with all the claims that a ticket stands for.
_LONGEST = 16384


class HTTPClient(Protocol):
    """What is used of a ``Client`` or an ``AsyncClient``, which are alike."""

    def build_request(self, method: str, url: str, *, json: Any) -> Any:
        """Make a request."""
        ...

    def send(self, request: Any, *, follow_redirects: bool) -> Any:
        """Send it."""
        ...


def with_ticket(
    client: HTTPClient,
    url: str,
    *,
    ticket_url: str,
    origins: Iterable[str] = (),
    parameter: str = "ticket",
) -> str:
    """Return *url* with a ticket in it: good once, within 30 seconds.

    For WebSocket and event libraries that cannot send a header. Ask again for each
    connection.

    Args:
        client: A ``Client`` of httpx2 or httpx whose ``auth`` sends the access token.
        url: What is to be opened: https or wss, or http or ws to this machine.
        ticket_url: The route ``/ticket`` of ``AuthRoutes``.
        origins: URLs of other servers that may be given a ticket; that of *ticket_url*
            may.
        parameter: That the server reads: the name of its ``Ticket`` source.

    Raises:
        ConfigurationError: A URL is not safe, or *url* is of a server that is not
            named.
        LoggedOutError: There are no tokens that the server takes.
        RefreshFailedError: The server gives no ticket now: try again later.
        BadAnswerError: The answer is none of a ticket endpoint.
    """
    address = _Address(url, parameter)
    request = address.ask(client, ticket_url, origins)
    return address.read(client.send(request, follow_redirects=False))


async def awith_ticket(
    client: HTTPClient,
    url: str,
    *,
    ticket_url: str,
    origins: Iterable[str] = (),
    parameter: str = "ticket",
) -> str:
    """Return *url* with a ticket, by an ``AsyncClient``; as :func:`with_ticket`."""
    address = _Address(url, parameter)
    request = address.ask(client, ticket_url, origins)
    return address.read(await client.send(request, follow_redirects=False))


class _Address:
    """What is to be opened with a ticket.

    Args:
        url: Its URL.
        parameter: Which holds the ticket.
    """

    def __init__(self, url: str, parameter: str) -> None:
        self._parts = urlsplit(url)
        self._parameter = parameter

    def ask(self, client: HTTPClient, ticket_url: str, origins: Iterable[str]) -> Any:
        """Return the request for a ticket.

        Raises:
            ConfigurationError: A URL is not safe, or not of a server that is named.
        """
        if isinstance(origins, str):
            msg = 'origins is a list of URLs: origins=["https://api.example"].'
            raise ConfigurationError(msg)

        path = {"path": self._parts.path or "/"}
        request = client.build_request("POST", ticket_url, json=path)
        # A client may have a base URL: what counts is where it would go.
        asked = check_url(str(request.url), "ticket_url")
        if self._origin() not in {origin_of(asked), *origins_of(origins)}:
            msg = f"Name {self._parts.netloc!r} in origins, if it may have a ticket."
            raise ConfigurationError(msg)

        return request

    def read(self, answer: Any) -> str:
        """Return the address, with the ticket that came.

        Raises:
            LoggedOutError: The tokens are refused.
            RefreshFailedError: It is an outage, or there were too many requests.
            BadAnswerError: There is no ticket in the answer.
        """
        status: int = answer.status_code
        if status == _UNAUTHORIZED:
            msg = "the server gives no ticket for these tokens: log in again"
            raise LoggedOutError(msg)

        if status == _TOO_MANY or status >= _FAULT:
            msg = f"the ticket endpoint answered {status}"
            raise RefreshFailedError(msg)

        ticket = parse_body(answer.content).get("ticket")
        is_text = isinstance(ticket, str) and 0 < len(ticket) <= _LONGEST
        if status != _OK or not is_text:
            msg = f"the ticket endpoint answered {status} and no ticket"
            raise BadAnswerError(msg)

        return self._with(str(ticket)).geturl()

    def _origin(self) -> tuple[str, str, int | None]:
        scheme = self._parts.scheme.lower()
        parts = self._parts._replace(scheme=_SCHEMES.get(scheme, scheme))
        return origin_of(check_url(parts.geturl(), "url"))

    def _with(self, ticket: str) -> SplitResult:
        ours = f"{self._parameter}="
        pairs = [each for each in self._parts.query.split("&") if each]
        rest = [each for each in pairs if not each.startswith(ours)]
        query = "&".join([*rest, ours + quote(ticket, safe="")])
        return self._parts._replace(query=query)

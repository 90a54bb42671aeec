"""Log users in and out from a handler, whatever its framework calls a response.

It is for the adapters: each says how headers are put on its responses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http.cookies import Morsel, SimpleCookie
from typing import Any, Final, Protocol

from asgi_auth._asgi import Headers
from asgi_auth.accounts import Account
from asgi_auth.guards.connection import scope_of
from asgi_auth.integrations._mounted import routes_beside

__all__ = ["Handed", "LogIn", "LogOut", "PartitionedMorsel", "morsels_of"]

_PARTITIONED: Final = "; Partitioned"


class PartitionedMorsel(Morsel[str]):
    """A cookie that a browser keeps apart for each site that embeds ours.

    ``http.cookies`` knows the attribute from Python 3.14 on, and before takes no cookie
    at all from a header that has it.
    """

    def OutputString(self, attrs: Any = None) -> str:  # noqa: N802  (of the base class)
        """Return the header's value."""
        return super().OutputString(attrs) + _PARTITIONED


class LogIn(Protocol):
    """Logs a user in from a handler: see :meth:`Handed.log_in`."""

    async def __call__(
        self, request: Any, response: Any, account: Account, *, remember: bool = True
    ) -> None:
        """Set the cookies on *response*."""
        ...


class LogOut(Protocol):
    """Logs a user out from a handler: see :meth:`Handed.log_out`."""

    async def __call__(self, request: Any, response: Any) -> None:
        """Clear the cookies on *response*."""
        ...


@dataclass(frozen=True, slots=True)
class Handed:
    """The verbs of one framework.

    Attributes:
        add: Puts ``Set-Cookie`` headers on a response.
    """

    add: Callable[[Any, Headers], None]

    async def log_in(
        self, request: Any, response: Any, account: Account, *, remember: bool = True
    ) -> None:
        """Log a user in, by cookies on *response*; find out who it is before.

        Args:
            request: Of the handler; the log-in routes are installed beside it.
            response: What the handler is going to return.
            account: Who the user is.
            remember: Whether the cookies outlive the session of the browser.

        Raises:
            CrossOriginError: The request comes from a foreign page.
            UnknownSubjectError: The account is gone or disabled.
            ConfigurationError: No routes are installed, or they set no cookies.
        """
        scope = {**scope_of(request)}
        routes = routes_beside(scope)
        self.add(response, await routes.log_in(scope, account, remember=remember))

    async def log_out(self, request: Any, response: Any) -> None:
        """End the session of a request, and clear its cookies on *response*.

        Args:
            request: Of the handler; the log-in routes are installed beside it.
            response: What the handler is going to return.

        Raises:
            CrossOriginError: The request comes from a foreign page.
            UnavailableError: The store is down; nobody was logged out.
            ConfigurationError: No routes are installed, or they set no cookies.
        """
        scope = {**scope_of(request)}
        self.add(response, await routes_beside(scope).log_out(scope))


def morsels_of(headers: Headers) -> list[Morsel[str]]:
    """Take ``Set-Cookie`` headers apart, for frameworks that write their own."""
    return [_morsel_of(value.decode()) for _, value in headers]


def _morsel_of(text: str) -> Morsel[str]:
    bare = text.removesuffix(_PARTITIONED)
    (morsel,) = SimpleCookie(bare).values()
    if bare == text:
        return morsel

    partitioned = PartitionedMorsel()
    partitioned.set(morsel.key, morsel.value, morsel.coded_value)
    partitioned.update(morsel)
    return partitioned

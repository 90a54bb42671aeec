"""Name the caller to an application by a header, as a proxy would.

Products that have no log-in of their own, or let another do it, read the user from a
header. It decides nothing: whoever is not known has no such header.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgi_auth.errors import ConfigurationError
from asgi_auth.principal import Principal, get_principal
from asgi_auth.typing import ASGIApp, Receive, Scope, Send

__all__ = ["UserHeader"]


def _subject(principal: Principal) -> str:
    return principal.subject


class UserHeader:
    """Set a header to the caller, and take away what a client had put there.

    It stands within :class:`~asgi_auth.middleware.AuthenticationMiddleware`.

    Args:
        app: Reads the header.
        name: Of the header. Others that CGI, WSGI and some servers take for the same
            one, as ``X_Forwarded_User``, are taken away as well.
        value: Returns what to say of a known caller.

    Raises:
        ConfigurationError: The name is no header's.
    """

    __slots__ = ("_app", "_folded", "_name", "_value")

    def __init__(
        self,
        app: ASGIApp,
        name: str = "X-Forwarded-User",
        *,
        value: Callable[[Principal], str] = _subject,
    ) -> None:
        if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
            msg = f"{name!r} is no name of a header."
            raise ConfigurationError(msg)

        self._app = app
        self._name = name.lower().encode("ascii")
        self._folded = _fold(self._name)
        self._value = value

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Any:
        """Serve a request or a socket with the header.

        Raises:
            ConfigurationError: No middleware ran above, or the value has characters
                that would end the header.
        """
        if scope["type"] in {"http", "websocket"}:
            scope = {**scope, "headers": self._headers(scope)}

        return await self._app(scope, receive, send)

    def _headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        principal = get_principal(scope)
        headers = [
            (name, value)
            for name, value in scope["headers"]
            if _fold(name) != self._folded
        ]
        if principal.is_authenticated:
            headers.append((self._name, _encoded(self._value(principal))))

        return headers


def _fold(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")


def _encoded(value: str) -> bytes:
    if any(character in value for character in "\r\n\0"):
        msg = "The name of the caller has a line break in it, and cannot be a header."
        raise ConfigurationError(msg)

    return value.encode("utf-8")

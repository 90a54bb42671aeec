"""What a browser keeps while its user is at a provider: one cookie for each log-in.

It is ``Lax``, since the browser comes back from another site, and for this host alone:
a neighbour below the same domain could plant one of its own otherwise (RFC 6265bis,
section 4.1.3.2). Nothing is read from it but its text.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final, Literal

from starlette.responses import Response

from asgi_auth._asgi import Scope
from asgi_auth._drivers.urls import is_safe_url
from asgi_auth.errors import ConfigurationError
from asgi_auth.identities.attempt import ATTEMPT_TTL, Attempt

__all__ = ["AttemptCookies"]

# Who opens more tabs than this loses the log-ins that were begun first.
_MOST: Final = 5
_VALUE: Final = re.compile(r"[\w.-]*", re.ASCII)


class AttemptCookies:
    """Sets, reads and clears them.

    Args:
        public_url: The application's own origin; http only for this machine.

    Raises:
        ConfigurationError: It is no such origin.
    """

    __slots__ = ("_name", "_prefix", "is_secure")

    def __init__(self, public_url: str) -> None:
        if not is_safe_url(public_url):
            msg = "Log-ins at providers need an https public_url (http: loopback only)."
            raise ConfigurationError(msg)

        self.is_secure: bool = public_url.startswith("https://")
        self._prefix = "__Host-provider-" if self.is_secure else "provider-"
        pattern = rf"(?:^|;)[ \t]*({self._prefix}[0-9a-f]{{16}})=([^;]*)"
        self._name = re.compile(pattern)

    def set(
        self,
        response: Response,
        scope: Scope,
        attempt: Attempt,
        token: str,
        *,
        is_posted: bool,
    ) -> None:
        """Let the browser keep a log-in.

        Args:
            response: Gets the cookie.
            scope: Of the request: what it has too many of is cleared.
            attempt: The log-in.
            token: What to keep.
            is_posted: The provider's own page posts the answer, as Apple's does.
        """
        old = [name for name, _ in self._all(scope)]
        for name in old[: max(0, len(old) - _MOST + 1)]:
            self._write(response, name, "", 0, "lax")

        samesite: Literal["lax", "none"] = "none" if is_posted else "lax"
        name = self.name_of(attempt.state)
        self._write(response, name, token, ATTEMPT_TTL, samesite)

    def read(self, scope: Scope, state: str | None) -> str | None:
        """Return what was kept of the log-in with a state; ``None``: nothing."""
        name = self.name_of(state or "")
        values = [value for cookie, value in self._all(scope) if cookie == name]
        is_one = len(values) == 1 and _VALUE.fullmatch(values[0]) is not None
        return values[0] if is_one else None

    def clear(self, response: Response, state: str | None) -> None:
        """Take a log-in out of the browser."""
        self._write(response, self.name_of(state or ""), "", 0, "lax")

    def _all(self, scope: Scope) -> list[tuple[str, str]]:
        fields = [
            value for name, value in scope["headers"] if name.lower() == b"cookie"
        ]
        return self._name.findall(b"; ".join(fields).decode("latin-1"))

    def name_of(self, state: str) -> str:
        """Return the name of the cookie of the log-in with a state."""
        digest = sha256(state.encode("utf-8", "replace")).hexdigest()
        return f"{self._prefix}{digest[:16]}"

    def _write(
        self,
        response: Response,
        name: str,
        value: str,
        seconds: int,
        samesite: Literal["lax", "none"],
    ) -> None:
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite=samesite,
        )

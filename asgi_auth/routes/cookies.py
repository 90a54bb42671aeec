"""Put tokens into cookies, and take them out of browsers again (RFC 6265bis).

What is set and what is cleared have the same attributes, else browsers keep both. A
token that a browser would drop without a word is refused here.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

from starlette.responses import Response

from asgi_auth._asgi import Scope
from asgi_auth.credentials.reader import CredentialReader
from asgi_auth.credentials.sources import Cookie
from asgi_auth.errors import ConfigurationError
from asgi_auth.routes.errors import CookieTooLargeError, NotLocalhostError
from asgi_auth.tokens.pair import TokenPair

__all__ = ["SameSite", "TokenCookies"]

SameSite = Literal["strict", "lax", "none"]

_log = logging.getLogger("asgi_auth.routes")

# RFC 6265bis, section 5.6: name and value together.
_LONGEST: Final = 4096
_LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DEVICE_DAYS: Final = 180 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCookies:
    """The cookies of one application.

    ``__Host-access`` goes with every request of the origin; ``__Secure-refresh`` only
    to the routes, so that a log-out gets it as well as a refresh.

    Attributes:
        samesite: Whether the browser sends them with requests of other sites.
        path: Of the refresh cookie; by default where the routes are mounted.
        localhost: Plain names without ``Secure``: for development, on localhost only.
        refresh_name: Another name for the refresh cookie.

    Raises:
        ConfigurationError: The attributes contradict each other.
    """

    samesite: SameSite = "strict"
    path: str | None = None
    localhost: bool = False
    refresh_name: str | None = None
    access: str = field(init=False)
    refresh: str = field(init=False)
    device: str = field(init=False)
    _readers: dict[str, CredentialReader] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Choose the names: the prefixes make browsers insist on the attributes."""
        if self.samesite not in {"strict", "lax", "none"}:
            msg = "samesite must be strict, lax or none."
            raise ConfigurationError(msg)
        if self.samesite == "none" and self.localhost:
            msg = "samesite='none' needs secure cookies: browsers drop others."
            raise ConfigurationError(msg)
        if self.localhost and (self.refresh_name or "").startswith("__"):
            msg = "Browsers drop a cookie of this name without Secure: choose another."
            raise ConfigurationError(msg)
        if self.path is not None and not self.path.startswith("/"):
            msg = "cookie_path must begin with a slash."
            raise ConfigurationError(msg)

        host, secure = ("", "") if self.localhost else ("__Host-", "__Secure-")
        names = {
            "access": f"{host}access",
            "refresh": self.refresh_name or f"{secure}refresh",
            "device": f"{secure}device",
        }
        for role, name in names.items():
            object.__setattr__(self, role, name)
        readers = {role: CredentialReader([Cookie(n)]) for role, n in names.items()}
        object.__setattr__(self, "_readers", readers)

    def read(self, role: Literal["refresh", "device"], scope: Scope) -> str | None:
        """Return the token of a cookie; ``None`` if there is none, or none to use."""
        credential = self._readers[role].read(scope)
        if credential is None or credential.error is not None:
            return None
        return credential.token.decode("latin-1")

    def check_host(self, scope: Scope) -> None:
        """Pass, or raise where insecure cookies would leave this machine.

        Raises:
            NotLocalhostError: The request is for another host.
        """
        if not self.localhost:
            return

        hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
        name = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
        if not name.endswith("]"):
            head, colon, _ = name.rpartition(":")
            name = head if colon else name
        if name not in _LOCAL_HOSTS:
            raise NotLocalhostError

    def set_pair(self, response: Response, pair: TokenPair, mount: str) -> None:
        """Set both tokens, each for as long as it lives.

        Raises:
            CookieTooLargeError: One does not fit.
        """
        self._set(response, self.access, pair.access_token, pair.expires_in, "/")
        path = self._path(mount)
        lives = pair.refresh_expires_in
        self._set(response, self.refresh, pair.refresh_token, lives, path)

    def set_device(self, response: Response, token: str, mount: str) -> None:
        """Remember that this browser has logged in before."""
        self._set(response, self.device, token, _DEVICE_DAYS, self._path(mount))

    def clear(self, response: Response, mount: str) -> None:
        """Take both tokens out of the browser; the device stays known."""
        self._set(response, self.access, "", 0, "/")
        self._set(response, self.refresh, "", 0, self._path(mount))

    def _path(self, mount: str) -> str:
        return quote(self.path or mount or "/", safe="/-._~!$&'()*+,=:@")

    def _set(
        self, response: Response, name: str, value: str, seconds: int, path: str
    ) -> None:
        if len(name) + len(value) > _LONGEST:
            # The client can do nothing about it, so somebody else must hear of it.
            _log.error("the cookie %s would be longer than %d bytes", name, _LONGEST)
            raise CookieTooLargeError

        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=path,
            secure=not self.localhost,
            httponly=True,
            samesite=self.samesite,
        )

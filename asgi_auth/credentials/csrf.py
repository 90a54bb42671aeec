"""Tells own pages from foreign ones: needed where a cookie says who is calling.

No token is issued or compared: browsers say where a request comes from. This module
answers yes or raises; it is asked only for ambient credentials (RFC 6265, 8.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from asgi_auth._asgi import Headers, Scope
from asgi_auth.errors import ConfigurationError, CrossOriginError

__all__ = ["CrossOriginCheck"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LOOKED_AT = {b"origin", b"host", b"sec-fetch-site"}
# Pages of apps and extensions: capacitor://localhost, chrome-extension://<id>.
_SCHEME = re.compile(r"[a-z][a-z0-9+.\-]{0,63}")
_NO_PAGES = frozenset(
    {"about", "blob", "data", "file", "ftp", "javascript", "ws", "wss"}
)
_NO_PORT = 0
_HOST = re.compile(r"(?:[A-Za-z0-9.\-_]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class CrossOriginCheck:
    """Refuses requests that another site's page made the browser send.

    Args:
        trusted_origins: Other origins whose pages may send requests with cookies,
            for instance ``https://app.example`` or ``capacitor://localhost``.
        public_url: The application's own origin as browsers see it, where a proxy
            changes the Host header.

    Raises:
        ConfigurationError: An origin is not ``scheme://host[:port]``.
    """

    __slots__ = ("_own", "_trusted")

    def __init__(
        self, trusted_origins: Iterable[str] = (), public_url: str | None = None
    ) -> None:
        self._trusted = frozenset(_configured_origin(o) for o in trusted_origins)
        self._own = None if public_url is None else _configured_origin(public_url)
        if self._own is not None and self._own[0] not in _DEFAULT_PORTS:
            msg = f"{public_url!r} is no origin of a server: write http or https."
            raise ConfigurationError(msg)

    def check(self, scope: Scope) -> None:
        """Check that a request does not come from a foreign page.

        Raises:
            CrossOriginError: The request comes from a foreign page, or a WebSocket
                does not say where it comes from.
        """
        websocket = scope["type"] == "websocket"
        if not websocket and scope["method"] in _SAFE:
            return

        headers = _pick(scope["headers"])
        origins = headers[b"origin"]
        if len(origins) == 1 and _origin(origins[0]) in self._trusted:
            return

        if not websocket and headers[b"sec-fetch-site"]:
            self._by_fetch_metadata(headers[b"sec-fetch-site"])
        elif websocket or origins:
            self._by_origin(origins, headers[b"host"], scope)

    def _by_fetch_metadata(self, sites: list[bytes]) -> None:
        # ``same-site`` is refused too: a neighbour's subdomain is not ours.
        if sites not in ([b"same-origin"], [b"none"]):
            msg = "Sec-Fetch-Site names another site"
            raise CrossOriginError(msg)

    def _by_origin(
        self, origins: list[bytes], hosts: list[bytes], scope: Scope
    ) -> None:
        origin = _origin(origins[0]) if len(origins) == 1 else None
        if origin is None:
            msg = "Origin is missing, null, repeated or malformed"
            raise CrossOriginError(msg)

        if origin[0] not in _DEFAULT_PORTS:
            msg = "Origin is that of an app or extension, which is never our own page"
            raise CrossOriginError(msg)

        # A proxy may have ended the encryption; none begins it before our server.
        encrypted = scope.get("scheme") in {"https", "wss"}
        scheme = "https" if encrypted else origin[0]
        own = self._own or _host_origin(hosts, scheme)
        if origin != own:
            msg = "Origin is foreign"
            raise CrossOriginError(msg)


_Origin = tuple[str, str, int]


def _pick(headers: Headers) -> dict[bytes, list[bytes]]:
    picked: dict[bytes, list[bytes]] = {name: [] for name in _LOOKED_AT}
    for name, value in headers:
        if len(name) <= len(b"sec-fetch-site") and name.lower() in _LOOKED_AT:
            picked[name.lower()].append(value.strip(b" \t"))

    return picked


def _configured_origin(text: str) -> _Origin:
    origin = _origin(text.removesuffix("/").encode("utf-8", "replace"))
    if origin is None:
        msg = f"{text!r} is no origin: write scheme://host[:port]."
        raise ConfigurationError(msg)

    return origin


def _origin(value: bytes) -> _Origin | None:
    """Split an origin (RFC 6454, section 7); ``None`` for ``null`` and nonsense."""
    scheme, separator, host = value.decode("latin-1").partition("://")
    scheme = scheme.lower()
    if not separator or scheme in _NO_PAGES or _SCHEME.fullmatch(scheme) is None:
        return None

    return _host_origin([host.encode("latin-1")], scheme)


def _host_origin(hosts: list[bytes], scheme: str) -> _Origin | None:
    """Complete a Host header (RFC 9110, section 7.2) with the scheme's default port."""
    host = hosts[0].decode("latin-1").lower() if len(hosts) == 1 else ""
    if _HOST.fullmatch(host) is None:
        return None

    name, _, port = host.rpartition(":") if _has_port(host) else (host, "", "")
    return scheme, name, int(port or _DEFAULT_PORTS.get(scheme, _NO_PORT))


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]

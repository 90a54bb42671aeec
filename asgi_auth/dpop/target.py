"""Compare the URL that a proof is for with the one that was asked for (``htu``).

What counts is the configured public URL and the path: never the Host header, nor what
a proxy adds, which are the client's to choose. RFC 3986, sections 6.2.2 and 6.2.3.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from asgi_auth._asgi import Scope
from asgi_auth._drivers.http import check_url
from asgi_auth.credentials.root_path import is_root_named_by_client

__all__ = ["Target", "normal_url"]

_LONGEST = 4096
_URL = re.compile(r"(https?|wss?)://([^/?#@]+)(/[^?#\\]*)?([?#].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})?")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")
_PORTS = {"http": "80", "https": "443"}
_SCHEMES = {"ws": "http", "wss": "https"}

# What a path may have beside the unreserved characters (RFC 3986, section 3.3).
_IN_PATH = "/:@!$&'()*+,;="


def normal_url(url: str) -> str:
    """Return *url* in its normal form, without query and fragment.

    The schemes of WebSockets are those of their handshakes (RFC 6455, section 1.7).

    Raises:
        ValueError: It is no plain http URL: with a user, a backslash, a port that is
            none, a percent sign that escapes nothing, or a character that is not ASCII.
    """
    match = _URL.fullmatch(url) if len(url) <= _LONGEST and _is_plain(url) else None
    authority = match and _AUTHORITY.fullmatch(match[2].lower())
    if match is None or authority is None:
        msg = "not a plain http URL"
        raise ValueError(msg)

    scheme = match[1].lower()
    scheme = _SCHEMES.get(scheme, scheme)
    host, port = authority[1], (authority[2] or "").lstrip("0")
    origin = f"{scheme}://{host}"
    if port and port != _PORTS[scheme]:
        origin += f":{port}"

    return origin + _normal_path(match[3] or "")


class Target:
    """Knows under which URL the world asks for a path of this application.

    Args:
        public_url: The origin; with a path where a proxy takes that away. A server may
            have put it back, and says so in ``root_path``.

    Raises:
        ConfigurationError: It is unsafe, or has a query or a fragment.
    """

    __slots__ = ("_origin", "_prefix", "_root")

    def __init__(self, public_url: str) -> None:
        url = normal_url(check_url(public_url, "public_url"))
        scheme, _, rest = url.partition("://")
        host, _, path = rest.partition("/")
        self._origin = f"{scheme}://{host}"
        self._prefix = f"/{path}".rstrip("/")
        self._root = unquote(self._prefix)

    def is_meant_by(self, url: str, scope: Scope) -> bool:
        """Say whether *url*, of a proof, is that of the request in *scope*."""
        own_url = self._origin + self._path(scope)
        if url == own_url:
            return True

        try:
            return normal_url(url) == normal_url(own_url)
        except ValueError:
            return False

    def _path(self, scope: Scope) -> str:
        raw = scope.get("raw_path")
        path = (
            quote(scope["path"], safe=_IN_PATH)
            if raw is None
            # Some servers leave the query in it.
            else raw.decode("latin-1").partition("?")[0]
        )
        return path if self._is_whole(path, scope) else self._prefix + path

    def _is_whole(self, path: str, scope: Scope) -> bool:
        """Say whether *path* has what a proxy took away.

        By itself it does not show: the application may have such a path of its own,
        and a proof would be good for both.
        """
        prefix, root = self._prefix, scope.get("root_path") or ""
        if not prefix:
            return True

        if is_root_named_by_client() or not f"{root}/".startswith(f"{self._root}/"):
            return False

        return path == prefix or path.startswith(prefix + "/")


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url


def _normal_path(path: str) -> str:
    # Escapes first: an escaped dot is a dot (RFC 3986, section 6.2.2.2).
    return _without_dots(_ESCAPE.sub(_normal_escape, path)) or "/"


def _normal_escape(match: re.Match[str]) -> str:
    if match[1] is None:
        msg = "a percent sign that escapes nothing"
        raise ValueError(msg)

    character = unquote(match[0])
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _without_dots(path: str) -> str:
    """Remove dot segments (RFC 3986, section 5.2.4)."""
    if "/." not in path:
        return path

    result: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del result[-1:]
        elif segment != ".":
            result.append(segment)

    if segments[-1] in {".", ".."}:
        result.append("")

    return "/" + "/".join(result)

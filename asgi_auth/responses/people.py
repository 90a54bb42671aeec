"""Answer people who are refused in a way that a browser shows them.

It words refusals, and never takes one back. What asks for data, and every WebSocket,
gets the problem document.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

from asgi_auth._logs import package_logger
from asgi_auth.errors import AuthError, ConfigurationError
from asgi_auth.responses.paths import safe_path

__all__ = [
    "LogInURL",
    "OnRefusal",
    "RefusalResponse",
    "Wording",
    "is_navigation",
    "redirect_to",
]

_logger = package_logger(__name__)

_UNKNOWN: Final = 401
_READING: Final = frozenset({"GET", "HEAD"})
_SAFE: Final = "/-._~!$&'()*+,;=:@"
_IN_URLS: Final = _SAFE + "%?#[]"
_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE: Final = re.compile(r"[\t -~]*")
_KINDS: Final = (b"text/html", b"application/xhtml+xml")
_MOST_KINDS: Final = 30


@dataclass(frozen=True, slots=True)
class RefusalResponse:
    """How a refusal looks, instead of the problem document.

    Challenges, ``Retry-After`` and ``Cache-Control: no-store`` are added to it.

    Attributes:
        status: From 300 on: a refusal is no success.
        headers: Names and values, as text in ASCII.
        body: As text, or as bytes.

    Raises:
        ConfigurationError: The status is one of a success, or a header is none.
    """

    status: int
    headers: Sequence[tuple[str, str]] = ()
    body: str | bytes = b""

    def __post_init__(self) -> None:
        """Refuse what would look like a success, or end a header early."""
        if not 300 <= self.status <= 599:  # noqa: PLR2004
            msg = f"A refusal has a status from 300 to 599, and not {self.status}."
            raise ConfigurationError(msg)

        # What callers have sent may be in it (RFC 9110, section 5.5).
        for name, value in self.headers:
            if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
                msg = f"The header {name!r} of a refusal is no plain ASCII text."
                raise ConfigurationError(msg)

    @property
    def content(self) -> bytes:
        """The body as bytes."""
        return self.body.encode() if isinstance(self.body, str) else self.body


OnRefusal = Callable[[AuthError, Mapping[str, Any]], RefusalResponse | None]
"""Words a refusal, given the error and the scope; ``None``: as otherwise."""

LogInURL = str | Callable[[AuthError, Mapping[str, Any]], str | None]
"""Where people log in; or what says so, given the error and the scope."""


class Wording:
    """What an application says to people whom it refuses.

    Args:
        login_url: Where who is not known is sent, with ``next``.
        on_refusal: Is asked first.
    """

    __slots__ = ("_login_url", "_on_refusal")

    def __init__(
        self, login_url: LogInURL | None, on_refusal: OnRefusal | None
    ) -> None:
        self._login_url = login_url
        self._on_refusal = on_refusal

    def __call__(
        self, error: AuthError, scope: Mapping[str, Any]
    ) -> RefusalResponse | None:
        """Return the answer; ``None`` for the problem document.

        What fails here is written to the log: the refusal stands all the same.
        """
        try:
            return self._words(error, scope)
        except Exception:
            _logger.exception("login_url or on_refusal has failed")
            return None

    def _words(
        self, error: AuthError, scope: Mapping[str, Any]
    ) -> RefusalResponse | None:
        if self._on_refusal is not None:
            response: object = self._on_refusal(error, scope)
            if isinstance(response, RefusalResponse):
                return response

            if response is not None:
                msg = "on_refusal must return a RefusalResponse, or None."
                raise ConfigurationError(msg)

        login_url = self._login_url
        if login_url is None or error.status != _UNKNOWN:
            return None

        url = login_url if isinstance(login_url, str) else login_url(error, scope)
        return None if url is None else redirect_to(url, scope)


def redirect_to(url: str, scope: Mapping[str, Any]) -> RefusalResponse | None:
    """Send a navigation to a page, with the way back as ``next``.

    Args:
        url: Of the page.
        scope: Of the request.

    Returns:
        ``None`` for what is no navigation, and for the page itself.
    """
    headers = _headers_of(scope)
    by_htmx = headers.get(b"hx-request") == b"true"
    if not (by_htmx or is_navigation(scope)):
        return None

    # Otherwise a page that is guarded by mistake would send people round and round.
    place = urlsplit(url)
    if not place.netloc and place.path == scope["path"]:
        return None

    # It may be an IRI (RFC 3987), or hold what the caller has sent.
    url = quote(url, safe=_IN_URLS)
    back = _way_back(scope, headers)
    if back is not None:
        url += f"{'&' if place.query else '?'}next={quote(back, safe='')}"

    if by_htmx:
        # A redirect would be followed by the script, and put into the page.
        return RefusalResponse(_UNKNOWN, [("hx-redirect", url)])

    return RefusalResponse(303, [("location", url)])


def is_navigation(scope: Mapping[str, Any]) -> bool:
    """Report whether a browser asks for a page to show to a person."""
    headers = _headers_of(scope)
    mode = headers.get(b"sec-fetch-mode")
    if mode is not None:
        return mode == b"navigate"

    return _prefers_html(headers.get(b"accept", b""))


def _headers_of(scope: Mapping[str, Any]) -> dict[bytes, bytes]:
    return {name.lower(): value.strip() for name, value in scope["headers"]}


def _prefers_html(accept: bytes) -> bool:
    """Report whether HTML is named, and nothing is wanted more (RFC 9110, 12.5.1)."""
    html, others = 0.0, [0.0]
    for part in accept.lower().split(b",")[:_MOST_KINDS]:
        kind, *params = (piece.strip() for piece in part.split(b";"))
        quality = next((_number(p[2:]) for p in params if p.startswith(b"q=")), 1.0)
        if kind in _KINDS:
            html = max(html, quality)
        else:
            others.append(quality)

    return html > 0 and html >= max(others)


def _number(text: bytes) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _way_back(scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str | None:
    """Return the path of the page that the person looks at, or asks for."""
    if b"hx-current-url" in headers:
        return _path_in(headers[b"hx-current-url"], headers)

    if scope["method"] not in _READING:
        return _path_in(headers.get(b"referer", b""), headers)

    path: str = scope["path"]
    root = str(scope.get("root_path") or "").rstrip("/")
    if root and not f"{path}/".startswith(f"{root}/"):
        path = root + path

    query = scope.get("query_string", b"").decode("latin-1")
    return safe_path(quote(path, safe=_SAFE) + (f"?{query}" if query else ""))


def _path_in(url: bytes, headers: Mapping[bytes, bytes]) -> str | None:
    """Return the path of an address of this host; ``None`` for another's."""
    try:
        parts = urlsplit(url.decode("ascii"))
    except ValueError:
        return None

    if parts.netloc.lower().encode() != headers.get(b"host", b"").lower():
        return None

    return safe_path(parts.path + (f"?{parts.query}" if parts.query else ""))

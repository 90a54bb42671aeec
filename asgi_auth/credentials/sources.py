"""Where a credential may come from: the choice that an application makes.

A source is a value; :mod:`asgi_auth.credentials.reader` does the looking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from asgi_auth.credentials.credential import LARGEST_TOKEN, MAX_TOKEN
from asgi_auth.errors import ConfigurationError

__all__ = [
    "BearerHeader",
    "Cookie",
    "Header",
    "QueryParam",
    "Source",
    "Subprotocol",
    "Ticket",
    "WholeScope",
    "check_longest",
    "unquote",
]

_TCHAR = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LONGEST = 32


@dataclass(frozen=True, slots=True)
class BearerHeader:
    """``Authorization: Bearer <token>`` (RFC 6750, section 2.1).

    Args:
        scheme: Another scheme of the same form, matched without regard to case.
        max_token: Longest token, in bytes.
    """

    scheme: str = "Bearer"
    max_token: int = MAX_TOKEN

    def __post_init__(self) -> None:
        """Refuse a scheme that no client could send."""
        check_longest(self.max_token)
        if len(self.scheme) > _LONGEST or _TCHAR.fullmatch(self.scheme) is None:
            msg = f"{self.scheme!r} is no authentication scheme (RFC 9110, 11.1)."
            raise ConfigurationError(msg)

    @property
    def way(self) -> tuple[str, str]:
        """The ``source`` and the ``scheme`` of what comes from here."""
        return "header", self.scheme.lower()


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie (RFC 6265): ambient, so that requests that change things are checked.

    Args:
        name: Compared exactly.
    """

    name: str

    def __post_init__(self) -> None:
        """Refuse a name that no client could send."""
        if _TCHAR.fullmatch(self.name) is None:
            msg = f"{self.name!r} is no cookie name (RFC 6265, section 4.1.1)."
            raise ConfigurationError(msg)

    @property
    def way(self) -> tuple[str, str]:
        """The ``source`` and the ``name`` of what comes from here."""
        return "cookie", self.name

    def pattern(self) -> re.Pattern[bytes]:
        """Return what finds the value in a Cookie header."""
        name = re.escape(self.name.encode("ascii"))
        return re.compile(rb"(?:^|;)[ \t]*" + name + rb"[ \t]*=[ \t]*([^;]*)")


@dataclass(frozen=True, slots=True)
class Header:
    """A header field that holds nothing but the credential: ``X-API-Key: <key>``.

    Args:
        name: Matched without regard to case.
        ambient: A proxy adds it to each request, for instance because of a cookie of
            its own. It counts where nothing else came, and requests that change things
            are checked as with a cookie.
        max_token: Longest value, in bytes.
    """

    name: str = "X-API-Key"
    max_token: int = MAX_TOKEN
    ambient: bool = False

    def __post_init__(self) -> None:
        """Refuse names that cannot be sent, or that have a form of their own."""
        check_longest(self.max_token)
        is_reserved = self.name.lower() in {"authorization", "cookie"}
        if is_reserved or _TCHAR.fullmatch(self.name) is None:
            msg = f"{self.name!r} is no header for keys: try BearerHeader."
            raise ConfigurationError(msg)

    @property
    def way(self) -> tuple[str, str]:
        """The ``source`` and the ``scheme`` of what comes from here."""
        return "header", self.name.lower()


@dataclass(frozen=True, slots=True)
class QueryParam:
    """A query parameter (RFC 6750, section 2.3): for browsers' WebSockets.

    Place the middleware outermost: what stands outside of it sees the token.

    Args:
        name: Compared exactly.
        http: Also for HTTP requests, where tokens end up in histories and logs.
    """

    name: str = "token"
    http: bool = False

    def __post_init__(self) -> None:
        """Refuse a name that would have to be percent-encoded."""
        if re.fullmatch(r"[A-Za-z0-9_.~\-]+", self.name) is None:
            msg = f"{self.name!r} is no plain query parameter name."
            raise ConfigurationError(msg)

    @property
    def way(self) -> tuple[str, str]:
        """The ``source`` and the ``name`` of what comes from here."""
        return "query", self.name

    def pattern(self) -> re.Pattern[bytes]:
        """Return what finds the value in a query string."""
        name = re.escape(self.name.encode("ascii"))
        return re.compile(rb"(?<![^&])" + name + rb"=([^&]*)")


@dataclass(frozen=True, slots=True)
class Ticket(QueryParam):
    """A ticket in the query: good once, for 30 seconds, for one path.

    For what cannot send a header: ``EventSource`` and ``WebSocket`` of browsers. It is
    blanked as a token in the query is.

    Args:
        name: Compared exactly.
    """

    name: str = "ticket"
    http: bool = field(default=True, init=False)

    @property
    def way(self) -> tuple[str, str]:
        """The ``source`` and the ``name`` of what comes from here."""
        return "ticket", self.name


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """The WebSocket subprotocols a browser offers: ``bearer, <token>``.

    The form of Kubernetes is understood as well:
    ``base64url.bearer.authorization.<base64url(token)>`` beside another protocol.
    """

    @property
    def way(self) -> tuple[str, str]:
        """The ``source`` and the ``scheme`` of what comes from here."""
        return "subprotocol", "bearer"


@dataclass(frozen=True, slots=True)
class WholeScope:
    """The request as a whole: a client certificate, or what a proxy says in headers.

    A backend with this source, or with none, is asked about every request, with no
    credential; it looks at the scope.
    """

    @property
    def way(self) -> tuple[str, str]:
        """A ``source`` that no credential has."""
        return "scope", ""


Source = BearerHeader | Cookie | Header | QueryParam | Subprotocol | WholeScope
"""Where a credential may stand in a request."""


def check_longest(max_token: int) -> None:
    """Check that a limit for tokens is not below ours or above what servers take.

    Raises:
        ConfigurationError: It is out of bounds.
    """
    if not MAX_TOKEN <= max_token <= LARGEST_TOKEN:
        msg = f"max_token must be {MAX_TOKEN} to {LARGEST_TOKEN} bytes."
        raise ConfigurationError(msg)


def unquote(value: bytes) -> bytes:
    """Return a cookie's value without white space behind it, and without quotes."""
    value = value.rstrip(b" \t")
    quoted = len(value) > 1 and value[:1] == value[-1:] == b'"'
    return value[1:-1] if quoted else value

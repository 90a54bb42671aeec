"""Where a credential may come from: the choice that an application makes.

A source is a value; :mod:`asgi_auth.credentials` does the looking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from asgi_auth.errors import ConfigurationError

__all__ = ["BearerHeader", "Cookie", "QueryParam", "Source", "Subprotocol"]

_TCHAR = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class BearerHeader:
    """``Authorization: Bearer <token>`` (RFC 6750, section 2.1).

    Args:
        scheme: Another scheme of the same form, matched without regard to case.
    """

    scheme: str = "Bearer"


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


@dataclass(frozen=True, slots=True)
class Subprotocol:
    """The WebSocket subprotocols a browser offers: ``bearer, <token>``.

    The form of Kubernetes is understood as well:
    ``base64url.bearer.authorization.<base64url(token)>`` beside another protocol.
    """


Source = BearerHeader | Cookie | QueryParam | Subprotocol

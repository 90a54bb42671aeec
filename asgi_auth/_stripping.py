"""Keep from the app what its callers identify themselves by.

It is for proxies, and for apps that run other people's code. What came is read before,
by the middleware; what is somebody else's stays, with the app that it is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from asgi_auth._asgi import ASGIApp, Headers, Receive, Scope, Send
from asgi_auth._unclaimed import is_unclaimed
from asgi_auth.credentials.sources import (
    BearerHeader,
    Cookie,
    Header,
    Source,
    Subprotocol,
)
from asgi_auth.principal import get_principal
from asgi_auth.responses.sender import Reply
from asgi_auth.responses.state import KEY
from asgi_auth.typing import Backend

__all__ = ["stripping"]


def stripping(app: ASGIApp, backend: Backend) -> ASGIApp:
    """Return *app*, run without what came from the sources of *backend*.

    Args:
        app: Called with headers of its own; those of the server stay as they are.
        backend: Tells which credentials are its own.
    """
    strip = _Stripper(backend.sources)

    async def stripped(scope: Scope, receive: Receive, send: Send) -> Any:
        if scope["type"] in {"http", "websocket"}:
            keeps = _is_foreign(scope, backend)
            scope["headers"] = strip.cleaned(scope, keeps_explicit=keeps)

        return await app(scope, receive, send)

    return stripped


def _is_foreign(scope: Scope, backend: Backend) -> bool:
    """Tell whether the explicit credential of *scope* is meant for the app."""
    reply: Reply = scope[KEY]
    credential = reply.credential
    if credential is None or not credential.explicit:
        return False

    return is_unclaimed(get_principal(scope).error, credential, backend)


class _Stripper:
    """Takes credentials out of headers.

    Args:
        sources: Where they may be, all of which are looked at.
    """

    __slots__ = ("_cookies", "_fields", "_schemes", "_subprotocol")

    def __init__(self, sources: Iterable[Source]) -> None:
        schemes = [s.scheme for s in sources if isinstance(s, BearerHeader)]
        fields = {s.name.lower(): s.ambient for s in sources if isinstance(s, Header)}
        cookies = [s.name for s in sources if isinstance(s, Cookie)]
        self._schemes = {scheme.lower().encode("ascii") for scheme in schemes}
        self._fields = {name.encode("ascii"): sent for name, sent in fields.items()}
        self._cookies = {name.encode("ascii") for name in cookies}
        self._subprotocol = any(isinstance(s, Subprotocol) for s in sources)

    def cleaned(self, scope: Scope, *, keeps_explicit: bool) -> Headers:
        """Return the headers of *scope* without credentials.

        Args:
            scope: Of which the offered subprotocols are without the token already.
            keeps_explicit: Take out only what no client has chosen to send.
        """
        headers: Headers = []
        for name, value in scope["headers"]:
            left = self._rest(name.lower(), value, scope, keeps_explicit=keeps_explicit)
            if left is not None:
                headers.append((name, left))

        return headers

    def _rest(
        self, name: bytes, value: bytes, scope: Scope, *, keeps_explicit: bool
    ) -> bytes | None:
        """Return what is left of a header's value; ``None``: it goes as a whole."""
        if name == b"cookie":
            return self._other_cookies(value)

        is_ambient = self._fields.get(name)
        if is_ambient:  # It was a proxy's, and is not what a client meant for the app.
            return None

        if keeps_explicit:
            return value

        if name == b"authorization":
            scheme = re.split(rb"[ \t]", value.lstrip(b" \t"), maxsplit=1)[0]
            return None if scheme.lower() in self._schemes else value

        if name == b"sec-websocket-protocol" and self._subprotocol:
            return ", ".join(scope.get("subprotocols") or ()).encode("latin-1") or None

        return value if is_ambient is None else None

    def _other_cookies(self, value: bytes) -> bytes | None:
        cookies = value.split(b";")
        kept = [c for c in cookies if _name_of(c) not in self._cookies]
        if len(kept) == len(cookies):
            return value

        return b";".join(kept).strip(b" \t") or None


def _name_of(cookie: bytes) -> bytes:
    return cookie.partition(b"=")[0].strip(b" \t")

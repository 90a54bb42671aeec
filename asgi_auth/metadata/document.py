"""One public JSON document as an ASGI app, with what caches need to know.

It looks at no credential: whatever it serves, everybody may read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Any

from asgi_auth._asgi import ASGIApp, Headers, Message, Receive, Scope, Send
from asgi_auth._encoding import compact_json
from asgi_auth.errors import ConfigurationError
from asgi_auth.responses.preflight import is_cors_preflight

__all__ = ["Document"]

_READERS = frozenset({"GET", "HEAD"})
_PROBES = _READERS | {"OPTIONS"}
_WELL_KNOWN = "/.well-known/"
# Clients in browsers read documents too, and nothing in them is secret.
_EVERYBODY = (b"access-control-allow-origin", b"*")
_PREFLIGHT: Headers = [
    _EVERYBODY,
    (b"access-control-allow-methods", b"GET, HEAD"),
    (b"access-control-allow-headers", b"*"),
    (b"access-control-max-age", b"86400"),
]


class Document:
    """A JSON document at one path.

    Mounted by itself it answers whatever its path is; :meth:`around` puts it before an
    app, for its path only.

    Args:
        content: Returns the document.
        path: Where it is, from the root of the host.
        max_age: Seconds that caches may keep it (RFC 9111, section 5.2.2.1).
        media_type: Its media type.

    Raises:
        ConfigurationError: The path does not begin with a slash, or max_age is
            negative.
    """

    def __init__(
        self,
        content: Callable[[], Mapping[str, Any]],
        *,
        path: str,
        max_age: int = 300,
        media_type: str = "application/json",
    ) -> None:
        if not path.startswith("/") or max_age < 0:
            msg = "A document needs a path that begins with a slash, and max_age >= 0."
            raise ConfigurationError(msg)

        self.path = path
        self._content = content
        self._max_age = max_age
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the document, or with 304 where the client has it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return

        if scope["type"] != "http":
            return

        if is_cors_preflight(scope):
            await _answer(send, 204, [*_PREFLIGHT], b"")
            return

        if scope["method"] not in _READERS:
            headers = [_EVERYBODY, (b"allow", b"GET, HEAD")]
            await _answer(send, 405, headers, b"")
            return

        body = compact_json(self._content())
        tag = b'"' + sha256(body).hexdigest()[:32].encode("ascii") + b'"'
        headers = [
            (b"cache-control", f"public, max-age={self._max_age}".encode("ascii")),
            (b"etag", tag),
            _EVERYBODY,
        ]
        if tag in _known_tags(scope):
            await _answer(send, 304, headers, b"")
            return

        headers.append((b"content-type", self._media_type.encode("ascii")))
        headers.append((b"content-length", str(len(body)).encode("ascii")))
        await _answer(send, 200, headers, b"" if scope["method"] == "HEAD" else body)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an app that serves this document, and passes all else on to *app*.

        Put it outside of the authentication, which would refuse who asks. A document
        below ``/.well-known/`` that is refused to who sends no credential is not there.
        """

        async def served(scope: Scope, receive: Receive, send: Send) -> Any:
            if scope["type"] != "http":
                return await app(scope, receive, send)

            path = scope["path"]
            if path == self.path:
                return await self(scope, receive, send)

            if path.startswith(_WELL_KNOWN) and _is_probe(scope):
                send = _Absent(send).send

            return await app(scope, receive, send)

        return served


class _Absent:
    """Answers 404 where the app asks for credentials: clients look for documents.

    They try one place after the other, and take a 401 for the answer to all.
    """

    __slots__ = ("_is_over", "_send")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._is_over = False

    async def send(self, message: Message) -> None:
        """Pass *message* on, unless it belongs to a challenge."""
        if self._is_over:
            return

        if (
            message["type"] == "http.response.start"
            and message.get("status") == HTTPStatus.UNAUTHORIZED
        ):
            self._is_over = True
            await _answer(self._send, 404, [_EVERYBODY], b"")
        else:
            await self._send(message)


def _is_probe(scope: Scope) -> bool:
    """Say whether a client only looks at what there is, without a token."""
    names = {name.lower() for name, _ in scope["headers"]}
    return scope["method"] in _PROBES and b"authorization" not in names


def _known_tags(scope: Scope) -> list[bytes]:
    """Read ``If-None-Match`` (RFC 9110, section 13.1.2), weakly compared."""
    values = [v for name, v in scope["headers"] if name.lower() == b"if-none-match"]
    return [
        tag.strip().removeprefix(b"W/") for value in values for tag in value.split(b",")
    ]


async def _answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    start = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})

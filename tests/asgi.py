"""Drives an ASGI app in memory, and holds it to the protocol.

A server would be slower and more lenient: here each message out of order fails.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: str) -> list[bytes]:
        wanted = name.encode("ascii")
        return [value for key, value in self.headers if key.lower() == wanted]

    def header(self, name: str) -> str | None:
        """Return the one field of this name, and fail if there are several."""
        values = self.all(name)
        assert len(values) < 2, values
        return values[0].decode("latin-1") if values else None

    def json(self) -> Any:
        return json.loads(self.body)


def http_scope(
    path="/", *, method="GET", query=b"", headers=(), **more
) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode("utf-8", "surrogateescape"),
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 8000),
        **more,
    }


def websocket_scope(
    path="/", *, query=b"", headers=(), subprotocols=(), denial=False, **more
) -> dict[str, Any]:
    scope = http_scope(path, query=query, headers=headers)
    del scope["method"]
    extensions = {"websocket.http.response": {}} if denial else {}
    return {
        **scope,
        "type": "websocket",
        "scheme": "ws",
        "subprotocols": list(subprotocols),
        "extensions": extensions,
        **more,
    }


async def run(app, path="/", *, body=b"", sent=None, **scope) -> Answer:
    """Send one HTTP request.

    Args:
        app: Any ASGI app.
        path: The decoded path.
        body: Of the request.
        sent: A list that gets the messages, for apps that raise.
        scope: See :func:`http_scope`.
    """
    messages = [] if sent is None else sent
    inbox = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return inbox.pop(0) if inbox else {"type": "http.disconnect"}

    async def send(message):
        messages.append(message)
        check_http(messages)

    await app(http_scope(path, **scope), receive, send)
    assert messages, "no answer"
    assert not messages[-1].get("more_body"), "the answer has no end"
    start, *bodies = messages
    content = b"".join(message.get("body", b"") for message in bodies)
    return Answer(start["status"], [(*pair,) for pair in start["headers"]], content)


def check_http(messages) -> None:
    """Fail where the last message may not come after the others."""
    *before, last = messages
    if not before:
        assert last["type"] == "http.response.start", last
        return

    assert last["type"] == "http.response.body", last
    ended = [m for m in before[1:] if not m.get("more_body")]
    assert not ended, "a message after the end"


async def converse(app, path="/", *, incoming=(), sent=None, **scope) -> list[dict]:
    """Open one WebSocket, say what is *incoming*, leave; return what the app sent."""
    messages = [] if sent is None else sent
    inbox = [{"type": "websocket.connect"}, *incoming]

    async def receive():
        if inbox:
            return inbox.pop(0)

        return {"type": "websocket.disconnect", "code": 1001}

    asked = websocket_scope(path, **scope)

    async def send(message):
        messages.append(message)
        check_websocket([m["type"] for m in messages], asked["extensions"])

    await app(asked, receive, send)
    return messages


def check_websocket(kinds, extensions) -> None:
    *before, last = kinds
    assert "websocket.close" not in before, "a message after the close"
    if last.startswith("websocket.http.response"):
        assert last.removesuffix(".body").removesuffix(".start") in extensions
        assert "websocket.accept" not in before
        assert before.count(last) == 0
    elif last == "websocket.accept":
        assert not before
    else:
        assert "websocket.http.response.start" not in before
        assert last == "websocket.close" or "websocket.accept" in before


def denial_of(messages) -> Answer:
    """Read the HTTP answer that refused a handshake."""
    start, body = messages
    assert start["type"] == "websocket.http.response.start"
    assert body["type"] == "websocket.http.response.body"
    return Answer(start["status"], start["headers"], body["body"])


def bearer(token: str | bytes) -> tuple[bytes, bytes]:
    raw = token.encode("ascii") if isinstance(token, str) else token
    return b"authorization", b"Bearer " + raw


def cookie(token: str | bytes, name: bytes = b"access") -> tuple[bytes, bytes]:
    raw = token.encode("ascii") if isinstance(token, str) else token
    return b"cookie", name + b"=" + raw


class Echo:
    """Says who calls; counts the calls and keeps the scopes."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []

    @property
    def calls(self) -> int:
        return len(self.scopes)

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close", "code": 1000})
            return

        principal = scope["auth"]
        body = json.dumps({"subject": principal.subject, "source": principal.source})
        headers = [(b"content-type", b"application/json")]
        start = {"type": "http.response.start", "status": 200, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": body.encode()})

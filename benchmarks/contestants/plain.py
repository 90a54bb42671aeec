"""The application without a framework: what every pure middleware is put around."""

from __future__ import annotations

from asgi_auth._asgi import ASGIApp, Receive, Scope, Send
from benchmarks.contestants import Kind

__all__ = ["application"]

START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"2")],
}
BODY = {"type": "http.response.body", "body": b"ok"}
ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close", "code": 1000}


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request."""
    await send(START)
    await send(BODY)


async def greet(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a socket and close it."""
    await receive()
    await send(ACCEPT)
    await send(CLOSE)


def application(kind: Kind) -> ASGIApp:
    """Return the application for requests or for sockets."""
    return answer if kind == "http" else greet

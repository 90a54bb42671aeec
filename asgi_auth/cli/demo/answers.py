"""Read and write JSON over bare ASGI: what the routes of the demo need, and no more."""

from __future__ import annotations

import json
from typing import Any

from asgi_auth._asgi import Headers, Receive, Send
from asgi_auth._encoding import compact_json

__all__ = ["NO_STORE", "read_json", "send_bytes", "send_json"]

NO_STORE = (b"cache-control", b"no-store")
_MOST = 4096


async def read_json(receive: Receive) -> dict[str, Any]:
    """Return the body; ``{}`` for one that is no object, or of more than 4 KiB."""
    body, more = b"", True
    while more and len(body) <= _MOST:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)

    try:
        value = json.loads(body[: _MOST + 1])
    except ValueError:
        return {}

    return value if isinstance(value, dict) and len(body) <= _MOST else {}


async def send_json(send: Send, value: Any, status: int = 200) -> None:
    """Answer with JSON that no cache keeps."""
    headers = [(b"content-type", b"application/json"), NO_STORE]
    await send_bytes(send, compact_json(value), headers, status)


async def send_bytes(
    send: Send, body: bytes, headers: Headers, status: int = 200
) -> None:
    """Answer with *body*."""
    length = (b"content-length", str(len(body)).encode())
    start = {"type": "http.response.start", "status": status}
    await send({**start, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})

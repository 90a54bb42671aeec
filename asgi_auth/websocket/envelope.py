"""How messages between processes are written: one line of JSON, then the content.

The fan-out is trusted: whoever can write to it can write to every client.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from asgi_auth._encoding import compact_json
from asgi_auth.websocket.payload import Payload

__all__ = ["Envelope", "unwrap", "wrap"]


class Envelope(NamedTuple):
    """A message of another process.

    Attributes:
        sender: The other process.
        verb: What it wants done.
        head: The facts.
        payload: What is to be delivered, if anything.
    """

    sender: str
    verb: str
    head: Mapping[str, Any]
    payload: Payload


def wrap(sender: str, verb: str, payload: Payload | None = None, **facts: Any) -> bytes:
    """Write one message."""
    head = {**facts, "from": sender, "do": verb}
    if payload is None:
        return compact_json(head)

    return compact_json({**head, "raw": payload.raw}) + b"\n" + payload.body


def unwrap(message: bytes) -> Envelope:
    """Read one message.

    Raises:
        ValueError: It is none of ours.
        KeyError: It lacks something.
    """
    first, _, body = message.partition(b"\n")
    head = json.loads(first)
    if not isinstance(head, dict):
        msg = "a head that is no object"
        raise ValueError(msg)  # noqa: TRY004  (of the value, not of the caller's type)

    payload = Payload(body, raw=bool(head.get("raw")))
    return Envelope(head["from"], head["do"], head, payload)

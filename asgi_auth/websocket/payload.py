"""Messages on their way: text, bytes and JSON.

JSON is strict both ways (RFC 8259): no NaN, no half characters. A message for many
is written once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Literal

from asgi_auth._asgi import Message
from asgi_auth._encoding import compact_json
from asgi_auth._frozen import parse_json
from asgi_auth.websocket.errors import BadMessageError

__all__ = ["Encoding", "Frame", "Payload", "decode"]

Encoding = Literal["json", "text", "bytes"]
"""What an app wants to get and to give."""

_INVALID = 1007
_DEEPEST = 64
_UNSUPPORTED = 1003


class Frame:
    """One message as ASGI has it, and how much memory it stands for.

    Attributes:
        message: A ``websocket.send``.
        size: Of its content, in bytes, roughly.
    """

    __slots__ = ("message", "size")

    def __init__(self, message: Message, size: int) -> None:
        self.message: Message = message
        self.size: int = size

    @classmethod
    def of(cls, content: str | bytes) -> Frame:
        """Wrap *content*."""
        key = "text" if isinstance(content, str) else "bytes"
        return cls({"type": "websocket.send", key: content}, len(content))


class Payload:
    """One message for many, written at most once for each encoding.

    Attributes:
        body: The message itself if it is bytes, else as JSON.
        raw: It is bytes.
    """

    __slots__ = ("_frames", "body", "raw")

    def __init__(self, body: bytes, *, raw: bool) -> None:
        self.body: bytes = body
        self.raw: bool = raw
        self._frames: dict[Encoding, Frame] = {}

    @classmethod
    def of(cls, message: Any) -> Payload:
        """Write *message*, bytes or any JSON value.

        Raises:
            ValueError: It holds a NaN, an infinity or a lone surrogate.
            TypeError: It has no JSON form.
        """
        if isinstance(message, bytes | bytearray | memoryview):
            return cls(bytes(message), raw=True)

        return cls(compact_json(message), raw=False)

    def frame(self, encoding: Encoding) -> Frame:
        """Return the message for sockets of one *encoding*, always the same object."""
        frame = self._frames.get(encoding)
        if frame is None:
            frame = self._frames[encoding] = self._make(encoding)

        return frame

    def _make(self, encoding: Encoding) -> Frame:
        # Bytes go out as bytes everywhere: a text that is none would end the socket.
        if self.raw or encoding == "bytes":
            return Frame.of(self.body)

        if encoding == "text" and self.body[:1] == b'"':
            return Frame.of(str(json.loads(self.body)))

        return Frame.of(self.body.decode("utf-8"))


def decode(content: str | bytes, encoding: Encoding) -> Any:
    """Read what a client sent.

    Raises:
        BadMessageError: It is of another kind, or no JSON.
    """
    expected = bytes if encoding == "bytes" else str
    if not isinstance(content, expected):
        msg = f"a message of {encoding} is expected"
        raise BadMessageError(msg, close_code=_UNSUPPORTED)

    return _loads(content) if encoding == "json" else content


def _is_deep(value: Any) -> bool:
    """Say whether lists and objects are nested deeper than messages need."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [part for whole in level for part in _parts(whole)]
        if not level:
            return False

    return True


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()

    return value if isinstance(value, list) else ()


def _loads(text: Any) -> Any:
    try:
        value = parse_json(text)
        if "\\ud" in text or "\\uD" in text:
            compact_json(value)  # Half a character could not be sent on.
    except (ValueError, RecursionError):
        msg = "the message is no JSON"
        raise BadMessageError(msg, close_code=_INVALID) from None

    if text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        msg = "the message is nested too deeply"  # It could not be sent on.
        raise BadMessageError(msg, close_code=_INVALID)

    return value

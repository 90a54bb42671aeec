"""Say what open connections end with, as an application chooses it once.

It ends none.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from asgi_auth.errors import ConfigurationError, check_choice

__all__ = ["ConnectionPolicy"]

_EVENTS: Final = "text/event-stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPolicy:
    """What an open WebSocket and a response that streams end with.

    ``token`` is the token of their caller. ``session`` is for own tokens, whose
    sessions go on when a token has ended.

    Attributes:
        websockets: What a WebSocket ends with.
        streams: What a response that streams ends with; ``None``: by itself.
        stream_types: The media types of such responses; ``*``: all.

    Raises:
        ConfigurationError: It is another word, or no media type.
    """

    websockets: Literal["token", "session"] = "token"
    streams: Literal["token", "session"] | None = "token"
    stream_types: Iterable[str] = (_EVENTS,)

    def __post_init__(self) -> None:
        """Refuse other words; keep the types as they are now, in small letters."""
        check_choice("websockets", self.websockets, {"token", "session"})
        if self.streams is not None:
            check_choice("streams", self.streams, {"token", "session"})

        types = self.stream_types
        names = [types] if isinstance(types, str) else [*types]
        for name in names:
            if name != "*" and (name.count("/") != 1 or not name.isascii()):
                msg = f"stream_types has media types as {_EVENTS}, or *: {name!r}"
                raise ConfigurationError(msg)

        object.__setattr__(self, "stream_types", tuple(map(str.lower, names)))

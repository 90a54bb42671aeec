"""What a WebSocket client says: who it is, and that it is still the same.

It opens no connection: the texts fit any client library.
"""

from __future__ import annotations

import re

from asgi_auth._encoding import b64url_encode, compact_json
from asgi_auth.errors import ConfigurationError

__all__ = ["bearer_subprotocols", "reauthentication"]

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PREFIX = "base64url.bearer.authorization."


def bearer_subprotocols(token: str, *others: str) -> list[str]:
    """Offer a token as WebSocket subprotocols, for servers that read ``Subprotocol()``.

    Args:
        token: An access token.
        others: What the client really speaks, the best first. The server chooses one
            of these; without any it answers ``bearer``.

    Raises:
        ConfigurationError: A name is no token of RFC 9110, section 5.6.2, or there are
            no others and the access token is none.
    """
    if any(_NAME.fullmatch(name) is None for name in others):
        msg = "A subprotocol is a token: letters, digits and !#$%&'*+-.^_`|~ only."
        raise ConfigurationError(msg)

    if others:
        return [*others, _PREFIX + b64url_encode(token.encode()).decode()]

    if _NAME.fullmatch(token) is None:
        msg = (
            "This access token cannot be a subprotocol as it is: name a subprotocol "
            "that the app speaks, and it is sent encoded next to that."
        )
        raise ConfigurationError(msg)

    return ["bearer", token]


def reauthentication(token: str) -> str:
    """Return the message that lets an open WebSocket live as long as *token*.

    ``WebSocketEndpoint`` understands it, where it speaks JSON, and answers
    ``{"type": "auth", "ok": true, "expires_at": ...}``. It must be sent before the
    token of the connection ends.

    Args:
        token: A new access token of the same user.
    """
    return compact_json({"type": "auth", "token": token}).decode()

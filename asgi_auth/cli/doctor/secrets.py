"""Judge an HMAC secret that was good enough to be accepted, and say where it stands.

A secret that is refused anyhow never comes here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from math import log2

from asgi_auth._encoding import b64url_decode

__all__ = ["doubt_of", "place_of"]

_BITS = 128
"""What a secret should be worth; random text of 32 characters is worth about 150."""

_WORD = re.compile(r"[a-z]{3,}", re.IGNORECASE)
_WORDS = 3


def doubt_of(secret: str) -> str:
    """Say why a secret may be guessed; empty if nothing speaks against it.

    Args:
        secret: In base64url, as in a JWK.
    """
    data = b64url_decode(secret.encode())
    # The worth of its letters, as often as they come: an upper bound.
    worth = -sum(n * log2(n / len(data)) for n in Counter(data).values())
    if worth < _BITS:
        return f"is worth {worth:.0f} bits at most"

    text = data.decode("latin-1")
    parts = re.split(r"[\s_.,:;+-]+", text)
    if len(parts) > _WORDS and all(map(_WORD.fullmatch, parts)):
        return "is made of words"

    return ""


def place_of(secret: str, sources: Mapping[str, str]) -> str:
    """Return the file and line in which a secret stands as it is, or nothing.

    Args:
        secret: In base64url, as in a JWK.
        sources: Texts by file.
    """
    try:
        text = b64url_decode(secret.encode()).decode()
    except UnicodeDecodeError:
        return ""

    for name, source in sources.items():
        before, match, _ = source.partition(text)
        if match:
            return f"{name}, line {before.count(chr(10)) + 1}"

    return ""

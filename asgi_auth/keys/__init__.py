"""Keys: what tokens are signed with, and what they are verified with.

Nothing here reads a token; that is :mod:`asgi_auth.tokens`.
"""

from __future__ import annotations

from asgi_auth.keys.key import Key
from asgi_auth.keys.keyset import KeySet

__all__ = ["Key", "KeySet"]

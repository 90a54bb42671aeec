"""The keys of an issuer that has not been asked yet.

A set is never empty: it holds the public half of a key whose private half nobody has.
"""

from __future__ import annotations

from asgi_auth.keys.key import Key
from asgi_auth.keys.keyset import KeySet

__all__ = ["unknown_keys"]


def unknown_keys() -> KeySet:
    """Return a set of keys with which no token was signed."""
    return KeySet([Key.generate("EdDSA").public()])

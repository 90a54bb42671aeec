"""Keys: what tokens are signed with, and what they are verified with.

Nothing here reads a token; that is :mod:`asgi_auth.tokens`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._drivers.transport import Transport
from asgi_auth._lazy import lazily
from asgi_auth.keys.key import Key
from asgi_auth.keys.keyset import KeySet
from asgi_auth.keys.sealing import SealedValueError, SealKeys

if TYPE_CHECKING:
    from asgi_auth.keys.jwks import JWKSClient
    from asgi_auth.keys.pem_client import PEMClient
else:
    __getattr__ = lazily(__name__, {"jwks": "JWKSClient", "pem_client": "PEMClient"})

__all__ = [
    "JWKSClient",
    "Key",
    "KeySet",
    "PEMClient",
    "SealKeys",
    "SealedValueError",
    "Transport",
]

"""What is said in public: keys, metadata, and the ear for log-outs elsewhere."""

from __future__ import annotations

from asgi_auth.metadata.backchannel import BackChannelLogout
from asgi_auth.metadata.resource import ProtectedResource
from asgi_auth.metadata.server import JWKSDocument, ServerMetadata

__all__ = [
    "BackChannelLogout",
    "JWKSDocument",
    "ProtectedResource",
    "ServerMetadata",
]

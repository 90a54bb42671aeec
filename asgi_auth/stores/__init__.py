"""Stores: where sessions and revocations are kept.

A store of your own keeps the contract of ``asgi_auth.testing.StoreContract``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.stores.audit import SQLAuditLog
    from asgi_auth.stores.base import OnceStore, RevocationStore, SessionStore, Store
    from asgi_auth.stores.memory import MemoryStore
    from asgi_auth.stores.records import (
        FEED_PAGE,
        Device,
        Feed,
        NewSession,
        Place,
        Revocation,
        Rotation,
        Session,
    )
    from asgi_auth.stores.redis import RedisStore
    from asgi_auth.stores.rotation import judge
    from asgi_auth.stores.sql import SQLStore
else:
    __getattr__ = lazily(
        __name__,
        {
            "audit": "SQLAuditLog",
            "base": "OnceStore RevocationStore SessionStore Store",
            "memory": "MemoryStore",
            "records": (
                "FEED_PAGE Device Feed NewSession Place Revocation Rotation Session"
            ),
            "redis": "RedisStore",
            "rotation": "judge",
            "sql": "SQLStore",
        },
    )

__all__ = [
    "FEED_PAGE",
    "Device",
    "Feed",
    "MemoryStore",
    "NewSession",
    "OnceStore",
    "Place",
    "RedisStore",
    "Revocation",
    "RevocationStore",
    "Rotation",
    "SQLAuditLog",
    "SQLStore",
    "Session",
    "SessionStore",
    "Store",
    "judge",
]

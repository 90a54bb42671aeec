"""Stores: where sessions and revocations are kept.

A store of your own keeps the contract of ``asgi_auth.testing.StoreContract``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.stores.audit import SQLAuditLog
    from asgi_auth.stores.base import Store
    from asgi_auth.stores.memory import MemoryStore
    from asgi_auth.stores.records import (
        Device,
        Feed,
        NewSession,
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
            "base": "Store",
            "memory": "MemoryStore",
            "records": "Device Feed NewSession Revocation Rotation Session",
            "redis": "RedisStore",
            "rotation": "judge",
            "sql": "SQLStore",
        },
    )

__all__ = [
    "Device",
    "Feed",
    "MemoryStore",
    "NewSession",
    "RedisStore",
    "Revocation",
    "Rotation",
    "SQLAuditLog",
    "SQLStore",
    "Session",
    "Store",
    "judge",
]

"""Passkeys: log in with what a device keeps, without a name and without a password.

The core does not know them. They need the extra ``passkeys``; ``AuthRoutes`` has their
routes where it is given :class:`Passkeys`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily
from asgi_auth.passkeys.errors import (
    DuplicatePasskeyError,
    UnknownPasskeyError,
)
from asgi_auth.passkeys.memory import MemoryPasskeys
from asgi_auth.passkeys.records import Passkey, PasskeyStore

if TYPE_CHECKING:
    from asgi_auth.passkeys.settings import Passkeys
    from asgi_auth.passkeys.sql import SQLPasskeys
else:
    __getattr__ = lazily(__name__, {"settings": "Passkeys", "sql": "SQLPasskeys"})

__all__ = [
    "DuplicatePasskeyError",
    "MemoryPasskeys",
    "Passkey",
    "PasskeyStore",
    "Passkeys",
    "SQLPasskeys",
    "UnknownPasskeyError",
]

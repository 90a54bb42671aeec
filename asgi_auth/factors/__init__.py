"""Second factors: codes of authenticator apps, by e-mail, and for recovery.

They are off unless an application hands :class:`Factors` to its log-in routes. Nothing
below this package knows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily
from asgi_auth.factors.errors import StaleFactorError
from asgi_auth.factors.memory import MemoryFactors
from asgi_auth.factors.records import FactorRecord, FactorStore
from asgi_auth.factors.service import Factors

if TYPE_CHECKING:
    from asgi_auth.factors.sql import SQLFactors
else:
    __getattr__ = lazily(__name__, {"sql": "SQLFactors"})

__all__ = [
    "FactorRecord",
    "FactorStore",
    "Factors",
    "MemoryFactors",
    "SQLFactors",
    "StaleFactorError",
]

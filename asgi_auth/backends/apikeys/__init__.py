"""API keys: their form, how they are kept, and who may use them."""

from __future__ import annotations

from asgi_auth.backends.apikeys.memory import MemoryAPIKeys
from asgi_auth.backends.apikeys.records import APIKey, APIKeyStore, NewAPIKey
from asgi_auth.backends.apikeys.service import APIKeys
from asgi_auth.backends.apikeys.sql import SQLAPIKeys

__all__ = [
    "APIKey",
    "APIKeyStore",
    "APIKeys",
    "MemoryAPIKeys",
    "NewAPIKey",
    "SQLAPIKeys",
]

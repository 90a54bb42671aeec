"""Passwords: how they are hashed, and which ones are refused."""

from __future__ import annotations

from asgi_auth.passwords.hasher import PasswordHasher
from asgi_auth.passwords.policy import PasswordPolicy, PasswordRefusedError

__all__ = [
    "PasswordHasher",
    "PasswordPolicy",
    "PasswordRefusedError",
]

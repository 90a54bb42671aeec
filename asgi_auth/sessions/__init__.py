"""Sessions: one log-in on one device, from its first pair of tokens to its end."""

from __future__ import annotations

from asgi_auth.sessions.lifetimes import SessionPolicy
from asgi_auth.sessions.service import TokenService

__all__ = ["SessionPolicy", "TokenService"]

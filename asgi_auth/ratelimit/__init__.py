"""Limits on tries, and whose tries they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.ratelimit.client_address import ClientAddresses
    from asgi_auth.ratelimit.limiter import Limit, Limits, RateLimiter
else:
    __getattr__ = lazily(
        __name__,
        {
            "client_address": "ClientAddresses",
            "limiter": "Limit Limits RateLimiter",
        },
    )

__all__ = [
    "ClientAddresses",
    "Limit",
    "Limits",
    "RateLimiter",
]

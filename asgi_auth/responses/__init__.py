"""Refusals: what a caller is told who is not let in.

Whether somebody is let in is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.responses.challenge import Challenge
    from asgi_auth.responses.deny import deny, response_to
    from asgi_auth.responses.refusals import RefusalMiddleware

__all__ = [
    "Challenge",
    "RefusalMiddleware",
    "deny",
    "response_to",
]

__getattr__ = lazily(
    __name__,
    {
        "challenge": "Challenge",
        "deny": "deny response_to",
        "refusals": "RefusalMiddleware",
    },
)

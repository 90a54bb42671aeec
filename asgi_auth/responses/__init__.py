"""Refusals: the answers to callers who are not let in.

Whether a caller is let in is decided elsewhere.
"""

from __future__ import annotations

from asgi_auth.responses.challenge import Challenge
from asgi_auth.responses.deny import deny, response_to
from asgi_auth.responses.paths import safe_path
from asgi_auth.responses.people import RefusalResponse
from asgi_auth.responses.refusal_policy import RefusalPolicy
from asgi_auth.responses.refusals import RefusalMiddleware

__all__ = [
    "Challenge",
    "RefusalMiddleware",
    "RefusalPolicy",
    "RefusalResponse",
    "deny",
    "response_to",
    "safe_path",
]

"""Tokens: how they look, what must hold for them, and what is granted by them.

Sessions, and whether a token was revoked, are for the packages beside this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.tokens.claim_mapping import ClaimMapping
    from asgi_auth.tokens.form import TokenForm
    from asgi_auth.tokens.grant import Grant
    from asgi_auth.tokens.pair import TokenPair
    from asgi_auth.tokens.verification import Verification
    from asgi_auth.tokens.verifier import TokenVerifier
else:
    __getattr__ = lazily(
        __name__,
        {
            "claim_mapping": "ClaimMapping",
            "form": "TokenForm",
            "grant": "Grant",
            "pair": "TokenPair",
            "verification": "Verification",
            "verifier": "TokenVerifier",
        },
    )

__all__ = [
    "ClaimMapping",
    "Grant",
    "TokenForm",
    "TokenPair",
    "TokenVerifier",
    "Verification",
]

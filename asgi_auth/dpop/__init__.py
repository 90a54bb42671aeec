"""Tokens that are worth nothing without a key: DPoP (RFC 9449), and certificates.

The core knows nothing of this package: backends take what is made here as
``confirmations``, and :class:`~asgi_auth.routes.app.AuthRoutes` as ``dpop``.
"""

from __future__ import annotations

from asgi_auth.dpop.certificates import ClientCertificate
from asgi_auth.dpop.confirmation import DPoP
from asgi_auth.dpop.nonces import Nonces
from asgi_auth.dpop.signer import ProofSigner

__all__ = [
    "ClientCertificate",
    "DPoP",
    "Nonces",
    "ProofSigner",
]

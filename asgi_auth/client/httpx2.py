"""Authentication for clients of httpx2.

It decides nothing: that is in :mod:`asgi_auth.client.flow`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from asgi_auth.client.auth import BearerAuthFlows
from asgi_auth.client.proofs import ProofFlows
from asgi_auth.errors import MissingExtraError

try:
    import httpx2
except ImportError as _error:
    _MSG = (
        'asgi_auth.client.httpx2 needs httpx2: python -m pip install "asgi-auth[http]"'
    )
    raise MissingExtraError(_MSG) from _error

__all__ = ["BearerAuth"]


class _ProofAuth(ProofFlows, httpx2.Auth):
    """Proofs for log-ins."""


class BearerAuth(BearerAuthFlows, httpx2.Auth):
    """:class:`~asgi_auth.client.auth.BearerAuthFlows` for clients of httpx2."""

    _library: ClassVar[Any] = httpx2
    _proof_auth: ClassVar[type[ProofFlows]] = _ProofAuth

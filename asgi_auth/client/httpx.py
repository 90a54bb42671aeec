"""Authentication for clients of httpx.

It decides nothing: that is in :mod:`asgi_auth.client.flow`.
"""

from __future__ import annotations

from typing import Any, ClassVar

from asgi_auth.client.auth import BearerAuthFlows
from asgi_auth.client.proofs import ProofFlows
from asgi_auth.errors import MissingExtraError

try:
    import httpx
except ImportError as _error:
    _MSG = "asgi_auth.client.httpx needs httpx: python -m pip install httpx"
    raise MissingExtraError(_MSG) from _error

__all__ = ["BearerAuth"]


class _ProofAuth(ProofFlows, httpx.Auth):
    """Proofs for log-ins."""


class BearerAuth(BearerAuthFlows, httpx.Auth):
    """:class:`~asgi_auth.client.auth.BearerAuthFlows` for clients of httpx."""

    _library: ClassVar[Any] = httpx
    _proof_auth: ClassVar[type[ProofFlows]] = _ProofAuth

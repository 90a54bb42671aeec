"""What is revoked, known in every process: the local list and how it is kept up."""

from __future__ import annotations

from asgi_auth.revocation.revocation_list import RevocationList

__all__ = ["RevocationList"]

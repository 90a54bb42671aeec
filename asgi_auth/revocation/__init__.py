"""What is revoked, known in every process: the local list and how it is kept up."""

from __future__ import annotations

from asgi_auth.revocation.revocation_list import RevocationList
from asgi_auth.revocation.uptime import uptime
from asgi_auth.revocation.validity import Renew, Validity, validity_of

__all__ = ["Renew", "RevocationList", "Validity", "uptime", "validity_of"]

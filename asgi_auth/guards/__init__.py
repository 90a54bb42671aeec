"""Guards refuse: they compare what is needed with the principal in the scope."""

from __future__ import annotations

from asgi_auth.guards.requires import Requirement, requires

__all__ = ["Requirement", "requires"]

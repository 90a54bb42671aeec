"""Guards refuse: they compare what is needed with the principal in the scope."""

from __future__ import annotations

from asgi_auth.guards.policy import Policy, holds, policy
from asgi_auth.guards.requires import requires
from asgi_auth.guards.roles import RoleHierarchy

__all__ = ["Policy", "RoleHierarchy", "holds", "policy", "requires"]

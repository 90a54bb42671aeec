"""A guard that has let a caller in, and what it was asked about.

It is asked again when the caller of a socket or stream changes, about the same scope:
routers write into copies of scopes what policies read. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asgi_auth.principal import LIFETIME, NO_LIFETIME
from asgi_auth.responses.state import Guard

__all__ = ["AskedGuard"]


@dataclass(frozen=True, slots=True, eq=False)
class AskedGuard:
    """A guard, and the scope in which it was asked.

    Attributes:
        guard: Lets a caller pass, or raises.
        scope: Of the connection, as the guard saw it.
    """

    guard: Guard
    scope: Mapping[str, Any]

    async def verify(self, connection: Mapping[str, Any], /) -> object:
        """Ask about the caller in *connection*.

        Raises:
            AuthError: It must not pass.
        """
        # Without what knows the caller as it was.
        scope = {**self.scope, LIFETIME: NO_LIFETIME}
        scope["auth"], scope["user"] = connection["auth"], connection["user"]
        return await self.guard.verify(scope)

"""A guard that has let a socket in, and what it was asked about.

It is asked again when the caller of the socket changes, about the same scope: routers
write into copies of scopes what policies read. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asgi_auth.principal import LIFETIME
from asgi_auth.responses.state import Guard, RequestState

__all__ = ["AskedGuard", "remember"]


@dataclass(frozen=True, slots=True, eq=False)
class AskedGuard:
    """A guard, and the scope in which it was asked.

    Attributes:
        guard: Lets a caller pass, or raises.
        scope: Of the socket, as the guard saw it.
    """

    guard: Guard
    scope: Mapping[str, Any]

    async def verify(self, connection: Mapping[str, Any], /) -> object:
        """Ask about the caller in *connection*.

        Raises:
            AuthError: It must not pass.
        """
        scope = {name: self.scope[name] for name in self.scope if name != LIFETIME}
        scope["auth"], scope["user"] = connection["auth"], connection["user"]
        return await self.guard.verify(scope)


def remember(guard: Guard, scope: Mapping[str, Any], state: RequestState) -> None:
    """Have *guard* asked again, unless the socket is open and this is a message."""
    asked = (other.guard for other in state.guards if isinstance(other, AskedGuard))
    if not state.started and not any(guard is other for other in asked):
        state.guards += (AskedGuard(guard, scope),)

"""Remember which guards have let a socket in, to ask them again when it changes.

It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from asgi_auth.responses.asked import AskedGuard
from asgi_auth.responses.state import Guard, RequestState

__all__ = ["remember"]


def remember(guard: Guard, scope: Mapping[str, Any], state: RequestState) -> None:
    """Have *guard* asked again, unless the socket is open and this is a message."""
    guards = (other.guard for other in state.guards if isinstance(other, AskedGuard))
    if not state.started and not any(guard is other for other in guards):
        state.guards += (AskedGuard(guard, scope),)

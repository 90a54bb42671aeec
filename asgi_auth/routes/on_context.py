"""What classes of handlers stand on, so that each need not say so itself.

It has no handler of its own.
"""

from __future__ import annotations

from asgi_auth.routes.completion import LogInCompletion
from asgi_auth.routes.context import RouteContext

__all__ = ["OnCompletion", "OnContext"]


class OnContext:
    """Handlers that need the settings.

    Args:
        context: The settings.
    """

    __slots__ = ("_context",)

    def __init__(self, context: RouteContext) -> None:
        self._context = context


class OnCompletion(OnContext):
    """Handlers that also open sessions, or ask for second factors.

    Args:
        context: The settings.
        completion: Opens the sessions, and knows all the factors that a user has.
    """

    __slots__ = ("_completion",)

    def __init__(self, context: RouteContext, completion: LogInCompletion) -> None:
        super().__init__(context)
        self._completion = completion

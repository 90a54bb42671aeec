"""Find tools that take a refusal for a crash, because of where they stand.

They are known by their modules. What an application does about refusals itself is
respected.
"""

from __future__ import annotations

from typing import Any

from asgi_auth.cli.doctor.reach import reachable
from asgi_auth.errors import AsgiAuthError, AuthError
from asgi_auth.responses.refusals import RefusalMiddleware

__all__ = ["misled_tools"]

_TOOLS = (
    "ddtrace.contrib.",
    "elasticapm.contrib.",
    "litestar.contrib.opentelemetry.",
    "litestar.plugins.opentelemetry.",
    "litestar.plugins.prometheus.",
    "opentelemetry.instrumentation.",
    "prometheus_fastapi_instrumentator.",
    "sentry_sdk.integrations.",
    "starlette_exporter.",
    "starlette_prometheus.",
)


def misled_tools(app: Any) -> list[str]:
    """Return the names of tools within *app* that see no refusal as one.

    None, where a handler of the app or :class:`RefusalMiddleware` answers refusals.
    """
    names: set[str] = set()
    for part in reachable(app):
        kind = type(part)
        # By its name: Django has one of its own, which is no ASGI app.
        if kind.__name__ == RefusalMiddleware.__name__ or _handles_refusals(part):
            return []

        if kind.__module__.startswith(_TOOLS) and "__call__" in vars(kind):
            names.add(kind.__name__)

    return sorted(names)


def _handles_refusals(part: Any) -> bool:
    """Say whether these are exception handlers, with one for refusals."""
    return type(part) is dict and (AuthError in part or AsgiAuthError in part)

"""What happens, and how things stand, in the words of Prometheus and OpenTelemetry.

It asks and listens; the request path does not know it. Who uses one of the two imports
nothing of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_auth._lazy import lazily

if TYPE_CHECKING:
    from asgi_auth.metrics.opentelemetry import OpenTelemetryMetrics
    from asgi_auth.metrics.prometheus import PrometheusMetrics
else:
    __getattr__ = lazily(
        __name__,
        {"opentelemetry": "OpenTelemetryMetrics", "prometheus": "PrometheusMetrics"},
    )

__all__ = ["OpenTelemetryMetrics", "PrometheusMetrics"]

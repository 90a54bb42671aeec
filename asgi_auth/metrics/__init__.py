"""What happens, and how things stand, in the words of Prometheus and OpenTelemetry.

It asks and listens; the request path does not know it.
"""

from __future__ import annotations

from asgi_auth.metrics.opentelemetry import OpenTelemetryMetrics
from asgi_auth.metrics.prometheus import PrometheusMetrics

__all__ = ["OpenTelemetryMetrics", "PrometheusMetrics"]

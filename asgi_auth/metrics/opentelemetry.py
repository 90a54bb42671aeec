"""Metrics and spans for OpenTelemetry: named as its conventions name things.

Needs the extra ``opentelemetry``; the application brings the SDK and its exporters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, finalize

from asgi_auth._drivers.calls import Call, watch_calls
from asgi_auth.errors import MissingExtraError
from asgi_auth.metrics.readings import FAMILIES, Exporter, Readings, merged

try:
    from opentelemetry import metrics, trace
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["OpenTelemetryMetrics"]

_SCOPE = "asgi_auth"
# The advice of the conventions for durations in seconds.
_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0]


class OpenTelemetryMetrics(Exporter):
    """Exports what one application does; give it as ``on_event``.

    Calls to stores and to issuers become spans as well, within the current one.

    Args:
        app: The value of the attribute ``app``.
        meter_provider: Of the SDK; by default the global one.
        tracer_provider: Likewise.

    Raises:
        MissingExtraError: opentelemetry-api is not installed.
    """

    def __init__(
        self,
        app: str = "",
        *,
        meter_provider: Any = None,
        tracer_provider: Any = None,
    ) -> None:
        if not _INSTALLED:
            msg = (
                "OpenTelemetryMetrics needs opentelemetry-api: "
                'python -m pip install "asgi-auth[opentelemetry]"'
            )
            raise MissingExtraError(msg)

        super().__init__(app)
        target = meter_provider or metrics.get_meter_provider()
        tracer = (tracer_provider or trace.get_tracer_provider()).get_tracer(_SCOPE)
        with _lock:
            instruments = _instruments.get(target)
            if instruments is None:
                made = _Instruments(target.get_meter(_SCOPE), tracer)
                instruments = _instruments[target] = made
                finalize(target, watch_calls(made.watch))

        instruments.all_readings.append(self.readings)


class _Instruments:
    """All that one provider shows of ours."""

    def __init__(self, meter: Any, tracer: Any) -> None:
        self.all_readings: list[Readings] = []
        self._tracer = tracer
        for name, family in FAMILIES.items():
            is_counter = family.kind == "counter"
            make = meter.create_observable_gauge
            make = meter.create_observable_counter if is_counter else make
            full = f"asgi_auth.{name.replace('_', '.', 1)}"
            callbacks = [self._observe(name)]
            make(full, callbacks, unit=family.unit, description=family.text)

        self._durations = meter.create_histogram(
            "asgi_auth.call.duration",
            unit="s",
            description="How long calls to stores and to issuers took",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )

    def _observe(self, name: str) -> Callable[[Any], Iterator[Any]]:
        labels = FAMILIES[name].labels

        def observe(_: Any) -> Iterator[Any]:
            for values, value in merged(self.all_readings).get(name, {}).items():
                facts = dict(zip(labels, values, strict=True))
                yield metrics.Observation(value, facts)

        return observe

    @contextmanager
    def watch(self, call: Call) -> Iterator[None]:
        """Measure what is done within, and have it in a span."""
        facts = _facts_of(call)
        began = time.perf_counter()
        kind = trace.SpanKind.CLIENT
        with self._tracer.start_as_current_span(
            call.operation,
            kind=kind,
            attributes={**facts, "asgi_auth.place": call.place},
            # What drivers say may hold an address with a password.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                name = facts["error.type"] = type(error).__name__
                span.set_attribute("error.type", name)
                span.set_status(trace.StatusCode.ERROR, name)
                raise
            finally:
                self._durations.record(time.perf_counter() - began, facts)


def _facts_of(call: Call) -> dict[str, str]:
    """Return attributes by the semantic conventions for databases and HTTP."""
    if call.system == "http":
        return {"http.request.method": call.operation}

    return {"db.system.name": call.system, "db.operation.name": call.operation}


_lock = Lock()
_instruments: WeakKeyDictionary[Any, _Instruments] = WeakKeyDictionary()

"""Metrics for prometheus-client: named as Prometheus names things.

Needs the extra ``prometheus``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary, finalize

from asgi_auth._drivers.calls import Call, watch_calls
from asgi_auth.errors import MissingExtraError
from asgi_auth.metrics.readings import FAMILIES, Exporter, Readings, merged

try:
    import prometheus_client
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
except ImportError:
    _INSTALLED = False
else:
    _INSTALLED = True

__all__ = ["PrometheusMetrics"]

_BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_UNITS = {"s": "_seconds"}


class PrometheusMetrics(Exporter):
    """Exports what one application does; give it as ``on_event``.

    Several may share a registry, each under a name of its own.

    Attributes:
        registry: Where it is registered.

    Args:
        app: The value of the label ``app``.
        registry: Where to register; by default that of prometheus-client.

    Raises:
        MissingExtraError: prometheus-client is not installed.
    """

    def __init__(
        self,
        app: str = "",
        *,
        registry: Any = None,
    ) -> None:
        if not _INSTALLED:
            msg = (
                "PrometheusMetrics needs prometheus-client: "
                'python -m pip install "asgi-auth[prometheus]"'
            )
            raise MissingExtraError(msg)

        super().__init__(app)
        target = prometheus_client.REGISTRY if registry is None else registry
        self.registry: Any = target
        with _lock:
            collector = _collectors.get(target)
            if collector is None:
                collector = _collectors[target] = _Collector()
                target.register(collector)
                finalize(target, watch_calls(collector.durations.watch))

        collector.all_readings.append(self.readings)


class _Collector:
    """All that one registry shows of ours."""

    def __init__(self) -> None:
        self.all_readings: list[Readings] = []
        self.durations = _Durations()

    def describe(self) -> Iterator[Any]:
        """Name what there is, so that a second registration is noticed."""
        return self.collect()

    def collect(self) -> Iterator[Any]:
        """Yield all families, each once."""
        samples = merged(self.all_readings)
        for name, family in FAMILIES.items():
            full = f"asgi_auth_{name}{_UNITS.get(family.unit, '')}"
            kind = (
                CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            )
            made = kind(full, f"{family.text}.", labels=family.labels)
            for labels, value in samples.get(name, {}).items():
                made.add_metric(labels, value)

            yield made

        yield self.durations.collect()


class _Durations:
    """How long calls take, as a histogram."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._cells: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}

    @contextmanager
    def watch(self, call: Call) -> Iterator[None]:
        """Measure what is done within."""
        began, outcome = time.perf_counter(), "error"
        try:
            yield
            outcome = "ok"
        finally:
            labels = call.system, call.operation, outcome
            self._add(labels, time.perf_counter() - began)

    def collect(self) -> Any:
        """Return the family."""
        made = HistogramMetricFamily(
            "asgi_auth_call_duration_seconds",
            "How long calls to stores and to issuers took.",
            labels=("system", "operation", "outcome"),
        )
        with self._lock:
            for labels, (counts, total) in self._cells.items():
                made.add_metric(labels, [*_cumulative(counts)], sum_value=total[0])

        return made

    def _add(self, labels: tuple[str, ...], seconds: float) -> None:
        place = next((at for at, bound in enumerate(_BOUNDS) if seconds <= bound), -1)
        with self._lock:
            cell = self._cells.setdefault(labels, ([0] * (len(_BOUNDS) + 1), [0.0]))
            cell[0][place] += 1
            cell[1][0] += seconds


def _cumulative(counts: list[int]) -> Iterator[tuple[str, float]]:
    """Yield buckets as Prometheus has them: each holds those below, too."""
    total = 0
    for bound, count in zip((*map(str, _BOUNDS), "+Inf"), counts, strict=True):
        total += count
        yield bound, float(total)


_lock = Lock()
_collectors: WeakKeyDictionary[Any, _Collector] = WeakKeyDictionary()

from __future__ import annotations

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from asgi_auth import Event, KeySet, TokenService
from asgi_auth.errors import UnavailableError
from asgi_auth.metrics import OpenTelemetryMetrics
from asgi_auth.stores.redis import RedisStore
from asgi_auth.stores.sql import SQLStore
from tests.forge import SECRET


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def meters(reader):
    provider = MeterProvider(metric_readers=[reader])
    yield provider
    provider.shutdown()


@pytest.fixture
def spans():
    return InMemorySpanExporter()


@pytest.fixture
def tracers(spans):
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    yield provider
    provider.shutdown()


def read(reader):
    points = {}
    for resource in reader.get_metrics_data().resource_metrics:
        for metric in (m for scope in resource.scope_metrics for m in scope.metrics):
            for point in metric.data.data_points:
                facts = [str(value) for _, value in sorted(point.attributes.items())]
                points[metric.name, *facts] = point

    return points


async def test_the_sdk_reads_what_two_applications_count(reader, meters):
    tokens = TokenService(KeySet.from_secret(SECRET))
    shop = OpenTelemetryMetrics("shop", meter_provider=meters)
    shop.watch(tokens)
    blog = OpenTelemetryMetrics("blog", meter_provider=meters)
    shop(Event(name="login.failed", at=1.0))
    blog(Event(name="session.rotated", at=1.0))
    points = read(reader)
    assert points["asgi_auth.logins", "shop", "failed"].value == 1
    assert points["asgi_auth.refreshes", "blog", "rotated"].value == 1
    assert points["asgi_auth.tokens.remembered", "shop"].value == 0
    assert points["asgi_auth.ready", "shop"].value == 1


async def test_a_call_to_a_store_is_a_span_and_a_duration(
    reader, meters, spans, tracers, tmp_path
):
    OpenTelemetryMetrics(meter_provider=meters, tracer_provider=tracers)
    store = SQLStore(f"sqlite:///{tmp_path / 'a.db'}")
    await store.create_schema()
    with tracers.get_tracer("app").start_as_current_span("request") as request:
        await store.ping()

    await store.aclose()
    first, *_ = spans.get_finished_spans()
    assert (first.name, first.kind) == ("SELECT", SpanKind.CLIENT)
    assert first.parent.span_id == request.get_span_context().span_id
    assert first.attributes["db.system.name"] == "sqlite"
    duration = read(reader)["asgi_auth.call.duration", "SELECT", "sqlite"]
    assert duration.count == len(spans.get_finished_spans()) - 1


async def test_a_span_of_an_outage_names_the_fault_and_no_secret(
    reader, meters, spans, tracers
):
    OpenTelemetryMetrics(meter_provider=meters, tracer_provider=tracers)
    store = RedisStore("redis://:pl4nted@127.0.0.1:1/0")
    with pytest.raises(UnavailableError):
        await store.ping()

    await store.aclose()
    (span,) = spans.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "UnavailableError"
    assert not span.events
    assert "pl4nted" not in span.to_json()
    assert read(reader)[
        "asgi_auth.call.duration", "EVALSHA", "redis", "UnavailableError"
    ]

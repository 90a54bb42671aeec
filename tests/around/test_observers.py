"""What counts and traces within sees refusals as they are, with ``install``."""

from __future__ import annotations

import pytest
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette_exporter import PrometheusMiddleware

from asgi_auth import BearerHeader, JWTBackend, QueryParam
from asgi_auth.integrations.starlette import install, requires
from tests import forge
from tests.asgi import bearer, run

TOKEN = forge.token(scope="b")
OTHER = [bearer(TOKEN)]


@requires("a")
async def page(request):
    return PlainTextResponse("a")


@pytest.fixture
def serve():
    def make(middleware):
        app = Starlette(routes=[Route("/", page)], middleware=[middleware])
        sources = [BearerHeader(), QueryParam("token", http=True)]
        install(app, JWTBackend(forge.verifier(), sources=sources))
        return app

    return make


async def test_prometheus_counts_refusals_and_no_crashes(serve):
    name = f"of_{serve.__name__}_{id(serve)}"
    app = serve(Middleware(PrometheusMiddleware, app_name=name))
    await run(app)
    await run(app, headers=OTHER)

    counted = generate_latest(REGISTRY).decode().splitlines()
    ours = [line for line in counted if name in line and "requests_total{" in line]
    assert sorted(line.partition("status_code=")[2][1:4] for line in ours) == [
        "401",
        "403",
    ]


async def test_opentelemetry_sees_refusals_and_no_token(serve):
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    app = serve(Middleware(OpenTelemetryMiddleware, tracer_provider=provider))
    await run(app)
    await run(app, headers=OTHER)
    await run(app, query=b"token=" + TOKEN)

    spans = exporter.get_finished_spans()
    statuses = [
        span.attributes["http.status_code"]
        for span in spans
        if "http.method" in span.attributes
    ]
    assert statuses == [401, 403, 403]
    assert all(span.status.is_unset or not span.events for span in spans)
    assert TOKEN.decode() not in str([span.to_json() for span in spans])

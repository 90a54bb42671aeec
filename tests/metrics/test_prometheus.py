from __future__ import annotations

import json
import logging

import anyio
import anyio.lowlevel
import prometheus_client
import pytest
from prometheus_client.parser import text_string_to_metric_families

from asgi_auth import (
    AuthenticationMiddleware,
    Event,
    JWTBackend,
    KeySet,
    TokenService,
)
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys import Transport
from asgi_auth.metrics import PrometheusMetrics, readings
from asgi_auth.passwords import PasswordHasher
from asgi_auth.stores.sql import SQLStore
from asgi_auth.testing import mint_token
from tests.asgi import bearer, run
from tests.forge import SECRET

ISSUER = "https://issuer.example"


@pytest.fixture
def registry():
    return prometheus_client.CollectorRegistry(auto_describe=True)


async def scrape(registry):
    """Ask as Prometheus does, and read the answer as its own parser does."""
    app = prometheus_client.make_asgi_app(registry)
    answer = await run(app)
    families = [*text_string_to_metric_families(answer.body.decode())]
    names = [family.name for family in families]
    assert len(names) == len(set(names))
    return {
        (sample.name, *(v for _, v in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def settle():
    await anyio.sleep(0.05)  # Listeners run in a thread.


async def test_a_scrape_shows_verdicts_refreshes_and_the_table(registry):
    metrics = PrometheusMetrics("shop", registry=registry)
    keys = KeySet.from_secret(SECRET)
    tokens = TokenService(keys, issuer="me", on_event=metrics)
    metrics.watch(tokens)
    app = AuthenticationMiddleware(hello, JWTBackend(tokens), on_event=metrics)
    pair = await tokens.issue("ada")
    for _ in range(5):
        await run(app, headers=[bearer(pair.access_token)])

    await run(app, headers=[bearer(mint_token(tokens, claims={"exp": 1}))])
    await tokens.refresh(pair.refresh_token)
    await tokens.revoke_subject("ada")
    await settle()
    values = await scrape(registry)
    refused = "asgi_auth_requests_refused_total"
    assert values[refused, "shop", "jwt", "token_expired", "header", "401"] == 1
    assert values["asgi_auth_refreshes_total", "shop", "rotated"] == 1
    assert values["asgi_auth_events_total", "shop", "session.created"] == 1
    assert values["asgi_auth_tokens_recognised_total", "shop", "hit"] == 4
    assert values["asgi_auth_tokens_recognised_total", "shop", "miss"] == 1
    assert values["asgi_auth_tokens_remembered", "shop"] == 1
    assert values["asgi_auth_revocations_held", "shop"] == 2
    assert values["asgi_auth_ready", "shop"] == 1
    assert values[("asgi_auth_password_hashes_running",)] == 0


async def test_two_applications_share_a_registry(registry):
    shop = PrometheusMetrics("shop", registry=registry)
    blog = PrometheusMetrics("blog", registry=registry)
    shop(Event(name="login.failed", at=1.0))
    blog(Event(name="login.failed", at=1.0))
    blog(Event(name="login.succeeded", at=1.0))
    values = await scrape(registry)
    assert values["asgi_auth_logins_total", "shop", "failed"] == 1
    assert values["asgi_auth_logins_total", "blog", "failed"] == 1
    assert values["asgi_auth_logins_total", "blog", "succeeded"] == 1


async def test_calls_to_stores_are_a_histogram_and_their_state_a_gauge(
    registry, tmp_path, caplog
):
    PrometheusMetrics(registry=registry)
    store = SQLStore(f"sqlite:///{tmp_path / 'a.db'}")
    await store.create_schema()
    await store.ping()
    gone = SQLStore(f"sqlite:///{tmp_path / 'gone' / 'b.db'}")
    with caplog.at_level(logging.CRITICAL), pytest.raises(Exception, match="opened"):
        await gone.ping()

    values = await scrape(registry)
    duration = "asgi_auth_call_duration_seconds"
    count = values[duration + "_count", "SELECT", "ok", "sqlite"]
    assert count == values[duration + "_bucket", "+Inf", "SELECT", "ok", "sqlite"] > 0
    assert values[duration + "_sum", "SELECT", "ok", "sqlite"] > 0
    assert values[duration + "_count", "SELECT", "error", "sqlite"] == 1
    place = f"the database {tmp_path / 'gone' / 'b.db'}"
    assert values["asgi_auth_dependency_up", "store", place] == 0
    assert values["asgi_auth_dependency_up", "store", store._database.outage.place] == 1
    await store.aclose()
    await gone.aclose()


async def test_the_age_of_keys_is_shown_once_there_are_any(registry):
    keys = KeySet.generate("ES256").to_jwks()

    async def fetch(url, headers, body):
        return 200, {}, json.dumps(keys).encode()

    uri = f"{ISSUER}/keys"
    issuer = TrustedIssuer(ISSUER, audience="api", keys=uri, transport=Transport(fetch))
    fixed = TrustedIssuer("https://b.example", audience="api", keys=KeySet.generate())
    PrometheusMetrics("shop", registry=registry).watch(issuers=[issuer, fixed])
    before = await scrape(registry)
    await IssuersBackend(issuer).ready()
    after = await scrape(registry)
    assert ("asgi_auth_jwks_age_seconds", "shop", ISSUER) not in before
    assert 0 <= after["asgi_auth_jwks_age_seconds", "shop", ISSUER] < 60


async def test_a_hash_under_way_shows(registry):
    PrometheusMetrics(registry=registry)
    async with anyio.create_task_group() as group:
        group.start_soon(PasswordHasher().hash, "violet otter lamp")
        values = {}
        while not values.get(("asgi_auth_password_hashes_running",)):
            await anyio.lowlevel.checkpoint()
            values = await scrape(registry)

    assert (await scrape(registry))[("asgi_auth_password_hashes_running",)] == 0


async def test_what_an_application_makes_up_does_not_grow_without_a_bound(
    registry, monkeypatch
):
    monkeypatch.setattr(readings, "_MOST", 10)
    metrics = PrometheusMetrics("shop", registry=registry)
    for number in range(100):
        metrics(Event(name=f"custom.{number}", at=1.0))

    values = await scrape(registry)
    counted = {key: value for key, value in values.items() if "events_total" in key[0]}
    assert len(counted) == 11
    assert sum(counted.values()) == 100
    assert counted["asgi_auth_events_total", "shop", "other"] == 90

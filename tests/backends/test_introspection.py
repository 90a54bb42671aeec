from __future__ import annotations

import asyncio
import base64
import json
import time
from dataclasses import fields

import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    BackendChain,
    BearerHeader,
    ConfigurationError,
    JWTBackend,
    KeySet,
    TokenService,
    Verification,
)
from asgi_auth.backends import Client
from asgi_auth.backends.endpoint import IntrospectionEndpoint
from asgi_auth.backends.introspection import IntrospectionBackend
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.keys import Transport
from asgi_auth.testing.clock import FakeClock
from asgi_auth.tokens import ClaimMapping
from tests.asgi import Echo, bearer, run
from tests.idp.issuer import provider


@pytest.fixture
def realm():
    return provider().realm()


def client(**options):
    return Client(**{"id": "orders", "secret": "s3:cr t", **options})


ASKING = {field.name for field in fields(IntrospectionEndpoint)}


def make(realm, **options):
    asking = {"client": client()}
    asking |= {name: options.pop(name) for name in ASKING & options.keys()}
    endpoint = IntrospectionEndpoint(realm.introspect_uri, **asking)
    chosen = {"issuer": realm.issuer, "audience": "api", **options}
    return IntrospectionBackend(endpoint, **chosen)


@pytest.fixture
async def backend(realm):
    made = make(realm)
    yield made
    await made.aclose()


def active(**more):
    now = int(time.time())
    said = {
        "active": True,
        "sub": "ada",
        "aud": "api",
        "scope": "read write",
        "client_id": "web",
        "token_type": "Bearer",
        "exp": now + 600,
        "iat": now,
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


async def ask(backend, token):
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    return await run(app, headers=[bearer(token)])


async def test_an_active_token_is_good(backend, realm):
    realm.tokens["opaque"] = active()
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    answer = await run(app, headers=[bearer("opaque")])
    assert answer.json()["subject"] == "ada"
    principal = app._app.scopes[0]["auth"]
    assert principal.issuer == realm.issuer
    assert principal.backend == "introspection"
    assert principal.scopes == {"authenticated", "read", "write"}
    assert principal.claims["active"] is True


async def test_the_question_is_that_of_rfc_7662(backend, realm):
    realm.tokens["a+b/c=="] = active()
    assert (await ask(backend, "a+b/c==")).status == 200
    _, headers, form = realm.asked[0]
    assert form == {"token": ["a+b/c=="], "token_type_hint": ["access_token"]}
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    kind, _, pair = headers["authorization"].partition(" ")
    assert kind == "Basic"
    assert base64.b64decode(pair) == b"orders:s3%3Acr+t"


async def test_the_client_may_say_who_it_is_in_the_form(realm):
    backend = make(realm, client=client(method="post"))
    await ask(backend, "opaque")
    _, headers, form = realm.asked[0]
    assert "authorization" not in headers
    assert (form["client_id"], form["client_secret"]) == (["orders"], ["s3:cr t"])
    await backend.aclose()


async def test_an_inactive_token_is_refused(backend):
    answer = await ask(backend, "unknown")
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.header("www-authenticate")


async def test_an_answer_is_believed_for_half_a_minute(realm):
    clock = FakeClock(time.time())
    backend = make(realm, clock=clock)
    realm.tokens["opaque"] = active()
    for _ in range(5):
        assert (await ask(backend, "opaque")).status == 200
    assert len(realm.asked) == 1
    realm.tokens.clear()
    clock.advance(29)
    assert (await ask(backend, "opaque")).status == 200
    clock.advance(1)
    assert (await ask(backend, "opaque")).status == 401
    await backend.aclose()


async def test_no_answer_is_believed_beyond_the_end_of_the_token(realm):
    clock = FakeClock(time.time())
    backend = make(realm, clock=clock)
    realm.tokens["opaque"] = active(exp=int(clock()) + 10)
    assert (await ask(backend, "opaque")).status == 200
    clock.advance(10)
    answer = await ask(backend, "opaque")
    assert answer.status == 401
    assert answer.json()["code"] == "token_expired"
    await backend.aclose()


async def test_the_cache_can_be_switched_off(realm):
    backend = make(realm, cache_ttl=0)
    realm.tokens["opaque"] = active()
    for _ in range(3):
        assert (await ask(backend, "opaque")).status == 200
    assert len(realm.asked) == 3
    await backend.aclose()


async def test_the_cache_has_a_bound(realm):
    backend = make(realm, verification=Verification(cache_size=10))
    for number in range(30):
        realm.tokens[f"t{number}"] = active()
        assert (await ask(backend, f"t{number}")).status == 200
    assert len(backend._cache.table) == 10
    await backend.aclose()


async def test_fifty_requests_with_one_token_ask_once(backend, realm):
    realm.tokens["opaque"] = active()
    realm.delay = 0.1
    answers = await asyncio.gather(*(ask(backend, "opaque") for _ in range(50)))
    assert {answer.status for answer in answers} == {200}
    assert len(realm.asked) == 1


async def test_who_is_cancelled_does_not_take_the_others_along(backend, realm):
    realm.tokens["opaque"] = active()
    realm.delay = 0.1
    tasks = [asyncio.create_task(ask(backend, "opaque")) for _ in range(2)]
    await asyncio.sleep(0.03)
    tasks[0].cancel()
    assert (await tasks[1]).status == 200
    assert len(realm.asked) == 1


@pytest.mark.parametrize(
    "fault", ["500", "401", "403", "404", "302", "html", "redirect", "bomb", "huge"]
)
async def test_an_endpoint_that_fails_is_503_and_never_401(backend, realm, fault):
    realm.fault = fault
    answer = await ask(backend, "opaque")
    assert answer.status == 503
    assert answer.header("retry-after")
    realm.fault = None
    realm.tokens["opaque"] = active()
    assert (await ask(backend, "opaque")).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"active"',
        b"{}",
        b'{"active": "true"}',
        b'{"active": 1}',
        b'{"active": null}',
        b'{"active": true, "active": false}',
        b'{"active": true',
        b"\xff\xfe",
        b'{"active": NaN}',
    ],
)
async def test_garbage_is_503(backend, realm, body):
    realm.body = body
    assert (await ask(backend, "opaque")).status == 503


async def test_a_slow_endpoint_is_given_up(realm):
    backend = make(realm, transport=Transport(timeout=0.2))
    realm.fault = "slow"
    began = time.perf_counter()
    assert (await ask(backend, "opaque")).status == 503
    assert time.perf_counter() - began < 2
    await backend.aclose()


async def test_an_endpoint_that_is_down_is_503(realm, free_port):
    realm.introspect_uri = f"http://127.0.0.1:{free_port}/introspect"
    backend = make(realm)
    assert (await ask(backend, "opaque")).status == 503
    await backend.aclose()


@pytest.mark.parametrize(
    "more",
    [
        {"aud": "another"},
        {"aud": None},
        {"iss": "https://another.example"},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"exp": "soon"},
        {"nbf": 99999999999},
        {"token_type": "DPoP"},
        {"token_type": "refresh_token"},
        {"token_use": "refresh"},
        {"typ": "Refresh"},
        {"typ": "ID"},
        {"nonce": "n"},
        {"type": "refresh"},
    ],
)
async def test_an_active_token_of_another_kind_or_party_is_refused(
    backend, realm, more
):
    realm.tokens["opaque"] = active(**more)
    assert (await ask(backend, "opaque")).status == 401


async def test_what_may_be_left_out_may_be_left_out(realm):
    backend = make(realm, audience=None)
    realm.tokens["opaque"] = {"active": True, "sub": "ada"}
    assert (await ask(backend, "opaque")).status == 200
    realm.tokens["other"] = {"active": True, "sub": "ada", "aud": "someone"}
    assert (await ask(backend, "other")).status == 401
    await backend.aclose()


async def test_the_subject_may_have_another_name(realm):
    backend = make(realm, claim_mapping=ClaimMapping(subject="username"))
    realm.tokens["opaque"] = active(username="bob", sub="ignored")
    assert (await ask(backend, "opaque")).json()["subject"] == "bob"
    realm.tokens["other"] = active()
    assert (await ask(backend, "other")).status == 401
    await backend.aclose()


@pytest.mark.parametrize(
    "more",
    [
        {"exp": None},
        {"iss": None},
        {"exp": None, "iss": None, "nbf": None, "sid": None, "acr": None},
        {"iss": ""},
        {"scope": 7},
        {"token_use": "access_token"},
        {"token_type": "BEARER"},
        {"token_type": None},
        {"client_id": 12},
        {"type": "app"},
    ],
)
async def test_what_is_null_or_odd_in_an_answer_is_left_out(backend, realm, more):
    realm.tokens["opaque"] = {**active(), **more}
    assert (await ask(backend, "opaque")).status == 200


async def test_an_empty_audience_is_none(realm):
    realm.tokens["opaque"] = {**active(), "aud": []}
    for audience, status in ((None, 200), ("api", 401)):
        backend = make(realm, audience=audience)
        assert (await ask(backend, "opaque")).status == status
        await backend.aclose()


async def test_the_subject_may_be_a_number_where_it_is_named(realm):
    realm.tokens["opaque"] = active(uid=7, sub=None)
    backend = make(realm, claim_mapping=ClaimMapping(subject="uid"))
    assert (await ask(backend, "opaque")).json()["subject"] == "7"
    await backend.aclose()


@pytest.mark.parametrize("token", [b"\xff\xfe", b"caf\xc3\xa9"])
async def test_a_token_that_is_not_ascii_is_refused_without_flights(
    backend, realm, token
):
    assert (await ask(backend, token)).status == 401
    assert realm.asked == []


async def test_a_jws_is_left_to_others(backend, realm):
    tokens = TokenService(KeySet.generate(), issuer="https://us", audience="api")
    assert (await ask(backend, tokens.mint("ada"))).status == 401
    assert realm.asked == []


async def test_in_a_chain_each_gets_its_own_shape(backend, realm):
    own = TokenService(KeySet.generate(), issuer="https://us", audience="api")
    theirs = IssuersBackend(TrustedIssuer(realm.issuer, audience="api"), name="sso")
    chain = BackendChain(JWTBackend(own), theirs, backend)
    realm.tokens["opaque"] = active(sub="olga")
    for token, subject in (
        (own.mint("eve"), "eve"),
        (realm.token(), "ada"),
        ("opaque", "olga"),
    ):
        assert (await ask(chain, token)).json()["subject"] == subject
    assert [p for p, _, _ in realm.asked if p.endswith("introspect")] == [
        "/" + realm.introspect_uri.split("/", 3)[3]
    ]
    assert (await ask(chain, "nonsense")).status == 401


@pytest.mark.parametrize(
    "options",
    [
        {"issuer": ""},
        {"audience": ""},
        {"audience": ()},
        {"client": client(secret=None)},
        {"cache_ttl": 31},
        {"cache_ttl": -1},
        {"verification": Verification(cache_size=0)},
        {"sources": ()},
    ],
)
def test_parts_must_fit_together(realm, options):
    with pytest.raises(ConfigurationError):
        make(realm, **options)


@pytest.mark.parametrize("url", ["", "idp.example", "http://idp.example/introspect"])
def test_an_issuer_is_asked_by_https(url):
    with pytest.raises(ConfigurationError, match="url must be an https URL"):
        IntrospectionEndpoint(url, client=client())


def test_a_secret_does_not_show_where_an_issuer_is_asked():
    assert "s3" not in repr(IntrospectionEndpoint("https://a/i", client=client()))


async def test_a_secret_may_be_made_anew_for_each_question(realm):
    secrets = iter(["first", "second"])
    backend = make(realm, client=client(secret=lambda: next(secrets), method="post"))
    for token in ("opaque", "opaque-too"):
        await ask(backend, token)
    forms = [form for _, _, form in realm.asked]
    assert [form["client_secret"] for form in forms] == [["first"], ["second"]]
    await backend.aclose()


@pytest.mark.parametrize("wrong", [{"id": ""}, {"secret": ""}, {"method": "none"}])
def test_a_client_must_be_one_that_a_server_could_know(wrong):
    with pytest.raises(ConfigurationError):
        client(**wrong)


def test_the_endpoint_must_be_safe(realm):
    realm.introspect_uri = "http://idp.example/introspect"
    with pytest.raises(ConfigurationError):
        make(realm)


async def test_any_callable_may_ask(realm):
    async def fetch(url, headers, body):
        return 200, {}, json.dumps(active()).encode()

    assert (await ask(make(realm, transport=Transport(fetch)), "opaque")).status == 200


async def test_no_secret_shows(backend, realm, caplog):
    realm.fault = "401"
    await ask(backend, "opaque-token")
    shown = caplog.text + repr(backend)
    assert "opaque-token" not in shown
    assert "s3" not in shown
    assert caplog.records


async def test_another_scheme_or_none_is_not_ours(realm):
    backend = make(realm, sources=(BearerHeader(), BearerHeader("Token")))
    realm.tokens["opaque"] = active()
    app = AuthenticationMiddleware(Echo(), backend, required=True)
    header = b"authorization", b"Token opaque"
    assert (await run(app, headers=[header])).status == 401
    assert await backend.authenticate(None, {}) is None
    assert realm.asked == []


async def test_a_question_ends_with_its_loop(realm):
    backend = make(realm)
    realm.fault = "slow"
    waiting = asyncio.create_task(ask(backend, "opaque"))
    await asyncio.sleep(0.1)
    (question,) = (await backend._flights.get())._tasks.values()
    await backend._flights.aclose()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert question.cancelled()
    await backend.aclose()

"""Tokens that a service asks for in its own name, or in exchange for another."""

from __future__ import annotations

from base64 import b64decode
from urllib.parse import parse_qsl

import pytest

from asgi_auth.client import (
    Client,
    ClientCredentials,
    LoggedOutError,
    RefreshFailedError,
    TokenExchange,
)
from asgi_auth.errors import ConfigurationError
from tests.client.conftest import INVALID, ORIGIN, Bench

TOKEN = f"{ORIGIN}/auth/refresh"
SHOP = Client(id="shop:1", secret="s3cr et&")
CREDENTIALS = ClientCredentials(client=SHOP, scopes=["orders:read", "orders:write"])


class TokenEndpoint:
    """Gives the next token for what it is asked, and keeps what that was."""

    def __init__(self, bench):
        self.bench, self.asked, self.refusal = bench, [], None
        bench.api.fault = self

    def __call__(self, request):
        self.asked.append((parse_qsl(request.read().decode()), request.headers))
        if self.refusal is not None:
            return self.bench.api.answer(*self.refusal[:1], **self.refusal[1])
        self.bench.api.number += 1
        answer = {**self.bench.api.pair(), "token_type": "Bearer"}
        return self.bench.api.answer(200, json=answer)


@pytest.fixture
def begin(kit):
    def begin(grant):
        bench = Bench(kit)
        bench.auth = kit.BearerAuth(
            TOKEN, grant, clock=bench.clock, client=bench.sender
        )
        return bench, TokenEndpoint(bench)

    return begin


def test_a_service_asks_in_its_own_name_and_again_when_the_token_ends(begin):
    bench, endpoint = begin(CREDENTIALS)
    with bench.client() as client:
        for _ in range(3):
            assert client.get("/notes").status_code == 200
        assert len(endpoint.asked) == 1
        bench.clock.advance(880)
        assert client.get("/notes").status_code == 200
    assert len(endpoint.asked) == 2
    fields, headers = endpoint.asked[0]
    assert fields == [
        ("grant_type", "client_credentials"),
        ("scope", "orders:read orders:write"),
    ]
    # RFC 6749, section 2.3.1: encoded before they are joined.
    basic = b64decode(headers["authorization"].removeprefix("Basic "))
    assert basic == b"shop%3A1:s3cr+et%26"
    # A refresh token is dropped (RFC 6749, section 4.4.3): the grant does for it.
    assert bench.auth.tokens.refresh_token is None


async def test_a_token_that_is_refused_is_asked_for_again(begin):
    bench, endpoint = begin(CREDENTIALS)
    async with bench.async_client() as client:
        # The endpoint of the bench runs in the thread of the refresh.
        assert (await client.get("/notes")).status_code == 200
        bench.api.number += 10
        bench.clock.advance(60)
        assert (await client.get("/notes")).status_code == 200
    assert len(endpoint.asked) == 2


def test_a_secret_may_stand_in_the_form(begin):
    client = Client(id="shop", secret="s3cret", method="post")
    grant = ClientCredentials(
        client=client, audience="orders", resource=["https://o.example/"]
    )
    bench, endpoint = begin(grant)
    bench.auth.fresh_token()
    fields, headers = endpoint.asked[0]
    assert "authorization" not in headers
    assert fields[1:] == [
        ("audience", "orders"),
        ("resource", "https://o.example/"),
        ("client_id", "shop"),
        ("client_secret", "s3cret"),
    ]


def test_a_token_is_exchanged_for_another(begin):
    incoming = iter(["first", "second"])
    grant = TokenExchange(
        subject_token=lambda: next(incoming),
        actor_token="service",
        client=Client(id="gateway"),
        audience="orders",
        requested_token_type="urn:ietf:params:oauth:token-type:jwt",
    )
    bench, endpoint = begin(grant)
    bench.auth.fresh_token()
    bench.clock.advance(890)
    bench.auth.fresh_token()
    fields = dict(endpoint.asked[0][0])
    access = "urn:ietf:params:oauth:token-type:access_token"
    assert fields == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": "first",
        "subject_token_type": access,
        "actor_token": "service",
        "actor_token_type": access,
        "requested_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "audience": "orders",
        "client_id": "gateway",
    }
    assert dict(endpoint.asked[1][0])["subject_token"] == "second"


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        ((401, {"json": {"error": "invalid_client"}}), "refused: invalid_client"),
        ((400, {"json": {"error": "invalid_grant"}}), "refused: invalid_grant"),
        ((400, {"json": {"error": "x" * 99}}), "answered 400"),
        ((401, {"headers": INVALID}), "answered 401"),
        ((500, {"text": "oops"}), "answered 500"),
        ((200, {"json": {"token_type": "N_A", "access_token": "x"}}), "Bearer"),
    ],
)
def test_a_refusal_says_its_code_and_ends_nothing(begin, refusal, said):
    bench, endpoint = begin(CREDENTIALS)
    endpoint.refusal = refusal
    with pytest.raises(RefreshFailedError, match=said) as raised:
        bench.auth.fresh_token()
    assert not isinstance(raised.value, LoggedOutError)
    endpoint.refusal = None
    assert bench.auth.fresh_token() == "secret-a2"


def test_secrets_do_not_show(begin):
    bench, _ = begin(CREDENTIALS)
    exchange = TokenExchange(subject_token="hidden", actor_token="hidden")
    shown = repr((CREDENTIALS, exchange, bench.auth))
    assert "s3cr" not in shown
    assert "hidden" not in shown


def test_what_cannot_work_is_a_mistake(kit):
    with pytest.raises(ConfigurationError, match="secret"):
        ClientCredentials(client=Client(id="shop"))
    with pytest.raises(ConfigurationError, match="form is for a refresh"):
        kit.BearerAuth(TOKEN, CREDENTIALS, form={})

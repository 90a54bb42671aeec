"""``authenticated``: a real token for a client that exists already."""

from __future__ import annotations

import gc

import httpx2
import pytest

from asgi_auth import ConfigurationError
from asgi_auth.testing import FakeIssuer, authenticated
from tests.testing import applications as apps
from tests.testing.test_impersonation_clients import (
    ADA,
    PLATFORM,
    leaves_streams_open,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def tokens():
    return apps.token_service()


def as_ada(client, tokens):
    return authenticated(
        client, tokens, "ada", scopes=["orders:read"], roles=["editor"]
    )


@pytest.mark.parametrize("make", [apps.starlette, apps.fastapi])
def test_starlette_test_client(make, tokens):
    from starlette.testclient import TestClient

    client = TestClient(make(tokens))
    assert client.get("/orders").status_code == 401
    with as_ada(client, tokens) as same:
        assert same is client
        assert client.get("/whoami").json() == ADA
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_json() == ADA
    assert client.get("/orders").status_code == 401


def async_client(library, app):
    transport = library.ASGITransport(app)
    return library.AsyncClient(transport=transport, base_url="http://t")


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
async def test_httpx_and_httpx2(name, tokens):
    library = pytest.importorskip(name, reason=PLATFORM)
    async with async_client(library, apps.starlette(tokens)) as client:
        with as_ada(client, tokens):
            assert (await client.get("/whoami")).json() == ADA
        assert (await client.get("/orders")).status_code == 401


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_sync_clients_send_it_too(name, tokens):
    library = pytest.importorskip(name, reason=PLATFORM)
    transport = library.MockTransport(
        lambda request: library.Response(200, json=dict(request.headers))
    )
    with library.Client(transport=transport, base_url="http://t") as client:
        sent = as_ada(client, tokens)
        said = client.get("/").json()["authorization"]
        assert said == f"Bearer {sent.token}"


def test_litestar_test_client(tokens):
    testing = pytest.importorskip("litestar.testing", reason=PLATFORM)
    with testing.TestClient(apps.litestar(tokens)) as client:
        with as_ada(client, tokens):
            assert client.get("/whoami").json() == ADA
            with client.websocket_connect("/ws") as socket:
                assert socket.receive_json() == ADA
        assert client.get("/orders").status_code == 401


async def test_litestar_async_test_client(tokens):
    testing = pytest.importorskip("litestar.testing", reason=PLATFORM)
    async with testing.AsyncTestClient(apps.litestar(tokens)) as client:
        with as_ada(client, tokens):
            assert (await client.get("/whoami")).json() == ADA


async def test_quart_test_client(tokens):
    pytest.importorskip("quart", reason=PLATFORM)
    client = apps.quart(tokens).test_client()
    app = client.app
    with as_ada(client, tokens):
        assert await (await client.get("/whoami")).get_json() == ADA
        async with client.websocket("/ws") as socket:
            assert await socket.receive_json() == ADA

        own = {"Authorization": f"Bearer {tokens.mint('bob')}"}
        answer = await client.get("/whoami", headers=own)
        assert (await answer.get_json())["subject"] == "bob"
    assert client.app is app
    assert (await client.get("/orders")).status_code == 401


@leaves_streams_open
def test_nexios_test_client(tokens):
    testclient = pytest.importorskip("nexios.testclient", reason=PLATFORM)
    with testclient.TestClient(apps.nexios(tokens)) as client:
        with as_ada(client, tokens):
            assert client.get("/whoami").json() == ADA
            with client.websocket_connect("/ws") as socket:
                assert socket.receive_json() == ADA
        assert client.get("/orders").status_code == 401

    del client, socket
    gc.collect()


def test_one_statement_is_enough(tokens):
    from starlette.testclient import TestClient

    client = TestClient(apps.starlette(tokens))
    authenticated(client, tokens, "bob")
    assert client.get("/whoami").json()["subject"] == "bob"


def test_what_the_client_sent_before_is_put_back(tokens):
    client = httpx2.Client(headers={"Authorization": "Basic b3duOndvcmRz"})
    with as_ada(client, tokens):
        assert client.headers["authorization"].startswith("Bearer ")
        with authenticated(client, tokens, "bob") as inner:
            assert inner is client
        assert client.headers.get_list("authorization") == [f"Bearer {_last(client)}"]
    assert client.headers["authorization"] == "Basic b3duOndvcmRz"
    client.close()


def _last(client):
    return client.headers["authorization"].removeprefix("Bearer ")


def test_it_is_put_back_after_a_failure_too(tokens):
    client = httpx2.Client()
    with pytest.raises(ZeroDivisionError), as_ada(client, tokens):
        raise ZeroDivisionError
    assert "authorization" not in client.headers
    client.close()


def test_a_foreign_issuer_signs_as_well():
    client = httpx2.Client()
    sent = authenticated(client, FakeIssuer(), "ada")
    assert client.headers["authorization"] == f"Bearer {sent.token}"
    client.close()


def test_the_token_does_not_print(tokens):
    client = httpx2.Client()
    sent = authenticated(client, tokens, "ada")
    assert sent.token not in repr(sent)
    client.close()


@pytest.mark.parametrize("client", [object(), "client", None])
def test_what_is_no_client_is_told_of(client, tokens):
    with pytest.raises(ConfigurationError, match="no headers of its own"):
        authenticated(client, tokens, "ada")


def test_what_cannot_go_into_a_token_is_told_of(tokens):
    client = httpx2.Client()
    with pytest.raises(ConfigurationError):
        authenticated(client, tokens, "ada", scopes="orders:read")
    assert "authorization" not in client.headers
    client.close()


async def test_the_lifespan_of_a_quart_client_is_left_alone(tokens):
    pytest.importorskip("quart", reason=PLATFORM)
    client = apps.quart(tokens).test_client()
    seen = []

    async def app(scope, receive, send):
        seen.append(scope)

    client.app = app
    authenticated(client, tokens, "ada")
    await client.app({"type": "lifespan"}, None, None)
    assert seen == [{"type": "lifespan"}]
    with pytest.raises(AttributeError):
        client.app._private  # noqa: B018


def test_a_test_case_without_pytest_can_put_it_back(tokens):
    client = httpx2.Client()
    sent = authenticated(client, tokens, "ada")
    sent.restore()
    assert "authorization" not in client.headers
    client.close()

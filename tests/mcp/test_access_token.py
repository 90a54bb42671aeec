"""What MCP servers know of their callers, and to whom a session of theirs belongs."""

from __future__ import annotations

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.transport_security import TransportSecuritySettings

from asgi_auth import ConfigurationError, JWTBackend, Principal, requires
from asgi_auth.integrations.mcp import install, load_user
from tests import forge
from tests.idp.serving import serving

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
CALL = {
    "jsonrpc": "2.0",
    "id": 3,
    "method": "tools/call",
    "params": {"name": "whoami", "arguments": {}},
}
PING = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def official(**options):
    server = MCPServer("orders")

    @server.tool()
    async def whoami() -> str:
        token = get_access_token()
        return f"{token.subject} {' '.join(token.scopes)} {token.claims['jti']}"

    return server.streamable_http_app(**options)


def fast(**options):
    from fastmcp import FastMCP
    from fastmcp.server.dependencies import get_access_token as get_token

    server = FastMCP("orders")

    @server.tool
    def whoami() -> str:
        token = get_token()
        return f"{token.subject} {' '.join(token.scopes)} {token.claims['jti']}"

    return server.http_app(**options)


@pytest.fixture(params=[official, fast], ids=["sdk", "fastmcp"])
def make(request):
    return request.param


def served(make, **options):
    def app(_):
        guarded = requires("tools")(make(**options))
        return install(guarded, JWTBackend(forge.verifier()))

    return serving(app)


def token_of(name, **more):
    return forge.token(sub=name, scope="tools", **more).decode()


def headers_of(name, session=None, **more):
    headers = {**ACCEPT, "Authorization": f"Bearer {token_of(name, **more)}"}
    return headers if session is None else {**headers, "Mcp-Session-Id": session}


@pytest.mark.parametrize("stateless", [True, False])
async def test_a_tool_gets_the_access_token_of_its_caller(make, stateless):
    with served(make, stateless_http=stateless) as base:
        for name in ("ann", "bob"):
            headers = {"Authorization": f"Bearer {token_of(name, jti=name * 2)}"}
            async with (
                httpx2.AsyncClient(headers=headers, timeout=20) as http,
                Client(streamable_http_client(f"{base}/mcp", http_client=http)) as mcp,
            ):
                result = await mcp.call_tool("whoami", {})
                assert result.content[0].text == f"{name} tools {name * 2}"


async def test_a_session_is_for_whom_it_was_opened_by(make):
    with served(make) as base, httpx2.Client(base_url=base, timeout=20) as http:
        opened = http.post("/mcp", json=INITIALIZE, headers=headers_of("ann"))
        assert opened.status_code == 200
        session = opened.headers["mcp-session-id"]

        def ping(*caller, **more):
            headers = headers_of(*caller, session, **more)
            return http.post("/mcp", json=PING, headers=headers).status_code

        assert ping("bob") == 404
        assert ping("ann", client_id="another") == 404
        assert ping("ann", jti="of the next token") == 200
        headers = headers_of("bob", session)
        assert http.delete("/mcp", headers=headers).status_code == 404
        assert ping("ann") == 200


async def test_each_request_of_a_session_is_its_own_callers(make):
    with served(make) as base, httpx2.Client(base_url=base, timeout=20) as http:
        opened = http.post("/mcp", json=INITIALIZE, headers=headers_of("ann"))
        session = opened.headers["mcp-session-id"]
        headers = headers_of("ann", session)
        ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        http.post("/mcp", json=ready, headers=headers)
        for number in ("first", "second"):
            headers = headers_of("ann", session, jti=number)
            answer = http.post("/mcp", json=CALL, headers=headers)
            assert f"ann tools {number}" in answer.text


@pytest.mark.parametrize("told", [True, False])
async def test_the_sdk_must_be_told_the_host_of_its_url_and_fastmcp_may_be(make, told):
    if not told:
        options = {}
    elif make is fast:
        options = {"allowed_hosts": ["api.example"], "host_origin_protection": True}
    else:
        hosts = TransportSecuritySettings(allowed_hosts=["api.example"])
        options = {"transport_security": hosts}

    with (
        served(make, **options) as base,
        httpx2.Client(base_url=base, timeout=20) as http,
    ):
        headers = {**headers_of("ann"), "Host": "api.example"}
        answer = http.post("/mcp", json=INITIALIZE, headers=headers)
        assert answer.status_code == (421 if make is official and not told else 200)
        headers["Host"] = "another.example"
        answer = http.post("/mcp", json=INITIALIZE, headers=headers)
        assert answer.status_code == (200 if make is fast and not told else 421)


async def test_without_a_token_nobody_gets_a_session(make):
    with served(make) as base, httpx2.Client(base_url=base, timeout=20) as http:
        answer = http.post("/mcp", json=INITIALIZE, headers=ACCEPT)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")


def test_the_token_says_who_is_calling_and_does_not_hold_the_token():
    principal = forge.verifier().verify(forge.token(scope="a b", azp="app"))
    token = load_user(principal.principal("header", "jwt")).access_token
    assert (token.client_id, token.subject, token.token) == ("app", "ada", "")
    assert token.scopes == ["a", "b"]
    assert token.claims["iss"] == principal.claims["iss"]
    assert token.expires_at == principal.claims["exp"]


@pytest.mark.parametrize(
    ("claims", "client", "resource"),
    [
        ({"client_id": "a", "azp": "b"}, "a", None),
        ({"appid": "e", "aud": "https://api"}, "e", "https://api"),
        ({"client_id": "", "cid": "o", "aud": ["x", "y"]}, "o", None),
        ({"client_id": 7}, "7", None),
        ({}, "keys", None),
    ],
)
def test_the_client_is_what_its_issuer_calls_it(claims, client, resource):
    principal = Principal("ada", backend="keys", claims=claims, is_authenticated=True)
    token = load_user(principal).access_token
    assert (token.client_id, token.resource) == (client, resource)
    assert token.expires_at is None


def test_mistakes_show_where_they_are_made():
    app = install(official(), backend := JWTBackend(forge.verifier()))
    with pytest.raises(ConfigurationError, match="once only"):
        install(app, backend)
    with pytest.raises(ConfigurationError, match="load_user"):
        install(official(), backend, load_user=lambda principal: principal)

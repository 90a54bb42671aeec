"""MCP servers behind the middleware, used by the official SDK's own client.

The client gets a 401, follows it to our metadata and from there to the issuer,
registers, gets a token for exactly this server, and comes back.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata

from asgi_auth import AuthenticationMiddleware, get_principal, requires
from asgi_auth.backends.issuers import IssuersBackend
from asgi_auth.backends.trusted import TrustedIssuer
from asgi_auth.metadata import ProtectedResource
from tests.idp.authorization import Authorization
from tests.idp.issuer import provider
from tests.idp.serving import serving

CALLBACK = "http://127.0.0.1:9/callback"


@pytest.fixture
def realm():
    return provider().realm()


@pytest.fixture
def authorization(realm):
    return Authorization(realm)


def official():
    """Make a server with the official SDK."""
    server = MCPServer("orders")

    @server.tool()
    async def whoami(ctx: Context) -> str:
        return get_principal(ctx.request_context.request.scope).subject

    return server.streamable_http_app(stateless_http=True)


def fast():
    """Make a server with FastMCP."""
    from fastmcp import FastMCP
    from fastmcp.server.dependencies import get_http_request

    server = FastMCP("orders")

    @server.tool
    def whoami() -> str:
        return get_principal(get_http_request().scope).subject

    return server.http_app(stateless_http=True)


def protect(app, url, issuer, *scopes):
    trusted = TrustedIssuer(issuer, audience=url)
    resource = ProtectedResource(url, issuers=[issuer], scopes=["tools"])
    backend = IssuersBackend(trusted, challenge=resource.challenge)
    guarded = AuthenticationMiddleware(requires("tools", *scopes)(app), backend)
    return resource.around(guarded)


@pytest.fixture(params=[official, fast], ids=["sdk", "fastmcp"])
def server(request, realm):
    def make(base):
        return protect(request.param(), f"{base}/mcp", realm.issuer)

    with serving(make) as base:
        yield f"{base}/mcp"


class Storage:
    """Keeps what the client has learned."""

    def __init__(self):
        self.tokens = self.info = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.info

    async def set_client_info(self, info):
        self.info = info


def oauth(url, storage=None):
    """Be a user with a browser, who agrees to everything."""
    seen = {}

    async def redirect(place):
        async with httpx2.AsyncClient(timeout=20) as browser:
            answer = await browser.get(place)
        query = parse_qs(urlsplit(answer.headers["location"]).query)
        seen.update(code=query["code"][0], state=query["state"][0])

    async def callback():
        return AuthorizationCodeResult(**seen)

    metadata = OAuthClientMetadata(client_name="test", redirect_uris=[CALLBACK])
    return OAuthClientProvider(url, metadata, storage or Storage(), redirect, callback)


async def call(url, **options):
    async with (
        httpx2.AsyncClient(timeout=10, **options) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        result = await client.call_tool("whoami", {})
        return result.content[0].text


async def test_the_sdk_client_finds_its_way_to_a_token(server, realm, authorization):
    assert await call(server, auth=oauth(server)) == "ada"
    assert authorization.granted == [{"scope": "tools", "resource": server}]


async def test_a_token_for_this_server_is_good(server, realm):
    token = realm.token(aud=server, scope="tools").decode()
    headers = {"Authorization": f"Bearer {token}"}
    assert await call(server, headers=headers) == "ada"


async def test_without_a_token_the_way_to_one_is_told(server):
    async with httpx2.AsyncClient(timeout=20) as http:
        answer = await http.post(server, json={})
        assert answer.status_code == 401
        place = server.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
        assert answer.headers["www-authenticate"] == (
            f'Bearer resource_metadata="{place}", scope="tools"'
        )
        document = (await http.get(place)).json()
        assert document["resource"] == server
        assert document["scopes_supported"] == ["tools"]
        assert "offline_access" not in str(document)


async def test_a_token_for_another_server_is_refused(server, realm):
    async with httpx2.AsyncClient(timeout=20) as http:
        for token in (
            realm.token(aud="https://another.example/mcp", scope="tools"),
            realm.token(aud=None, scope="tools"),
            provider().realm().token(aud=server, scope="tools"),
        ):
            headers = {"Authorization": f"Bearer {token.decode()}"}
            answer = await http.post(server, json={}, headers=headers)
            assert answer.status_code == 401
            assert "resource_metadata=" in answer.headers["www-authenticate"]


async def test_a_token_in_the_query_is_not_taken(server, realm):
    token = realm.token(aud=server, scope="tools").decode()
    async with httpx2.AsyncClient(timeout=20) as http:
        answer = await http.post(f"{server}?access_token={token}", json={})
    assert answer.status_code == 401


async def test_missing_scopes_are_named_all_at_once(realm):
    def make(base):
        return protect(official(), f"{base}/mcp", realm.issuer, "admin")

    with serving(make) as base:
        url = f"{base}/mcp"
        token = realm.token(aud=url, scope="tools").decode()
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
            answer = await http.post(url, json={})
        assert answer.status_code == 403
        challenge = answer.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="admin tools"' in challenge
        assert "resource_metadata=" in challenge


async def test_the_sdk_client_comes_back_with_more_scopes(realm, authorization):
    def make(base):
        return protect(official(), f"{base}/mcp", realm.issuer, "admin")

    with serving(make) as base:
        assert await call(f"{base}/mcp", auth=oauth(f"{base}/mcp")) == "ada"
    assert authorization.granted[0]["scope"] == "tools"
    assert set(authorization.granted[-1]["scope"].split()) == {"admin", "tools"}

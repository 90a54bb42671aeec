"""Public is what the framework itself would serve below a public path, and no more."""

from __future__ import annotations

import httpx2
import pytest
from quart import Quart

from asgi_auth import JWTBackend, KeySet, TokenService
from asgi_auth.integrations import channels, quart
from tests.routes.world import SECRET


@pytest.fixture
def backend():
    return JWTBackend(TokenService(KeySet.from_secret(SECRET)))


async def test_quart_serves_no_path_below_another_name_of_it(backend):
    app = Quart(__name__)
    app.url_map.strict_slashes = False

    @app.get("/docs")
    async def docs():
        return "secret"

    @app.get("/docs/<name>")
    async def page(name):
        return name

    quart.install(app, backend, required=True, public_paths=["/docs/*"])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://a") as client:
        assert (await client.get("/docs/a")).text == "a"
        assert (await client.get("/docs/")).status_code == 401
        assert (await client.get("/docs")).status_code == 401


async def test_channels_looks_at_what_its_routers_leave(backend):
    async def app(scope, receive, send):
        await send({"type": "websocket.accept"})

    site = channels.install(app, backend, required=True, public_paths=["/open/*"])

    async def first(remainder):
        sent = []

        async def send(message):
            sent.append(message["type"])

        scope = {
            "type": "websocket",
            "path": "/open/x",
            "path_remaining": remainder,
            "query_string": b"",
            "subprotocols": [],
            "headers": [],
        }
        await site(scope, None, send)
        return sent[0]

    assert await first("open/x") == "websocket.accept"
    assert await first("private") == "websocket.close"

"""The streamable transport of MCP: what a server sends ends with its caller."""

from __future__ import annotations

import asyncio
import json

from mcp.server import MCPServer

from asgi_auth import AuthenticationMiddleware, JWTBackend, KeySet, TokenService
from tests.lifetime.listener import Listener

CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "wait", "arguments": {}},
}


async def test_the_answer_to_a_long_call_ends_when_its_caller_is_revoked():
    started, ended = asyncio.Event(), asyncio.Event()
    server = MCPServer("slow")

    @server.tool()
    async def wait() -> str:
        started.set()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()
        return "done"

    inner = server.streamable_http_app(stateless_http=True)
    tokens = TokenService(KeySet.generate("HS256"), issuer="https://issuer.example")
    app = AuthenticationMiddleware(inner, JWTBackend(tokens))
    body = json.dumps(CALL).encode()
    headers = [
        (b"host", b"127.0.0.1:8000"),
        (b"accept", b"application/json, text/event-stream"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    peer = Listener(
        app, tokens.mint("ann"), path="/mcp", method="POST", headers=headers
    )
    peer.incoming.get_nowait()
    peer.incoming.put_nowait({"type": "http.request", "body": body})
    async with inner.router.lifespan_context(inner), peer:
        assert peer.start["status"] == 200
        async with asyncio.timeout(30):
            await started.wait()
        await tokens.revoke_subject("ann")
        await peer.closed()
        await peer.ended()
        async with asyncio.timeout(30):
            await ended.wait()

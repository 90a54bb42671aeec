"""What a third reading found: in sockets, streams, tickets and bound tokens."""

from __future__ import annotations


import pytest

from asgi_auth import Grant, JWTBackend
from asgi_auth.credentials.reader import unfold
from tests.lifetime.listener import Listener, Source
from tests.websocket.peer import Peer, guarded, token_service

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


# ------------------------------------------------------------- who acts for somebody


async def acting(tokens):
    """Return an actor's session, and a token to act for Ann with."""
    pair = await tokens.issue("root")
    credential = unfold(pair.access_token.encode())
    actor = await JWTBackend(tokens).authenticate(credential, {})
    token = await tokens.impersonate("ann", actor=actor, grant=Grant())
    return pair.session_id, token


async def test_a_socket_of_an_actor_ends_with_the_actors_session():
    tokens = token_service()
    sid, token = await acting(tokens)

    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async with Peer(guarded(app, tokens), token) as peer:
        await tokens.revoke_session(sid)
        assert await peer.closed() == (3000, "token_revoked")


async def test_a_stream_of_an_actor_ends_with_the_actors_session():
    tokens = token_service()
    sid, token = await acting(tokens)
    async with Listener(guarded(Source(), tokens), token) as peer:
        await tokens.revoke_session(sid)
        assert await peer.closed() == []

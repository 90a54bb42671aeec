"""Where there is no asyncio, as on trio, a socket is looked at when it is used."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import anyio
import pytest

from asgi_auth import (
    AuthenticationMiddleware,
    ConfigurationError,
    ConnectionPolicy,
    Header,
    UnavailableError,
    requires,
)
from asgi_auth.backends import apikey
from asgi_auth.backends.apikey import APIKeyBackend
from asgi_auth.backends.apikeys.memory import MemoryAPIKeys
from asgi_auth.backends.apikeys.service import APIKeys
from asgi_auth.testing import FakeClock
from tests.asgi import websocket_scope
from tests.lifetime.lifetime_world import EXPIRED, REVOKED, echo
from tests.websocket.peer import guarded, token_service


@pytest.fixture(params=["trio"])
def anyio_backend(request):
    return request.param


async def test_a_pending_receive_ends_at_the_expiry():
    tokens = token_service()
    token = tokens.mint("ann", ttl=2)
    sent = []

    async def receive():
        while sent:
            await anyio.sleep(60)

        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    scope = websocket_scope(query=b"token=" + token.encode())
    with anyio.fail_after(30):
        await guarded(echo, tokens)(scope, receive, send)

    assert sent[-1]["type"] == "websocket.close"
    assert (sent[-1]["code"], sent[-1]["reason"]) == EXPIRED


@pytest.mark.parametrize("how", ["expiry", "revocation"])
async def test_an_app_that_only_sends_is_closed_at_its_next_send(how):
    clock = FakeClock()
    tokens = token_service(clock=clock)
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    async def push(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": "one"})
        if how == "expiry":
            clock.advance(1000)
        else:
            await tokens.revoke_subject("ann")

        with contextlib.suppress(OSError):
            await send({"type": "websocket.send", "text": "two"})

        await send({"type": "websocket.send", "text": "three"})

    scope = websocket_scope(query=b"token=" + tokens.mint("ann").encode())
    await guarded(push, tokens)(scope, receive, send)

    assert [m.get("text") for m in sent[1:-1]] == ["one"]
    assert (sent[-1]["code"], sent[-1]["reason"]) == (
        EXPIRED if how == "expiry" else REVOKED
    )


@pytest.mark.parametrize("way", ["receive", "send"])
@pytest.mark.parametrize("ended", ["revoked", "demoted", "unknown"])
async def test_a_key_is_asked_about_again(way, ended):
    clock, asked, sent = FakeClock(), [], []
    store = MemoryAPIKeys()
    keys = APIKeys(store, clock=clock)
    made = await keys.generate("robot", scopes=["read"])
    find = store.find

    async def once_more(*args, **options):
        asked.append(clock())
        if ended == "unknown" and len(asked) > 1:
            raise UnavailableError

        return await find(*args, **options)

    store.find = once_more
    backend = APIKeyBackend(keys, sources=(Header("X-API-Key"),))

    @requires("read")
    async def app(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        for turn in range(20):
            clock.advance(5)
            if turn == 2 and ended == "revoked":
                await keys.revoke(made.record.id)
            elif turn == 2 and ended == "demoted":
                await keys.revoke(made.record.id)
                await store.add(replace(made.record, scopes=frozenset()))

            if way == "send":
                await send({"type": "websocket.send", "text": str(turn)})
            elif (await receive())["type"] == "websocket.disconnect":
                return

    async def receive():
        return {"type": "websocket.receive", "text": "hello"}

    async def send(message):
        sent.append(message)

    scope = websocket_scope(headers=[(b"x-api-key", made.text.encode())])
    await AuthenticationMiddleware(app, backend)(scope, receive, send)

    assert sent[-1]["type"] == "websocket.close"
    expected = {
        "revoked": REVOKED,
        "demoted": (3003, "insufficient_scope"),
        "unknown": (1013, "unavailable"),
    }
    assert (sent[-1]["code"], sent[-1]["reason"]) == expected[ended]
    assert len(asked) > 2


async def test_an_idle_socket_ends_with_its_key(monkeypatch):
    monkeypatch.setattr(apikey, "_ASKED_EVERY", 0.05)
    keys = APIKeys(MemoryAPIKeys())
    made = await keys.generate("robot")
    backend = APIKeyBackend(keys, sources=(Header("X-API-Key"),))
    sent = []

    async def receive():
        if not sent:
            return {"type": "websocket.connect"}

        await keys.revoke(made.record.id)
        return await anyio.sleep_forever()

    async def send(message):
        sent.append(message)

    scope = websocket_scope(headers=[(b"x-api-key", made.text.encode())])
    with anyio.fail_after(20):
        await AuthenticationMiddleware(echo, backend)(scope, receive, send)

    assert (sent[-1]["code"], sent[-1]["reason"]) == REVOKED


async def test_sessions_cannot_be_asked():
    tokens = token_service()
    app = guarded(
        echo, tokens, connection_policy=ConnectionPolicy(websockets="session")
    )
    scope = websocket_scope(query=b"token=" + tokens.mint("ann").encode())
    with pytest.raises(ConfigurationError, match="asyncio"):
        await app(scope, None, None)

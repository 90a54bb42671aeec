"""Expiry and revocation on every real server, seen from the other end of the wire."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_auth import KeySet, TokenService
from tests.servers.running import SERVERS, running
from tests.websocket.conftest import command_of
from tests.websocket.serving import PASSWORD, SECRET

ON_ASYNCIO = [name for name in SERVERS if "trio" not in name]
PATIENCE = 10

everywhere = pytest.mark.parametrize("chat_server", SERVERS, indirect=True)
# Hypercorn waits for its sockets, with any application.
on_uvicorn = pytest.mark.parametrize("name", ["uvicorn-sansio", "uvicorn-websockets"])
on_asyncio = pytest.mark.parametrize("chat_server", ON_ASYNCIO, indirect=True)


def service():
    keys = KeySet.from_secret(SECRET)
    return TokenService(keys, issuer="https://chat.example", audience="chat")


def socket_to(server, path, token, **options):
    url = f"ws://127.0.0.1:{server.port}{path}?token={token}"
    return connect(url, proxy=None, close_timeout=2, **options)


async def post(server, path, **request):
    base = f"http://127.0.0.1:{server.port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=20) as client:
        return await client.post(path, **request, timeout=20)


async def log_in(server, name="ann"):
    body = {"email": f"{name}@example.com", "password": PASSWORD}
    return (await post(server, "/login", json=body)).json()["access_token"]


async def close_of(socket):
    """Read until the close; return its code and reason, and when it came."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                await socket.recv()
    except ConnectionClosed as closed:
        return (closed.rcvd.code, closed.rcvd.reason), time.time()


async def hear(socket):
    async with asyncio.timeout(PATIENCE):
        return json.loads(await socket.recv())


@everywhere
async def test_sockets_are_closed_at_their_expiry(chat_server):
    before = chat_server.log().count("Traceback")
    token = service().mint("ann", ttl=3)
    ends_at = (await service().verify(token))["exp"]
    async with (
        socket_to(chat_server, "/idle", token) as idle,
        socket_to(chat_server, "/push", token) as written_to,
    ):
        assert await hear(written_to) == {"for": "ann"}
        closes = await asyncio.gather(close_of(idle), close_of(written_to))

    for close, at in closes:
        assert close == (3000, "token_expired")
        # Not before; how long after is for a busy machine to say.
        assert at - ends_at >= -0.01

    assert chat_server.log().count("Traceback") == before


@on_asyncio
async def test_logging_out_everywhere_closes_all_devices(chat_server):
    phone, laptop = await log_in(chat_server), await log_in(chat_server)
    headers = {"Authorization": f"Bearer {phone}"}
    async with (
        socket_to(chat_server, "/ws", phone) as first,
        socket_to(chat_server, "/idle", laptop) as second,
    ):
        assert await hear(first) == {"type": "welcome", "user": "42"}
        answer = await post(chat_server, "/logout-everywhere", headers=headers)
        assert answer.status_code == 200
        for socket in (first, second):
            assert (await close_of(socket))[0] == (3000, "token_revoked")


@on_asyncio
async def test_the_endpoint_speaks_on_every_server(chat_server):
    token = await log_in(chat_server)
    async with socket_to(chat_server, "/ws", token) as socket:
        assert (await hear(socket))["type"] == "welcome"
        await socket.send('{"text": "Hello WebSocket!"}')
        heard = await hear(socket)
        assert heard == {"user": "42", "message": {"text": "Hello WebSocket!"}}
        await socket.send('{"join": "tea"}')
        assert await hear(socket) == {"joined": "tea"}
        await socket.send('{"join": "board"}')
        assert (await hear(socket))["code"] == "forbidden_room"
        await socket.send('{"type": "auth", "token": "' + token + '"}')
        assert (await hear(socket))["ok"] is True
        await socket.send("{")
        assert (await close_of(socket))[0][0] == 1007


@on_asyncio
async def test_a_message_too_big_is_refused_on_every_server(chat_server):
    async with socket_to(chat_server, "/ws", await log_in(chat_server)) as socket:
        await socket.send('"' + "a" * 70_000 + '"')
        assert (await close_of(socket))[0] == (1009, "message too big")


@on_asyncio
async def test_a_bad_token_is_refused_before_the_socket_opens(chat_server):
    with pytest.raises(InvalidStatus) as refused:
        await socket_to(chat_server, "/ws", "a.b.c")

    assert refused.value.response.status_code == 401


@on_uvicorn
async def test_a_server_shuts_down_with_open_sockets(name):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(running(name, command_of(name)))
        token = await log_in(server)
        async with socket_to(server, "/ws", token) as socket:
            assert (await hear(socket))["type"] == "welcome"
            began = time.monotonic()
            stopping = asyncio.create_task(asyncio.to_thread(stack.close))
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), PATIENCE)

            await stopping

    # After 5 seconds it would have been killed.
    assert time.monotonic() - began < 10

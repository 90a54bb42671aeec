"""The example of the WebSocket manager: log in, open ``/ws?token=...``, chat.

With real sockets, in one process and across two that share a Valkey.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

import httpx2
import pytest

from tests.servers.running import running
from tests.stores.valkey import valkey_server
from tests.websocket.conftest import command_of
from tests.websocket.serving import PASSWORD
from tests.websocket.test_servers import close_of, hear, log_in, post, socket_to

SERVER = "uvicorn-sansio"


@pytest.fixture(scope="module", params=["one process", "two processes"])
def servers(request):
    """Give two servers, which may be one and the same."""
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        if request.param == "one process":
            patch.delenv("CHAT_VALKEY", raising=False)
            server = stack.enter_context(running(SERVER, command_of(SERVER)))
            yield server, server
        else:
            valkey = stack.enter_context(valkey_server())
            patch.setenv("CHAT_VALKEY", valkey.url)
            yield tuple(
                stack.enter_context(running(SERVER, command_of(SERVER)))
                for _ in range(2)
            )


@contextlib.asynccontextmanager
async def entering(server, token, *rooms):
    """Open a socket, be greeted, and join rooms."""
    async with socket_to(server, "/ws", token) as socket:
        assert (await hear(socket))["type"] == "welcome"
        for room in rooms:
            await socket.send('{"join": "' + room + '"}')
            assert await hear(socket) == {"joined": room}

        yield socket


async def test_the_flow_of_the_example(servers):
    server = servers[0]
    wrong = {"email": "ann@example.com", "password": "not it"}
    refused = await post(server, "/login", json=wrong)
    assert refused.status_code == 401

    token = await log_in(server)
    headers = {"Authorization": f"Bearer {token}"}
    base = f"http://127.0.0.1:{server.port}"
    async with httpx2.AsyncClient(base_url=base, trust_env=False, timeout=20) as client:
        answer = await client.get("/protected", headers=headers)

    assert answer.json() == {"message": "Hello 42!"}
    async with entering(server, token) as socket:
        await socket.send('{"text": "Hello WebSocket!"}')
        heard = await hear(socket)
        assert heard == {"user": "42", "message": {"text": "Hello WebSocket!"}}


async def test_two_users_chat_in_a_room_and_in_private(servers):
    one, two = servers
    async with (
        entering(one, await log_in(one, "ann"), "tea") as ann,
        entering(two, await log_in(two, "bob"), "tea") as bob,
        entering(two, await log_in(two, "ann")) as anns_phone,
    ):
        await ann.send('{"room": "tea", "text": "hello all"}')
        said = {"user": "42", "text": "hello all"}
        assert await hear(ann) == await hear(bob) == said

        await bob.send('{"to": "42", "text": "just you"}')
        said = {"user": "43", "text": "just you"}
        assert await hear(ann) == await hear(anns_phone) == said

        await bob.send('{"join": "board"}')
        assert (await hear(bob))["code"] == "forbidden_room"
        await bob.send('{"room": "tea", "text": "still here"}')
        assert (await hear(ann))["text"] == "still here"


async def test_a_socket_ends_with_its_token(servers):
    # Another user than the one who is logged out: such a token has no session.
    body = {"email": "bob@example.com", "password": PASSWORD, "ttl": 2}
    answer = await post(servers[0], "/login", json=body)
    async with entering(servers[1], answer.json()["access_token"]) as socket:
        assert (await close_of(socket))[0] == (3000, "token_expired")


async def test_logging_out_everywhere_closes_both_devices_within_a_second(servers):
    one, two = servers
    phone, laptop = await log_in(one), await log_in(two)
    async with (
        entering(one, phone) as first,
        entering(two, laptop) as second,
        entering(two, await log_in(two, "bob")) as bob,
    ):
        began = time.time()
        headers = {"Authorization": f"Bearer {phone}"}
        answer = await post(one, "/logout-everywhere", headers=headers)
        assert answer.status_code == 200
        for socket in (first, second):
            close, at = await close_of(socket)
            assert close == (3000, "token_revoked")
            assert at - began < 1

        await bob.send('{"text": "still here"}')
        assert (await hear(bob))["message"] == {"text": "still here"}
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bob.recv(), 0.05)

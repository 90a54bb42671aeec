"""Many requests, one refresh: against a real server, and a network that fails."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from asgi_auth.client import (
    LoggedOutError,
    RefreshFailedError,
    Tokens,
    bearer_subprotocols,
    reauthentication,
)
from asgi_auth.testing import FakeClock
from tests.client.serving import CREDENTIALS, application, counts
from tests.faults import fault_proxy
from tests.routes.world import World
from tests.servers.running import running

COMMAND = [
    "uvicorn",
    *("--port", "{port}", "--ws", "websockets-sansio"),
    *("--factory", "tests.client.serving:create"),
]


@pytest.fixture(scope="module")
def server():
    with running("client", COMMAND) as server:
        yield server


class Session:
    """A log-in at the server, and a clock by which its token has ended."""

    def __init__(self, kit, port, **options) -> None:
        self.kit = kit
        # Certificates take long to read, and are not needed.
        self.options = {"trust_env": False, "verify": False, "timeout": 20}
        self.url = f"http://127.0.0.1:{port}"
        self.clock = FakeClock()
        self.saved = []
        with kit.library.Client(base_url=self.url, **self.options) as client:
            self.pair = client.post("/auth/login", json=CREDENTIALS).json()
        self.auth = kit.BearerAuth(
            f"{self.url}/auth/refresh",
            Tokens.from_answer(self.pair, received_at=self.clock()),
            clock=self.clock,
            save=self.saved.append,
            **options,
        )

    def client(self):
        return self.kit.library.Client(
            base_url=self.url, auth=self.auth, **self.options
        )

    def async_client(self):
        return self.kit.library.AsyncClient(
            base_url=self.url, auth=self.auth, **self.options
        )

    def refreshes(self):
        with self.kit.library.Client(base_url=self.url, **self.options) as client:
            return client.get("/counts").json().get("/auth/refresh", 0)

    def revoke_access_token(self):
        with self.kit.library.Client(base_url=self.url, **self.options) as client:
            form = {"token": self.auth.tokens.access_token}
            assert client.post("/auth/revoke", data=form).status_code == 200


@pytest.fixture
def session(kit, server):
    return Session(kit, server.port)


async def get_many(session, number):
    async with session.async_client() as client:
        answers = await asyncio.gather(*(client.get("/notes") for _ in range(number)))
    return {answer.status_code for answer in answers}


async def test_a_hundred_coroutines_refresh_once(session):
    before = session.refreshes()
    session.clock.advance(901)
    assert await get_many(session, 100) == {200}
    assert session.refreshes() == before + 1
    assert session.saved == [session.auth.tokens]


def test_fifty_threads_refresh_once(session):
    before = session.refreshes()
    session.clock.advance(901)
    barrier = threading.Barrier(50)
    with session.client() as client, ThreadPoolExecutor(50) as pool:

        def get(number):
            barrier.wait()
            return client.get("/notes").status_code

        assert set(pool.map(get, range(50))) == {200}
    assert session.refreshes() == before + 1


def test_several_event_loops_and_clients_refresh_once(session):
    before = session.refreshes()
    session.clock.advance(901)
    barrier = threading.Barrier(4)

    def get(number):
        barrier.wait()
        return asyncio.run(get_many(session, 10))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(get, range(4))) == [{200}] * 4
    assert session.refreshes() == before + 1


async def test_a_cancelled_request_takes_nobody_with_it(session):
    before = session.refreshes()
    session.clock.advance(901)
    async with session.async_client() as client:
        first, *others = [asyncio.create_task(client.get("/notes")) for _ in range(20)]
        await asyncio.sleep(0.02)
        first.cancel()
        answers = await asyncio.gather(*others)
        assert {answer.status_code for answer in answers} == {200}
        with pytest.raises(asyncio.CancelledError):
            await first
    assert session.refreshes() == before + 1


async def test_tokens_that_nobody_waits_for_any_more_are_kept(session):
    session.clock.advance(901)
    async with session.async_client() as client:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get("/notes"), 0.02)
        deadline = time.monotonic() + 10
        while not session.saved:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)
        assert (await client.get("/notes")).status_code == 200
    assert session.saved == [session.auth.tokens]


async def test_a_revoked_access_token_is_replaced_once_for_all(session):
    before = session.refreshes()
    session.revoke_access_token()
    assert await get_many(session, 30) == {200}
    assert session.refreshes() == before + 1


def test_a_forbidden_request_is_not_repeated(session):
    before = session.refreshes()
    with session.client() as client:
        assert client.get("/admin").status_code == 403
    assert session.refreshes() == before


async def test_the_end_of_the_session_is_told_to_everybody(session):
    session.clock.advance(901)
    async with session.async_client() as client:
        await client.post("/auth/logout", json=session.pair, auth=None)
        errors = await asyncio.gather(
            *(client.get("/notes") for _ in range(20)), return_exceptions=True
        )
    assert {type(error) for error in errors} == {LoggedOutError}
    assert len(set(map(id, errors))) == 20
    assert session.saved == [None]
    assert session.auth.tokens is None


async def get_in_the_end(client):
    deadline = time.monotonic() + 10
    while True:
        try:
            return await client.get("/notes")
        except RefreshFailedError:  # The one that hung, or a slow machine.
            assert time.monotonic() < deadline


async def break_connections(proxy):
    await proxy.reset()


async def listen_no_more(proxy):
    await proxy.refuse()


async def say_nothing(proxy):
    await proxy.stall()


@pytest.mark.parametrize("fault", [break_connections, listen_no_more, say_nothing])
async def test_an_outage_of_the_refresh_endpoint_loses_nothing(kit, server, fault):
    async with fault_proxy(server.port) as proxy:
        session = await asyncio.to_thread(Session, kit, server.port, timeout=0.3)
        session.auth = kit.BearerAuth(
            f"http://127.0.0.1:{proxy.port}/auth/refresh",
            session.auth.tokens,
            origins=[session.url],
            clock=session.clock,
            timeout=0.3,
        )
        await fault(proxy)
        async with session.async_client() as client:
            session.clock.advance(880)
            assert (await client.get("/notes")).status_code == 200

            session.clock.advance(21)
            with pytest.raises(RefreshFailedError) as caught:
                await client.get("/notes")
            assert session.pair["refresh_token"] not in repr(caught.value)

            await proxy.pass_on()
            assert (await get_in_the_end(client)).status_code == 200


async def test_an_answer_that_gets_lost_is_asked_for_again(kit, server):
    async with fault_proxy(server.port) as proxy:
        session = await asyncio.to_thread(Session, kit, server.port)
        session.auth = kit.BearerAuth(
            f"http://127.0.0.1:{proxy.port}/auth/refresh",
            session.auth.tokens,
            origins=[session.url],
            clock=session.clock,
        )
        session.clock.advance(901)
        await proxy.cut(20)  # The server has rotated; nobody gets to know.
        async with session.async_client() as client:
            with pytest.raises(RefreshFailedError):
                await client.get("/notes")
            await proxy.pass_on()
            assert (await client.get("/notes")).status_code == 200


async def test_everything_may_happen_in_one_process(kit):
    world = World()
    user = await world.add()
    pair = await world.tokens.issue(str(user.id))
    transport = kit.library.ASGITransport(app=application(world))
    sender = kit.library.AsyncClient(transport=transport)
    auth = kit.BearerAuth(
        "https://api.example/auth/refresh",
        Tokens(pair.access_token, pair.refresh_token),
        client=sender,
        clock=world.clock,
    )
    world.clock.advance(901)
    before = counts["/auth/refresh"]
    async with (
        sender,
        kit.library.AsyncClient(
            transport=transport, auth=auth, base_url="https://api.example"
        ) as client,
    ):
        answers = await asyncio.gather(*(client.get("/notes") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert counts["/auth/refresh"] == before + 1


def socket_to(session, path, *others):
    url = f"{session.url}{path}".replace("http", "ws", 1)
    offer = bearer_subprotocols(session.auth.fresh_token(), *others)
    return connect(url, subprotocols=offer, proxy=None, close_timeout=2)


@pytest.mark.parametrize(
    ("path", "others", "chosen"),
    [("/ws", (), "bearer"), ("/chat", ("chat.v1",), "chat.v1")],
)
async def test_a_websocket_is_opened_and_lives_on(session, path, others, chosen):
    async with socket_to(session, path, *others) as socket:
        assert socket.subprotocol == chosen
        await socket.send('{"n": 1}')
        assert json.loads(await socket.recv())["message"] == {"n": 1}

        session.clock.advance(901)
        await socket.send(reauthentication(await session.auth.afresh_token()))
        answer = json.loads(await socket.recv())
        assert (answer["type"], answer["ok"]) == ("auth", True)
        await socket.send('{"n": 2}')
        assert json.loads(await socket.recv())["message"] == {"n": 2}


async def test_a_websocket_does_not_live_on_with_a_bad_token(session):
    async with socket_to(session, "/ws") as socket:
        await socket.send(reauthentication("rubbish"))
        with pytest.raises(ConnectionClosed) as caught:
            await socket.recv()
    assert caught.value.rcvd.code == 3000

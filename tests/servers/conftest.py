"""Each server is started once, when the first test asks for it."""

from __future__ import annotations

import contextlib
import json

import httpx2
import pytest
from websockets.sync.client import connect

from tests.servers.application import token_service
from tests.servers.running import SERVERS, running


@pytest.fixture(scope="session")
def start():
    """Start a server, or find the one that runs already."""
    with contextlib.ExitStack() as stack:
        started = {}

        def find(name, command):
            if name not in started:
                started[name] = stack.enter_context(running(name, command))

            return started[name]

        yield find


@pytest.fixture(params=SERVERS)
def server(request, start):
    return start(request.param, SERVERS[request.param])


@pytest.fixture
def client(server):
    url = f"http://127.0.0.1:{server.port}"
    with httpx2.Client(base_url=url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture
def socket_to(server):
    """Open a WebSocket; the answer to its handshake is its ``response``."""

    def open_socket(path, **options):
        url = f"ws://127.0.0.1:{server.port}{path}"
        return connect(url, proxy=None, open_timeout=20, close_timeout=5, **options)

    return open_socket


@pytest.fixture
def greeting(socket_to):
    """Open a WebSocket, and return what the application said of its caller first."""

    def greet(path="/ws", **options):
        with socket_to(path, **options) as socket:
            greeting = json.loads(socket.recv(timeout=20))
            socket.send("still here")
            assert socket.recv(timeout=20) == "still here"
            return {**greeting, "subprotocol": socket.subprotocol}

    return greet


@pytest.fixture(scope="session")
def token():
    return token_service().mint("ann", scopes=["notes"])

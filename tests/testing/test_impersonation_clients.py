"""``as_user`` in every test client: one line, and no key in the test."""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import sys
from types import ModuleType

import httpx2
import pytest

from asgi_auth.testing import as_user
from tests.testing import applications as apps

ADA = {
    "subject": "ada",
    "user": "Ada Lovelace",
    "scopes": ["authenticated", "orders:read"],
    "roles": ["editor"],
    "source": "header",
    "backend": "jwt",
    "issuer": "https://api.example",
}
PLATFORM = "platform: the framework does not run on this Python"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def leaves_streams_open(test):
    """Nexios' clients leave streams of their own open."""
    for kind in ("ResourceWarning", "pytest.PytestUnraisableExceptionWarning"):
        test = pytest.mark.filterwarnings(f"ignore::{kind}")(test)

    return test


def ada(app):
    return as_user(app, "ada", scopes=["orders:read"], roles=["editor"])


@pytest.fixture(params=[False, True], ids=["by hand", "installed"])
def installed(request):
    """The middleware is in the framework's own place, or in that of ``install()``."""
    return request.param


@pytest.mark.parametrize("make", [apps.starlette, apps.fastapi])
def test_starlette_test_client(make, installed):
    from starlette.testclient import TestClient

    client = TestClient(ada(make(installed=installed)))

    assert client.get("/whoami").json() == ADA
    assert client.get("/orders").status_code == 200
    with client.websocket_connect("/ws") as socket:
        assert socket.receive_json() == ADA


def test_starlette_test_client_with_its_lifespan():
    from starlette.testclient import TestClient

    with TestClient(ada(apps.starlette())) as client:
        assert client.get("/whoami").json() == ADA
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_json() == ADA


def test_middleware_in_a_mount():
    from starlette.testclient import TestClient

    client = TestClient(ada(apps.mounted()))

    assert client.get("/api/whoami").json() == ADA
    with client.websocket_connect("/api/ws") as socket:
        assert socket.receive_json() == ADA


def test_middleware_around_the_application():
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    async def whoami(request):
        return JSONResponse(apps.describe(request.scope))

    app = apps.protect(Starlette(routes=[Route("/whoami", whoami)]))
    assert TestClient(ada(app)).get("/whoami").json() == ADA


async def test_httpx2():
    transport = httpx2.ASGITransport(ada(apps.starlette()))
    async with httpx2.AsyncClient(transport=transport, base_url="http://t") as client:
        assert (await client.get("/whoami")).json() == ADA
        assert (await client.get("/orders")).status_code == 200


async def test_httpx():
    httpx = pytest.importorskip("httpx", reason=PLATFORM)
    transport = httpx.ASGITransport(ada(apps.starlette()))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        assert (await client.get("/whoami")).json() == ADA


def test_litestar_test_client(installed):
    testing = pytest.importorskip("litestar.testing", reason=PLATFORM)

    with testing.TestClient(ada(apps.litestar())) as client:
        assert client.get("/whoami").json() == ADA
        assert client.get("/orders").status_code == 200
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_json() == ADA


async def test_litestar_async_test_client():
    testing = pytest.importorskip("litestar.testing", reason=PLATFORM)

    async with testing.AsyncTestClient(ada(apps.litestar())) as client:
        assert (await client.get("/whoami")).json() == ADA
        # Its socket is served in a thread of its own, and is not asynchronous.
        with await client.websocket_connect("/ws") as socket:
            assert socket.receive_json() == ADA


async def test_quart_test_client(installed):
    pytest.importorskip("quart", reason=PLATFORM)
    client = ada(apps.quart(installed=installed)).test_client()

    assert await (await client.get("/whoami")).get_json() == ADA
    assert (await client.get("/orders")).status_code == 200
    async with client.websocket("/ws") as socket:
        assert await socket.receive_json() == ADA


@leaves_streams_open
def test_nexios_test_client(installed):
    testclient = pytest.importorskip("nexios.testclient", reason=PLATFORM)

    with testclient.TestClient(ada(apps.nexios())) as client:
        assert client.get("/whoami").json() == ADA
        assert client.get("/orders").status_code == 200
        with client.websocket_connect("/ws") as socket:
            assert socket.receive_json() == ADA

    del client, socket
    gc.collect()


@leaves_streams_open
async def test_nexios_async_test_client():
    testclient = pytest.importorskip("nexios.testclient", reason=PLATFORM)

    async with testclient.AsyncTestClient(ada(apps.nexios())) as client:
        assert (await client.get("/whoami")).json() == ADA

    del client
    gc.collect()


@pytest.fixture
def communicators(monkeypatch):
    """Channels' own, without the live server beside them, which wants daphne."""
    pytest.importorskip("channels", reason=PLATFORM)
    settings = "tests.websocket.django_settings"
    monkeypatch.setitem(os.environ, "DJANGO_SETTINGS_MODULE", settings)
    live = ModuleType("daphne.testing")
    live.DaphneProcess = None
    monkeypatch.setitem(sys.modules, "daphne", ModuleType("daphne"))
    monkeypatch.setitem(sys.modules, "daphne.testing", live)
    return importlib.import_module("channels.testing")


async def test_channels_communicators(communicators):
    app = ada(apps.channels())
    socket = communicators.WebsocketCommunicator(app, "/ws")
    assert (await socket.connect())[0]
    assert await socket.receive_json_from() == ADA
    await socket.disconnect()

    request = communicators.HttpCommunicator(app, "GET", "/")
    assert (await request.get_response())["status"] == 200


def test_one_line_and_no_key_in_the_test():
    source = inspect.getsource(ada)
    assert len(source.splitlines()) == 2
    assert not {"key", "secret", "token"} & set(source.replace(":", " ").split())

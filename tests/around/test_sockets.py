"""Sockets of frameworks that swallow a refusal: Sanic and Muffin, on a real server."""

from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from asgi_auth import AuthenticationMiddleware, JWTBackend, requires
from tests import forge
from tests.idp.serving import serving

GOOD, OTHER, NOBODY = "a", "b", None


def sanic():
    from sanic import Sanic

    Sanic._app_registry.clear()
    app = Sanic("sockets")

    @app.websocket("/chat")
    @requires("a")
    async def chat(request, socket):
        await socket.send(request.scope["auth"].subject)

    return app


def muffin():
    from muffin import Application, ResponseWebSocket

    app = Application()

    @app.route("/chat")
    @requires("a")
    async def chat(request):
        async with ResponseWebSocket(request) as socket:
            await socket.send(request.scope["auth"].subject)

        return socket

    return app


@pytest.fixture(scope="module", params=[sanic, muffin])
def base(request):
    def make(_):
        return AuthenticationMiddleware(request.param(), JWTBackend(forge.verifier()))

    with serving(make) as base:
        yield base.replace("http", "ws")


async def greeting(base, scope):
    """Return what the app says first, or the status or code of its refusal."""
    token = forge.token(scope=scope).decode()
    headers = {} if scope is None else {"Authorization": f"Bearer {token}"}
    try:
        async with connect(f"{base}/chat", additional_headers=headers) as socket:
            return await socket.recv()
    except InvalidStatus as error:
        return error.response.status_code
    except ConnectionClosed as error:
        return error.rcvd.code


async def test_a_refusal_in_a_handler_of_a_socket_reaches_the_client(base):
    assert await greeting(base, GOOD) == "ada"
    # Sanic has accepted by then, Muffin has not.
    assert await greeting(base, NOBODY) in {401, 3000}
    assert await greeting(base, OTHER) in {403, 3003}
